"""An APM server for tests: a real HTTP server that speaks the intake protocol, version 2.

`faults()` says what of an event the protocol wouldn't take: the fields that every kind must have,
and their types.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

from tests.threaded import Threaded

Event = tuple[str, dict[str, Any]]

_ID, _TRACE = 16, 32  # hex digits
REQUIRED: Mapping[str, Mapping[str, Any]] = {
    "metadata": {"service": dict, "process": dict, "system": dict},
    "transaction": {
        "id": _ID,
        "trace_id": _TRACE,
        "type": str,
        "name": str,
        "duration": float,
        "timestamp": int,
        "span_count": dict,
        "outcome": str,
    },
    "span": {
        "id": _ID,
        "trace_id": _TRACE,
        "parent_id": _ID,
        "transaction_id": _ID,
        "type": str,
        "name": str,
        "duration": float,
        "timestamp": int,
    },
    "error": {"id": _TRACE, "timestamp": int, "exception": dict},
    "metricset": {"timestamp": int, "samples": dict},
}


class Intake(Threaded):
    """Answers `status` to every POST, keeping what came; `delay` seconds late."""

    def __init__(self, status: int = 202, delay: float = 0.0) -> None:
        self.status = status
        self.delay = delay
        self.events: list[Event] = []
        self.raw: list[bytes] = []
        self.asked: list[tuple[str, str, Mapping[str, str]]] = []
        taken = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                taken.asked.append(("GET", self.path, dict(self.headers)))
                self._answer(200, b'{"version": "8.15.0"}')

            def do_POST(self) -> None:
                taken.asked.append(("POST", self.path, dict(self.headers)))
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(taken.delay)
                if taken.status == 202:
                    taken.take(body)
                self._answer(taken.status, b"")

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_port}"
        super().__init__(server)

    def take(self, body: bytes) -> None:
        """A POST's body: gzip of a line an event, metadata first."""
        said = gzip.decompress(body)
        self.raw.append(said)
        for number, line in enumerate(said.splitlines()):
            ((kind, event),) = orjson.loads(line).items()
            assert (kind == "metadata") == (number == 0)
            self.events.append((kind, event))

    def of(self, kind: str, **fields: object) -> list[dict[str, Any]]:
        """Events of a kind that have these fields."""
        return [
            event
            for each, event in list(self.events)
            if each == kind and all(event.get(name) == value for name, value in fields.items())
        ]

    def wait(self, condition: Callable[[], object], what: str, seconds: float = 15.0) -> None:
        """Until the condition holds."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                kinds = [(kind, event.get("name")) for kind, event in self.events]
                raise AssertionError(f"no {what}; there is {kinds}")
            time.sleep(0.01)


def faults(kind: str, event: Mapping[str, Any]) -> list[str]:
    """What the protocol would refuse of an event; none for a sound one."""
    found = []
    for name, wanted in REQUIRED[kind].items():
        value = event.get(name)
        if isinstance(wanted, int):
            sound = isinstance(value, str) and len(value) == wanted and int(value, 16) >= 0
        elif wanted is float:
            sound = isinstance(value, int | float) and value >= 0
        else:
            sound = isinstance(value, wanted)
        if not sound:
            found.append(f"{kind}.{name} is {value!r}")
    if kind == "metadata":
        service = event.get("service", {})
        agent = service.get("agent", {})
        found += [
            f"service.{name}"
            for name, value in (("name", service.get("name")), *agent.items())
            if not value
        ]
    return found
