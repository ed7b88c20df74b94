"""Threads that hits don't need rest, and are back when something else than a hit wants one.

granian hands requests to as many threads as WEB_THREADS says, and Python runs one at a time. Under
a load of hits, which never wait, the others only take the GIL from each other: each request wakes
a thread or two for nothing, which costs as much as answering it. So while hits alone are served,
all but AWAKE threads rest. Whoever goes to do anything slower (a read from Redis, the application)
wakes one first, so there are always as many ready as before.

A thread can rest only when its answer is sent. granian sends what is a list inside its call of the
application, and drops the list behind that: `Last` is a list whose end is the rest's beginning.
Other servers drop it earlier or later, so their threads never rest.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from threading import get_ident
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

SERVER = "Granian"  # as SERVER_SOFTWARE calls it
AWAKE = 2
WINDOW = 0.1  # seconds in which the threads that serve hits are counted
LOOK_EVERY = 0.25  # seconds between a resting thread's looks whether hits are still served


class Resting:
    """One per process."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        """`clock` gives seconds, and is what `served` is told."""
        self._clock = clock
        self._serving: set[int] = set()
        self._window_ends = 0.0
        self._too_many = 0
        self._resting = 0
        self._wanted = threading.Semaphore(0)
        self._lock = threading.Lock()

    @property
    def resting(self) -> int:
        """How many threads rest."""
        return self._resting

    def served(self, now: float, environ: WSGIEnvironment) -> bool:
        """A hit was served from memory; whether this thread is to rest behind it."""
        if self._too_many > 0:
            return environ.get("SERVER_SOFTWARE") == SERVER and self._may_rest()
        self._serving.add(get_ident())
        if now >= self._window_ends:
            # A window that nobody closed in time is of threads that may be gone.
            if now < self._window_ends + WINDOW:
                self._too_many = len(self._serving) - AWAKE
            self._serving = set()
            self._window_ends = now + WINDOW
        return False

    def _may_rest(self) -> bool:
        with self._lock:
            if self._too_many <= 0:
                return False
            self._too_many -= 1
            self._resting += 1
            self._serving.discard(get_ident())
            return True

    def wanted(self) -> None:
        """This thread is about to do something that may take long: another is to be ready."""
        with self._lock:
            self._serving.discard(get_ident())
            if self._too_many > 0:
                self._too_many -= 1
            elif self._resting:
                self._resting -= 1
                self._wanted.release()

    def rest(self) -> None:
        """Until wanted, or hits are not served any more; `served` has said that it may."""
        while not self._wanted.acquire(timeout=LOOK_EVERY):
            if self._clock() < self._window_ends + LOOK_EVERY:
                continue
            with self._lock:
                if not self._wanted.acquire(blocking=False):
                    self._resting -= 1
            return


class Last(list[bytes]):
    """A hit's body, behind which its thread rests."""

    __slots__ = ("_resting",)

    def __init__(self, body: list[bytes], resting: Resting) -> None:
        super().__init__(body)
        self._resting = resting

    def __del__(self) -> None:
        self._resting.rest()
