"""Natural batching: the first name goes at once, those that come while it flies go together next.

One flight at a time. Who comes first after it began leads the next: waits for it to land, lingers
while others keep coming or are on their way, and asks for all of them. Each name is asked for after
who wants it came, so no purge before that is missed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from webapp.cache.flight import Flight
from webapp.errors import ForewarmError, WaitedTooLong
from webapp.github.aliases import MOST
from webapp.github.asker import Asker
from webapp.github.batch import Batch
from webapp.github.session import DEADLINE
from webapp.shares import Shares

QUIET = 0.02  # seconds in which nobody came: the gathering is over
LINGER = 0.25  # seconds that it takes at most
LOOK_EVERY = 0.005  # seconds

Fetch = Callable[[Sequence[str], Asker, float], Batch]
"""Of names, for someone, in so many seconds."""


class _Flight(Flight[Batch]):
    """Names that are asked for together."""

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[str, None] = {}
        self.came_at = self.began


class Gathering:
    """One per process. Thread-safe."""

    def __init__(self, fetch: Fetch, shares: Shares) -> None:
        self._fetch = fetch
        self._shares = shares
        self._lock = threading.Lock()
        self._boarding: _Flight | None = None
        self._flying: _Flight | None = None
        self._landed_at = float("-inf")
        self._coming = 0
        self._mine = threading.local()

    @contextmanager
    def coming(self) -> Iterator[None]:
        """In it someone may come to ask: a gathering waits a little for them."""
        with self._lock:
            self._coming += 1
        self._mine.coming = True
        try:
            yield
        finally:
            self._came()

    def _came(self) -> None:
        if getattr(self._mine, "coming", False):
            self._mine.coming = False
            with self._lock:
                self._coming -= 1

    def ask(self, name: str, asker: Asker) -> Batch:
        """What became of all who were asked for together, this name among them.

        Who leads asks in their own name. Raises WaitedTooLong, and what `fetch` raises.
        """
        deadline = time.monotonic() + DEADLINE
        self._came()
        with self._lock:
            flight = self._boarding
            leading = flight is None
            if flight is None:
                flight = self._boarding = _Flight()
            flight.names[name] = None
            flight.came_at = time.monotonic()
        if leading:
            self._lead(flight, asker, deadline)
        elif not self._shares.wait(flight.wait, deadline - time.monotonic()):
            raise WaitedTooLong("a batch takes too long")
        if flight.failure:
            raise flight.failure
        assert flight.result is not None
        return flight.result

    def _lead(self, flight: _Flight, asker: Asker, deadline: float) -> None:
        try:
            if self._wait_for_the_one_before(deadline):
                self._linger(flight)
            with self._shares.fetching():
                with self._lock:
                    self._boarding, self._flying = None, flight
                left = deadline - time.monotonic()
                flight.result = self._fetch(list(flight.names), asker, left)
        except ForewarmError as error:
            flight.failure = error
        finally:
            with self._lock:
                if self._boarding is flight:
                    self._boarding = None
                if self._flying is flight:
                    self._flying = None
                self._landed_at = time.monotonic()
            if flight.result is None and flight.failure is None:
                flight.failure = WaitedTooLong("the batch came to nothing")  # a bug of its leader's
            flight.land()

    def _wait_for_the_one_before(self, deadline: float) -> bool:
        """Whether there was one, of late too: then others are about to come."""
        before = self._flying
        if before is None:
            return time.monotonic() - self._landed_at < LINGER
        if not self._shares.wait(before.wait, deadline - time.monotonic()):
            raise WaitedTooLong("the batch before takes too long")
        return True

    def _linger(self, flight: _Flight) -> None:
        end = time.monotonic() + LINGER
        while len(flight.names) < MOST and (now := time.monotonic()) < end:
            if not self._coming and now > flight.came_at + QUIET:
                return
            time.sleep(LOOK_EVERY)
