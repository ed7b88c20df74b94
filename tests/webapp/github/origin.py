"""An HTTP/1.1 server whose answers a test writes byte by byte, for what the stand-in doesn't do.

    with Origin(lambda asked: [reply(b"{}")]) as origin: ...

An answer is an iterable of pieces, each sent at once; one that waits between two pieces is a slow
server. After the last piece the connection is kept, unless the iterable raises Hangup.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

JSON = "application/json; charset=utf-8"


class Hangup(Exception):
    """Raised by an answer: close the connection here."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request's head; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]


Answering = Callable[[Asked], Iterable[bytes]]


def head(status: str = "200 OK", **headers: str) -> bytes:
    """A status line and headers, underscores standing for dashes; nothing is added."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode()


def reply(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    """A whole answer, JSON unless its headers say otherwise."""
    headers = {"Content_Type": JSON, "Content_Length": str(len(body)), **headers}
    return head(status, **headers) + body


class Origin:
    """`asked`, `connections` and `closed` (by us) tell what happened; they only grow."""

    def __init__(self, answering: Answering) -> None:
        self.answering = answering
        self.asked: list[Asked] = []
        self.connections = 0
        self.closed = 0
        self.over = threading.Event()
        """Set at the end: what a slow answer waits for between two pieces."""
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(OSError, Hangup), connection, connection.makefile("rb") as lines:
            while asked := _read(lines.readline):
                self.asked.append(asked)
                for piece in self.answering(asked):
                    connection.sendall(piece)
        self.closed += 1


class Slow:
    """An answering that holds each call until it is released, in whatever order."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._answers: dict[int, bytes] = {}
        self._waited_for = 0
        self.calls = 0

    def __call__(self, _: Asked) -> Iterator[bytes]:
        with self._changed:
            number = self.calls
            self.calls += 1
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: number in self._answers, 20)
        yield self._answers[number]

    def wait_for_call(self) -> None:
        """Until one more call than the last time is held."""
        with self._changed:
            self._waited_for += 1
            assert self._changed.wait_for(lambda: self.calls >= self._waited_for, 10)

    def release(self, number: int, answer: bytes) -> None:
        """Answer the call that comes, or came, as the `number`th, from 0."""
        with self._changed:
            self._answers[number] = answer
            self._changed.notify_all()


def _read(line: Callable[[], bytes]) -> Asked | None:
    first = line().decode("latin-1").split()
    if len(first) != 3:
        return None
    headers = {}
    while text := line().decode("latin-1").strip():
        name, _, value = text.partition(":")
        headers[name.lower()] = value.strip()
    return Asked(first[0], first[1], headers)
