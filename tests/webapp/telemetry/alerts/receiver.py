"""A real HTTP receiver of alerts whose answers can be changed, and which can go away and return."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

from tests.threaded import Threaded


@dataclass(frozen=True, slots=True)
class Post:
    """One request; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.body)
        return found

    @property
    def said(self) -> tuple[str, list[str]]:
        """The message's status, and each alert as rule:status."""
        alerts = [f"{each['labels']['alertname']}:{each['status']}" for each in self.json["alerts"]]
        return self.json["status"], alerts


class AlertReceiver(Threaded):
    """Answers `status` with `headers` to every POST; what it accepted is in `posts`, what it
    refused in `refused`."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.headers: dict[str, str] = {}
        self.posts: list[Post] = []
        self.refused: list[Post] = []
        self.followed = 0
        self.came = threading.Condition()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                post = Post(self.path, headers, body)
                status = outer.status
                with outer.came:
                    (outer.posts if status < 300 else outer.refused).append(post)
                    outer.came.notify_all()
                self.send_response(status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                with outer.came:
                    outer.followed += 1
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

        server = Server(("127.0.0.1", 0), Handler)
        super().__init__(server)
        self.url = f"http://127.0.0.1:{server.server_port}/alerts/secret-path-of-the-hook"

    def wait_for(self, count: int, seconds: float = 10.0) -> list[Post]:
        """The first `count` posts; AssertionError where they don't come in time."""
        with self.came:
            assert self.came.wait_for(lambda: len(self.posts) >= count, seconds), self.posts
            return self.posts[:count]
