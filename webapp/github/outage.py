"""Remembers that GitHub is down or slow, so that the old answer is given at once.

FAILURES calls in a row that GitHub couldn't answer open it; any answer closes it. While it is open
everyone is refused at once but one caller a PAUSE, who finds out; each time that fails the pause
doubles, up to PAUSE_MAX. One path that always fails among others that work opens nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

FAILURES = 3
PAUSE, PAUSE_MAX = 1.0, 8.0  # seconds: whatever fails, all is well 10 s after its end


class Outage:
    """Thread-safe. `clock` is monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._pause = PAUSE
        self._next_try = 0.0

    @property
    def state(self) -> str:
        """`down` once it is open, `up` otherwise."""
        return "down" if self._failures >= FAILURES else "up"

    def refuses(self) -> bool:
        """Whether to refuse this caller at once; False also makes it the one who finds out."""
        if self._failures < FAILURES:
            return False
        with self._lock:
            now = self._clock()
            if self._failures < FAILURES:
                return False
            if now < self._next_try:
                return True
            self._next_try = now + self._pause
            return False

    def failed(self) -> None:
        """GitHub couldn't answer."""
        with self._lock:
            self._failures += 1
            if self._failures > FAILURES:
                self._pause = min(PAUSE_MAX, self._pause * 2)
            if self._failures >= FAILURES:
                self._next_try = self._clock() + self._pause

    def answered(self) -> None:
        """GitHub answered, whatever it said."""
        if self._failures:
            with self._lock:
                self._failures, self._pause = 0, PAUSE
