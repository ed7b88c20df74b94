"""The Elastic agent: one a process, two sinks. All that knows it is here and in what is named here.

    request (web_traces.py), job (workers/tracing.py), call to GitHub outside of both
      └ transaction ─ spans (spans.py): requests, Redis, statements, calls to GitHub
          └ tee.py: scrubbed (events.py) ┬ PostgreSQL (traces.py): slow and failed ones, a sample
                                         └ an APM server, where ELASTIC_APM_SERVER_URL is set

ELASTIC_APM_* are the agent's own settings; DEFAULTS differ from its own where those would leak,
ask around or cost too much.
"""

from __future__ import annotations

import atexit
import os
import re
from collections.abc import Mapping
from multiprocessing.util import Finalize
from typing import Any

import elasticapm
from elasticapm.conf.constants import BASE_SANITIZE_FIELD_NAMES_UNPROCESSED as SANITIZED
from elasticapm.traces import DroppedSpan, Transaction, execution_context
from elasticapm.utils.disttracing import TraceParent, TracingOptions

from webapp.scrub import know
from webapp.secret import Secret
from webapp.telemetry.tracing import spans
from webapp.telemetry.tracing.spans import outcome
from webapp.telemetry.tracing.tee import Sink

SERVER_URL = "ELASTIC_APM_SERVER_URL"
EXIT_PRIORITY = 5  # after what is measured at the end, before connections close
SECRET_SETTINGS = ("ELASTIC_APM_SECRET_TOKEN", "ELASTIC_APM_API_KEY")

DEFAULTS: Mapping[str, object] = {
    "SERVICE_NAME": "forewarm",
    "CLOUD_PROVIDER": "none",  # asks three clouds' metadata servers otherwise
    "CENTRAL_CONFIG": False,  # polls the server otherwise
    "COLLECT_LOCAL_VARIABLES": "off",
    "CAPTURE_BODY": "off",
    "SANITIZE_FIELD_NAMES": [
        *SANITIZED,
        "*signature*",
        "*pat",
        "*cookie*",
        "*token*",
        "*password*",
    ],
    "USE_ELASTIC_TRACEPARENT_HEADER": False,
    "DISABLE_LOG_RECORD_FACTORY": True,
    "TRANSACTION_IGNORE_URLS": ["/healthz", "/readyz", "/metrics", "/static/*", "/favicon.ico"],
}
LOCAL_DEFAULTS: Mapping[str, object] = {
    # Nobody reads them without a server, and their thread would wake for nothing.
    "METRICS_INTERVAL": "0s",
    "METRICS_SETS": [],
    "BREAKDOWN_METRICS": False,
}

_TRACEPARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
_SAMPLE_RATE = re.compile(r"(?:^|,)\s*es=s:(0|1|0?\.\d{1,6}|1\.0{1,6})\s*(?:,|$)")


class Agent(elasticapm.Client):
    """One per process. `sink` gets every event; `dropped` and `unsent` count those that an APM
    server would have got."""

    def __init__(self, sink: Sink, *, version: str = "") -> None:
        """Starts its threads; forked children start their own."""
        self.sink = sink
        self.dropped = 0  # the queue was full
        self.unsent = 0  # the server didn't take them
        self._closed = False
        self._local = not os.environ.get(SERVER_URL, "").strip()
        know(map(Secret, _secrets(os.environ)))
        transport = "LocalOnly" if self._local else "ServerToo"
        elasticapm.base.CLIENT_SINGLETON = None  # or it warns of a second one, as tests have
        super().__init__(
            {
                **DEFAULTS,
                **(LOCAL_DEFAULTS if self._local else {}),
                "TRANSPORT_CLASS": f"webapp.telemetry.tracing.tee.{transport}",
                **({"SERVICE_VERSION": version} if version else {}),
            },
            framework_name="flask",
        )
        # A server's worker is a child of multiprocessing's, which runs no other exit functions.
        self._at_exit = Finalize(None, self.close, exitpriority=EXIT_PRIORITY)
        # It walks the stack for each span, also where no span is to have a stack trace.
        assert self.tracer is not None
        self.tracer.frames_collector_func = lambda: None
        if self.config.enabled and self.config.instrument:
            spans.instrument(self)

    def build_metadata(self) -> dict[str, Any]:
        """As the agent's own; nothing where nobody gets it: it asks a name server for our name."""
        return {} if self._local else super().build_metadata()  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Hand over what is left; takes a second for the server, and two and a half for
        PostgreSQL, at most. Once."""
        atexit.unregister(self.close)
        self._at_exit.cancel()
        if self._closed:
            return
        self._closed = True
        spans.forget(self)
        super().close()
        self.sink.stop()

    def begin(
        self, kind: str, name: str, headers: Mapping[str, str] | None = None
    ) -> Transaction | None:
        """This thread's transaction, in the trace that `headers` carry; None when not tracing."""
        execution_context.unset_span(clear_all=True)  # of one that never ended
        transaction: Transaction | None = self.begin_transaction(
            kind, trace_parent=_parent(headers or {})
        )
        if transaction is not None:
            transaction.name = name
        return transaction

    def end(self, transaction: Transaction, result: str, *, failed: bool) -> None:
        """End it, if it is this thread's present one."""
        if execution_context.get_transaction() is not transaction:
            return
        transaction.result = result
        transaction.outcome = outcome(failed=failed)
        self.end_transaction()  # type: ignore[no-untyped-call]

    def failed(self, error: BaseException, *, handled: bool) -> None:
        """Record an error of this thread's transaction."""
        seen = (type(error), error, error.__traceback__)
        self.capture_exception(exc_info=seen, handled=handled)  # type: ignore[no-untyped-call]


def carried() -> dict[str, str]:
    """What a job is to carry, so that it continues this thread's trace; {} without one.

    Not the agent's own header: that names the span that called us, not the present one.
    """
    transaction = execution_context.get_transaction()
    if transaction is None:
        return {}
    span = execution_context.get_span()
    while isinstance(span, DroppedSpan):
        span = span.parent
    parent = transaction.trace_parent.copy_from(
        span_id=span.id if span else transaction.id,
        trace_options=TracingOptions(recorded=transaction.is_sampled),
    )
    state = {"tracestate": parent.tracestate} if parent.tracestate else {}
    return {"traceparent": parent.to_string(), **state}


def _secrets(environ: Mapping[str, str]) -> list[str]:
    held = [environ[name] for name in SECRET_SETTINGS if environ.get(name)]
    url = environ.get(SERVER_URL, "")
    return [*held, url] if "@" in url else held


def _parent(headers: Mapping[str, str]) -> TraceParent | None:
    """The caller's trace, if what it says is sound: the agent takes any text for an id."""
    said = headers.get("traceparent", "")
    if not _TRACEPARENT.fullmatch(said):
        return None
    rate = _SAMPLE_RATE.search(headers.get("tracestate", "")[:512])
    return TraceParent.from_string(said, f"es=s:{rate[1]}" if rate else None)
