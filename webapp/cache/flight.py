"""One fetch however many ask: a flight per key inside a process, a lease across processes.

A follower takes a flight's result only if no purge lies between its own arrival and the flight's
fetch: the tag versions it read on arrival must be those of the flight's snapshot. It doesn't
inherit a failure blindly: only the verdict "GitHub can't be reached" is everybody's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from webapp.cache.entry import Versions
from webapp.cache.store import RENEW_EVERY, Lease, Store
from webapp.errors import StoreUnavailable
from webapp.lasting import lasting

T = TypeVar("T")


class Flight(Generic[T]):
    """A fetch under way. `versions` is the snapshot that its fetch began with, once known; it
    was taken after `began` (monotonic)."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.versions: Versions | None = None
        self.result: T | None = None
        self.failure: Exception | None = None
        self._landed = threading.Event()

    def wait(self, seconds: float) -> bool:
        """Whether it landed in time."""
        return self._landed.wait(max(0.0, seconds))

    def land(self) -> None:
        """Let the followers go on."""
        self._landed.set()


class Flights(Generic[T]):
    """This process's flights, by key."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight[T]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def board(self, key: str) -> Iterator[tuple[Flight[T], bool]]:
        """The key's flight and whether the caller leads it; a leader's flight lands on leaving."""
        with self._lock:
            flight = self._flights.get(key)
            leading = flight is None
            if flight is None:
                flight = self._flights[key] = Flight()
        if not leading:
            yield flight, False
            return
        try:
            yield flight, True
        finally:
            with self._lock:
                if self._flights.get(key) is flight:
                    del self._flights[key]
            flight.land()

    def __len__(self) -> int:
        return len(self._flights)


def untouched(arrival: Versions, snapshot: Versions | None) -> bool:
    """Whether no purge lies between an arrival and a snapshot taken before a fetch.

    A tag that was missing on arrival was carried by nothing; a purge would have created it.
    """
    if snapshot is None or len(arrival) != len(snapshot):
        return False
    return all(
        mine is None or mine == theirs for mine, theirs in zip(arrival, snapshot, strict=True)
    )


class LeaseKeeper:
    """Renews the leases of fetches under way every RENEW_EVERY seconds, until their deadline."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._until: dict[Lease, float] = {}
        self._lock = threading.Lock()
        self._awake = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None

    @contextmanager
    def holding(self, lease: Lease, seconds: float) -> Iterator[None]:
        """Keep the lease for a fetch of at most `seconds`; a hung one isn't kept for ever."""
        with self._lock:
            self._until[lease] = time.monotonic() + seconds
            if self._thread is None or not self._thread.is_alive():
                # Also after a fork, where the parent's thread is gone.
                self._thread = lasting(self._renew, "leases")
            self._awake.notify()
        try:
            yield
        finally:
            with self._lock:
                self._until.pop(lease, None)

    def _renew(self) -> None:
        while True:
            with self._lock:
                while not self._until:
                    self._awake.wait()
            time.sleep(RENEW_EVERY)
            with self._lock:
                now = time.monotonic()
                due = [lease for lease, until in self._until.items() if until > now]
            for lease in due:
                try:
                    self._store.renew(lease)
                except StoreUnavailable:
                    break
