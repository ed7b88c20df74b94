"""What makes spans: requests, Redis, statements, calls to GitHub. Patched in once a process.

    requests          each try on the wire; the agent's own wrapper. Its urllib3 one is left out:
                      it would send our trace ids to GitHub
    Redis             each command by its name, never its keys; the hit path's reads too
    statement(sql)    each statement by its file's name (db/cursor.py)
    upstream_calling  a call to GitHub with its tries, labelled by upstream_called with resource,
      … _called       lane and outcome. Outside of request and job it is a transaction of its own

Outside of a transaction each costs a look at a context variable.
"""

from __future__ import annotations

import re
import weakref
from contextlib import AbstractContextManager, nullcontext
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from elasticapm.instrumentation.packages.base import AbstractInstrumentedModule
from elasticapm.instrumentation.packages.dbapi2 import extract_signature
from elasticapm.instrumentation.packages.redis import (
    RedisInstrumentation,
    RedisPipelineInstrumentation,
)
from elasticapm.instrumentation.packages.requests import RequestsInstrumentation
from elasticapm.traces import capture_span, execution_context

from webapp import policy
from webapp.db import statements
from webapp.outcome import Outcome
from webapp.signals import job_ran, served, upstream_called, upstream_calling

if TYPE_CHECKING:
    from collections.abc import Callable

    from webapp.telemetry.tracing.apm import Agent

GITHUB = "github"
_COMMENTS = re.compile(r"\A(?:\s*--[^\n]*\n)+\s*")
_NOTHING: AbstractContextManager[object] = nullcontext()


class _HitPathReads(AbstractInstrumentedModule):
    """Entries are read past redis-py's own way (cache/connection.py)."""

    name: Any = "forewarm_redis"
    instrument_list: Any = (("webapp.cache.connection", "Connection.read_many"),)

    def call(  # noqa: PLR0917 - the agent's signature
        self,
        module: str,  # noqa: ARG002
        method: str,  # noqa: ARG002
        wrapped: Callable[..., Any],
        instance: object,  # noqa: ARG002
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        """A span called MGET."""
        with _span("MGET", "db", "redis"):
            return wrapped(*args, **kwargs)


_INSTRUMENTED = (
    RequestsInstrumentation(),
    RedisInstrumentation(),
    RedisPipelineInstrumentation(),
    _HitPathReads(),
)
_agents: weakref.WeakSet[Agent] = weakref.WeakSet()


def instrument(agent: Agent) -> None:
    """Patch what is to be seen, once, and listen. Spans go to whose transaction they are in."""
    _agents.add(agent)
    for each in _INSTRUMENTED:
        each.instrument()
    upstream_calling.connect(_calling)
    upstream_called.connect(_called)
    served.connect(_served)
    job_ran.connect(_job_ran)


def forget(agent: Agent) -> None:
    """No background transactions of this agent from now on."""
    _agents.discard(agent)


def statement(sql: str) -> AbstractContextManager[object]:
    """Encloses a statement: called as its file is, else by its verb and table. Never its values."""
    if execution_context.get_transaction() is None or not sql.strip():
        return _NOTHING
    return _span(_named().get(sql) or _signature(sql), "db", "postgresql")


@lru_cache(maxsize=256)
def _signature(sql: str) -> str:
    return str(extract_signature(_COMMENTS.sub("", sql)))


def _span(name: str, kind: str, subtype: str) -> AbstractContextManager[object]:
    return capture_span(name, span_type=kind, span_subtype=subtype, span_action="query", leaf=True)


@cache
def _named() -> dict[str, str]:
    return {statements.load(name): name for name in statements.names()}


def outcome(*, failed: bool) -> str:
    """Elastic's word."""
    return "failure" if failed else "success"


def _calling(_: object, path: str) -> None:
    transaction = execution_context.get_transaction()
    name = _resource(path)
    if transaction is None:
        agent = next(iter(_agents), None)
        if agent is None:
            return
        transaction = agent.begin("background", f"GitHub {name}")
        if transaction is None:
            return
    if transaction.is_sampled:
        transaction.begin_span(f"GitHub {name}", "app", span_subtype=GITHUB, context={})


def _called(_: object, **what: Any) -> None:
    transaction = execution_context.get_transaction()
    if transaction is None:
        return
    status = int(what["status"])
    failed = status == 0 or status >= 500
    labels = {
        "resource": what.get("resource") or _resource(what["path"]),
        "lane": what.get("lane") or "",
        "outcome": _outcome(status).value,
        "status": status,
    }
    span = execution_context.get_span()
    if span is not None and span.subtype == GITHUB:
        span.label(**labels)
        transaction.end_span(outcome=outcome(failed=failed))
    if transaction.transaction_type == "background":
        # Whose eyes: what a caller's own token asked for isn't shown (assembly.py).
        transaction.label(**labels, **({"scope": what["scope"]} if what.get("scope") else {}))
        agent = transaction.tracer._agent
        agent.end(transaction, f"HTTP {status}", failed=failed)


def _outcome(status: int) -> Outcome:
    """What the mirror would make of it, in its word."""
    if status == 0 or status >= 500:
        return Outcome.ERROR
    return {200: Outcome.MISS, 304: Outcome.REVALIDATED}.get(status, Outcome.BYPASS)


def _resource(path: str) -> str:
    return policy.match(path).resource.name


def _served(_: object, **what: Any) -> None:
    transaction = execution_context.get_transaction()
    if transaction is None:
        return
    transaction.label(
        resource=what["resource"],
        outcome=what["outcome"],
        scope=what["scope"],
        cause=what["cause"],
    )


def _job_ran(_: object, **what: Any) -> None:
    transaction = execution_context.get_transaction()
    if transaction is not None and transaction.transaction_type == "messaging":
        transaction.result = what["result"]
        transaction.label(queue=what["queue"], outcome=what["result"], attempt=what["attempt"])
