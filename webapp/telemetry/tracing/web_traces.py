"""A transaction for each request that reaches Flask, by Flask's signals.

Called as its metrics are (routes.py), so that a slow route leads to its traces. A streamed
answer's ends with the stream, any other when the request is done.
"""

from __future__ import annotations

from typing import Any

from elasticapm.traces import Transaction, set_context
from flask import Flask, Response, g, request, signals

from webapp.scrub import scrub
from webapp.telemetry.routes import route
from webapp.telemetry.tracing.apm import Agent
from webapp.telemetry.tracing.events import (
    SHOWN_REQUEST_HEADERS,
    SHOWN_RESPONSE_HEADERS,
    shown_query,
)

CARRIED = ("traceparent", "tracestate")


class WebTraces:
    """One per application and agent."""

    def __init__(self, app: Flask, agent: Agent) -> None:
        """Listens from now on, for as long as the application lives."""
        self._agent = agent
        signals.request_started.connect(self._started, sender=app)
        signals.request_finished.connect(self._finished, sender=app)
        signals.got_request_exception.connect(self._failed, sender=app)
        signals.request_tearing_down.connect(self._torn_down, sender=app)

    def _started(self, _: Flask, **__: object) -> None:
        if not self._agent.should_ignore_url(request.path):  # type: ignore[no-untyped-call]
            carried = {name: request.headers.get(name, "") for name in CARRIED}
            g.trace = self._agent.begin("request", request_name(), carried)

    def _finished(self, _: Flask, response: Response, **__: object) -> None:
        transaction: Transaction | None = g.get("trace")
        if transaction is None:
            return
        status = response.status_code
        if transaction.is_sampled:
            shows = self._agent.config.capture_headers
            set_context(_request_context(shows=shows), "request")
            set_context(_response_context(response, shows=shows), "response")
        g.trace_end = end = _End(self._agent, transaction, status)
        if response.is_streamed:
            g.trace_end = None
            response.call_on_close(end)

    def _failed(self, _: Flask, exception: Exception, **__: object) -> None:
        if g.get("trace") is not None:
            set_context(_request_context(shows=self._agent.config.capture_headers), "request")
            self._agent.failed(exception, handled=False)

    def _torn_down(self, _: Flask, **__: object) -> None:
        transaction: Transaction | None = g.pop("trace", None)
        if transaction is None:
            return
        end = g.pop("trace_end", _End(self._agent, transaction, 500))
        if end is not None:
            end()


class _End:
    def __init__(self, agent: Agent, transaction: Transaction, status: int) -> None:
        self._agent = agent
        self._transaction = transaction
        self._status = status

    def __call__(self) -> None:
        result = f"HTTP {self._status // 100}xx"
        self._agent.end(self._transaction, result, failed=self._status >= 500)


def request_name() -> str:
    """The present request's."""
    rule = request.url_rule.rule if request.url_rule else None
    return route(request.method, request.path, rule)


def _request_context(*, shows: bool) -> dict[str, Any]:
    query = request.environ.get("QUERY_STRING", "")
    path = scrub(request.path)[:1024]
    shown = f"?{shown_query(query)}" if query else ""
    context: dict[str, Any] = {
        "method": request.method,
        "url": {"pathname": path, "search": shown, "full": f"{request.host_url[:-1]}{path}{shown}"},
        "http_version": request.environ.get("SERVER_PROTOCOL", "HTTP/1.1").rpartition("/")[2],
    }
    if shows:
        sent = request.headers
        context["headers"] = {name: sent[name] for name in SHOWN_REQUEST_HEADERS if name in sent}
    return context


def _response_context(response: Response, *, shows: bool) -> dict[str, Any]:
    context: dict[str, Any] = {"status_code": response.status_code}
    if shows:
        sent = response.headers
        context["headers"] = {name: sent[name] for name in SHOWN_RESPONSE_HEADERS if name in sent}
    return context
