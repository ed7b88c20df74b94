"""How many of a process's threads may wait for what, so that slow misses never starve hits.

    half       may wait for GitHub
    a quarter  may read a request's body
    a quarter  stays free: while fewer are, nobody waits for another longer than BRIEFLY

Whoever finds no room gets the old answer, or a 503 at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from werkzeug.wsgi import ClosingIterator

from webapp.errors import WaitedTooLong

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BRIEFLY = 0.5  # seconds
LOOK_EVERY = 0.05  # seconds


class Shares:
    """One per process, for its `threads` (WEB_THREADS)."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._quarter = max(1, threads // 4)
        self._busy = 0
        self._lock = threading.Lock()
        self._fetches = threading.Semaphore(max(1, threads // 2))
        self._bodies = threading.Semaphore(self._quarter)

    @property
    def roomy(self) -> bool:
        """Whether at least a quarter of the threads is free."""
        return self._threads - self._busy >= self._quarter

    @contextmanager
    def fetching(self) -> Iterator[None]:
        """A place among those who wait for GitHub; WaitedTooLong where there is none soon."""
        deadline = time.monotonic() + BRIEFLY
        while not self._fetches.acquire(timeout=LOOK_EVERY if self.roomy else 0):
            if not self.roomy or time.monotonic() > deadline:
                raise WaitedTooLong("every thread that may wait for GitHub does")
        try:
            yield
        finally:
            self._fetches.release()

    @contextmanager
    def reading_body(self) -> Iterator[None]:
        """A place among those who read a request's body; WaitedTooLong where there is none."""
        if not self._bodies.acquire(blocking=False):
            raise WaitedTooLong("every thread that may read a body does")
        try:
            yield
        finally:
            self._bodies.release()

    def wait(self, landed: Callable[[float], bool], seconds: float) -> bool:
        """Wait for another's fetch: `landed` waits so many seconds and says whether it came."""
        began = time.monotonic()
        while (waited := time.monotonic() - began) < seconds:
            if waited > BRIEFLY and not self.roomy:
                return False
            if landed(min(LOOK_EVERY, seconds - waited)):
                return True
        return landed(0)

    def counting(self, app: WSGIApplication) -> WSGIApplication:
        """A WSGI middleware that knows how many threads are busy, until an answer is sent."""

        def counted(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            self._count(1)
            try:
                body = app(environ, start_response)
            except BaseException:
                self._count(-1)
                raise
            return ClosingIterator(body, lambda: self._count(-1))

        return counted

    def _count(self, change: int) -> None:
        with self._lock:
            self._busy += change
