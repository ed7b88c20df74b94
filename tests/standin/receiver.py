"""A receiver of webhooks, for tests: a real HTTP server that keeps what it was sent."""

from __future__ import annotations

import queue
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

from tests.threaded import Threaded


@dataclass(frozen=True, slots=True)
class Received:
    """One delivery; header names in lower case, the body as sent."""

    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> str:
        return self.headers["x-github-event"]

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.body)
        return found


class Receiver(Threaded):
    """Answers `status` to every POST."""

    def __init__(self, status: int = 202) -> None:
        received: queue.Queue[Received] = queue.Queue()
        self._received = received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                received.put(Received(headers, body))
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}/webhooks/github"
        super().__init__(server)

    def next(self, timeout: float = 5.0) -> Received:
        """The next delivery; queue.Empty where none comes in time."""
        return self._received.get(timeout=timeout)

    def some(self, count: int) -> list[Received]:
        return [self.next() for _ in range(count)]

    @property
    def waiting(self) -> int:
        """How many have come that were not asked for yet."""
        return self._received.qsize()
