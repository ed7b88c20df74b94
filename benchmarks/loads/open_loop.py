"""At a fixed rate, whatever the server does: latencies from when a request was due, not sent.

A request that finds no connection idle waits for one, and its waiting counts: that is what a caller
would feel, and what a closed loop leaves out (coordinated omission). It runs as a process of its
own on the load core, and spins while a request is due within a millisecond; how late it was itself
(a request sent after it was due, though a connection was idle) is told beside.

    python -m benchmarks.loads.open_loop URL RATE SECONDS CONNECTIONS
"""

from __future__ import annotations

import gc
import re
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson

from benchmarks.loads.wrk import CLIENT, GZIP, LoadError
from benchmarks.serving import LOAD_CORE, ROOT, on_core

CONNECTIONS = 64
PATIENCE = 2.0
"""Seconds after the last request is due, when what isn't answered is given up."""
ON_TIME = 0.98
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


@dataclass(frozen=True, slots=True)
class Latencies:
    """Milliseconds from due to the last byte; `lag_ms` is the generator's own p99.

    `kept_up` is the share of requests that were answered before the last one was due, and
    `began` and `ended` bound it, on the monotonic clock.
    """

    requests: int
    p50: float
    p99: float
    p999: float
    worst: float
    kept_up: float
    lag_ms: float

    @property
    def saturated(self) -> bool:
        """Whether the server fell behind: then latencies tell how long it was asked, not it."""
        return self.kept_up < ON_TIME


def open_loop(
    url: str,
    rate: float,
    seconds: float,
    *,
    connections: int = CONNECTIONS,
    headers: Mapping[str, str] = GZIP,
) -> Latencies:
    """Ask for one URL so often. Raises LoadError where an answer isn't 200 or 304."""
    told = orjson.dumps({**CLIENT, **headers}).decode()
    command = [sys.executable, "-m", __name__, url, str(rate), str(seconds), str(connections), told]
    with on_core(LOAD_CORE):
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        raise LoadError(f"{url}: {done.stderr.decode()[-500:]}")
    return Latencies(**orjson.loads(done.stdout))


def percentile(ordered: Sequence[float], share: float) -> float:
    """Of values in order; 0 of none."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


class Generator:
    """Sends requests when they are due; `run` once."""

    def __init__(self, url: str, connections: int, headers: Mapping[str, str]) -> None:
        parts = urlsplit(url)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        self._request = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\n{lines}\r\n".encode()
        self._sockets = {}
        self._poll = select.epoll()
        for _ in range(connections):
            made = socket.create_connection((str(parts.hostname), int(parts.port or 80)), 10)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.setblocking(False)
            self._sockets[made.fileno()] = made
            self._poll.register(made.fileno(), select.EPOLLIN)
        self._idle = list(self._sockets)
        self._due: dict[int, float] = {}
        self._got: dict[int, bytes] = {}
        self._wanted: dict[int, int] = {}
        self.took: list[float] = []
        self.lags: list[float] = []
        self.in_time = 0

    def close(self) -> None:
        """Close all connections."""
        self._poll.close()
        for each in self._sockets.values():
            each.close()

    def run(self, rate: float, seconds: float) -> None:
        """Send and receive; what stays unanswered took until now."""
        total, sent = int(rate * seconds), 0
        waiting: deque[float] = deque()
        start = time.perf_counter() + 0.05
        end = start + total / rate
        while len(self.took) < total:
            now = time.perf_counter()
            while sent < total and start + sent / rate <= now:
                waiting.append(start + sent / rate)
                sent += 1
            while waiting and self._idle:
                self._send(waiting.popleft(), len(waiting))
            if now > end + PATIENCE:
                self.took += [now - due for due in (*self._due.values(), *waiting)]
                return
            soon = start + sent / rate - now
            self._receive(0.0 if soon < 0.002 or sent == total else soon - 0.001, end)

    def _send(self, due: float, queued: int) -> None:
        fd = self._idle.pop()
        self._due[fd] = due
        if not queued:
            self.lags.append(time.perf_counter() - due)
        if self._sockets[fd].send(self._request) != len(self._request):
            raise LoadError("a request didn't fit into an empty socket")

    def _receive(self, timeout: float, end: float) -> None:
        for fd, _ in self._poll.poll(timeout):
            data = self._sockets[fd].recv(262_144)
            if not data:
                raise LoadError("the server closed a connection")
            wanted = self._wanted.get(fd)
            if wanted is None:
                data = self._got.pop(fd, b"") + data
                split = data.find(b"\r\n\r\n")
                if split < 0:
                    self._got[fd] = data
                    continue
                wanted = self._length(data[: split + 2]) + split + 4
            wanted -= len(data)
            if wanted > 0:
                self._wanted[fd] = wanted
                continue
            self._wanted.pop(fd, None)
            now = time.perf_counter()
            self.took.append(now - self._due.pop(fd))
            self.in_time += now <= end
            self._idle.append(fd)

    def _length(self, head: bytes) -> int:
        """Of the body. Raises LoadError for another status than 200 and 304."""
        status = head[9:12]
        found = _LENGTH.search(head)
        if status == b"304":
            return 0
        if status != b"200" or found is None:
            raise LoadError(f"answered {head[:200]!r}")
        return int(found[1])


def main(url: str, rate: str, seconds: str, connections: str, headers: str) -> None:
    """Print the latencies as JSON."""
    generator = Generator(url, int(connections), orjson.loads(headers))
    gc.disable()
    generator.run(float(rate), float(seconds))
    took = sorted(1000 * each for each in generator.took)
    lags = sorted(1000 * each for each in generator.lags)
    found = {
        "requests": len(took),
        "p50": percentile(took, 0.5),
        "p99": percentile(took, 0.99),
        "p999": percentile(took, 0.999),
        "worst": took[-1],
        "kept_up": generator.in_time / len(took),
        "lag_ms": percentile(lags, 0.99),
    }
    sys.stdout.buffer.write(orjson.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
