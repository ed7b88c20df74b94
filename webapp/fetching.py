"""One shared fetch: flight in this process, lease across processes, GitHub, fill.

board the key's flight
  ├ follow: wait for its leader, take its result if no purge lies between
  └ lead:   acquire the lease (tag versions are snapshot before the fetch)
              ├ another process holds it: poll for its fill, take over when it is void
              └ ours: read again, ask GitHub, fill (or end the entry, or give the lease back)
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import Self

from webapp.cache.entry import Entry, State
from webapp.cache.flight import Flight, Flights, LeaseKeeper, untouched
from webapp.cache.keys import Scope, Target, entry_key
from webapp.cache.store import Lease, Read, Store
from webapp.errors import GitHubUnavailable, StoreUnavailable, WaitedTooLong
from webapp.github.answer import Answer
from webapp.github.asker import Asker
from webapp.github.client import Client
from webapp.github.entries import Finisher, nowhere, shows_private
from webapp.github.session import DEADLINE
from webapp.harvesting.harvest import Harvest
from webapp.outcome import Outcome
from webapp.policy import match
from webapp.shares import Shares

FOLLOW = 5.0  # seconds that a reader with nothing in hand waits for another's fetch
POLL_FROM, POLL_TO = 0.010, 0.050  # seconds between looks at another process's fetch


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller wants to read."""

    target: Target
    asker: Asker
    base_url: str
    key: str
    tags: tuple[str, ...]

    @classmethod
    def of(cls, target: Target, asker: Asker, base_url: str) -> Self:
        """With its key and tags, which follow from the rest."""
        key = entry_key(target, asker.scope, base_url)
        return cls(target, asker, base_url, key, match(target.path).tags)

    @property
    def scope(self) -> Scope:
        """Whose eyes."""
        return self.asker.scope


@dataclass(frozen=True, slots=True)
class Fetched:
    """An `entry`, stored or not, or else an `answer` to be passed on as it is."""

    outcome: Outcome
    status: int
    """What GitHub said, 304 included."""
    stored: bool = False
    entry: Entry | None = None
    answer: Answer | None = None

    @property
    def collapsed(self) -> Fetched:
        """The same, for one who waited for it."""
        return Fetched(Outcome.COALESCED, self.status, entry=self.entry, answer=self.answer)

    @property
    def shared(self) -> bool:
        """Whether followers may take it; a stream is its leader's alone."""
        return self.answer is None or self.answer.stream is None


class Fetcher:
    """One per process."""

    def __init__(
        self,
        store: Store,
        client: Client,
        finisher: Finisher,
        shares: Shares,
        harvest: Harvest,
    ) -> None:
        self._harvest = harvest
        self._shares = shares
        self._store = store
        self._client = client
        self._finisher = finisher
        self._flights: Flights[Fetched] = Flights()
        self._leases = LeaseKeeper(store)

    def fetch(self, wish: Wish, read: Read | None) -> Fetched:
        """GitHub's answer, ours or another's; `read` is what was found on arrival, if Redis is up.

        Raises GitHubUnavailable, WaitedTooLong.
        """
        arrived = time.monotonic()
        deadline = arrived + FOLLOW
        arrival = read
        while True:
            with self._flights.board(wish.key) as (flight, leading):
                if leading:
                    return self._lead(wish, read, flight, deadline)
            if not self._shares.wait(flight.wait, deadline - time.monotonic()):
                raise WaitedTooLong("another's fetch takes too long")
            if flight.failure:
                raise flight.failure
            result = flight.result
            if result and not result.shared:
                # Nobody can share a stream: queueing for the lead would only serialise them.
                return self._in_place(lambda: self._ask(wish, None, None))
            if result and _joins(read, arrived, flight):
                return result.collapsed
            read = self.read(wish)
            if arrival and read and read.entry and _filled_since(arrival, read):
                return Fetched(Outcome.COALESCED, read.entry.status, entry=read.entry)

    def refresh(self, wish: Wish, read: Read) -> None:
        """Fetch what nobody waits for, unless someone does already.

        Raises GitHubUnavailable, StoreUnavailable.
        """
        with self._flights.board(wish.key) as (flight, leading):
            if not leading:
                return
            lease, flight.versions = self._store.acquire(wish.key, wish.tags)
            if lease is None:
                return
            if _filled_since(read, self._store.read(wish.key, wish.tags)):
                # Another's refresh ended while this one was queued.
                self._store.release(lease)
                return
            flight.result = self._ask(wish, _validating(read), lease)
            if flight.result.answer:
                flight.result.answer.close()

    def read(self, wish: Wish) -> Read | None:
        """What Redis holds; None where it is away."""
        try:
            return self._store.read(wish.key, wish.tags)
        except StoreUnavailable:
            return None

    def _lead(
        self, wish: Wish, read: Read | None, flight: Flight[Fetched], deadline: float
    ) -> Fetched:
        try:
            flight.result = self._in_place(lambda: self._led(wish, read, flight, deadline))
        except (GitHubUnavailable, WaitedTooLong) as error:
            flight.failure = error
            raise
        return flight.result

    def _in_place(self, fetch: Callable[[], Fetched]) -> Fetched:
        """Fetch with a place among those who wait for GitHub; a stream keeps it to its end."""
        with ExitStack() as place:
            place.enter_context(self._shares.fetching())
            fetched = fetch()
            if fetched.answer and fetched.answer.stream:
                answer = replace(fetched.answer, place=place.pop_all())
                return replace(fetched, answer=answer)
            return fetched

    def _led(
        self, wish: Wish, read: Read | None, flight: Flight[Fetched], deadline: float
    ) -> Fetched:
        flight.versions, flight.began = (), time.monotonic()
        if read is None:
            return self._ask(wish, None, None)
        try:
            lease, found = self._lease(wish, read, deadline)
        except StoreUnavailable:
            flight.versions = read.versions  # it begins after that read
            return self._ask(wish, None, None)
        if found:
            flight.versions = found.versions
            return Fetched(Outcome.COALESCED, found.status, entry=found)
        flight.versions = lease.versions if lease else ()
        return self._ask(wish, _validating(read), lease)

    def _lease(
        self, wish: Wish, arrival: Read, deadline: float
    ) -> tuple[Lease | None, Entry | None]:
        """The lease, or the entry that another process has filled meanwhile."""
        pause = POLL_FROM
        while True:
            lease, _ = self._store.acquire(wish.key, wish.tags)
            now = self._store.read(wish.key, wish.tags)
            if _filled_since(arrival, now):
                if lease:
                    self._store.release(lease)
                return None, now.entry
            if lease:
                return lease, None
            if time.monotonic() > deadline:
                raise WaitedTooLong("another process's fetch takes too long")
            time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret
            pause = min(POLL_TO, pause * 2)

    def _ask(self, wish: Wish, held: Entry | None, lease: Lease | None) -> Fetched:
        """Ask GitHub and keep what it says, under the lease if there is one."""
        if lease is None:
            return self._conclude(wish, held, None)
        with self._leases.holding(lease, DEADLINE):
            try:
                return self._conclude(wish, held, lease)
            except BaseException:
                self._release(lease)
                raise

    def _conclude(self, wish: Wish, held: Entry | None, lease: Lease | None) -> Fetched:
        answer = self._client.get(wish.target, wish.asker, held)
        if wish.scope.kind == "public" and answer.body and shows_private(answer.body):
            self._client.forget(wish.target, wish.scope)
            answer = nowhere(answer)
        self._harvest.answer(wish.target.path, wish.scope, answer)
        if answer.status == 304 and held:
            entry = self._finisher.confirmed(held, answer, wish.target, wish.scope)
            stored = self._fill(lease, entry)
            return Fetched(Outcome.REVALIDATED, 304, stored, entry)
        if self._finisher.storable(answer, wish.target):
            entry = self._finisher.entry(answer, wish.target, wish.scope, wish.base_url)
            stored = self._fill(lease, entry)
            outcome = Outcome.REVALIDATED if answer.confirmed else Outcome.MISS
            return Fetched(outcome, answer.upstream_status, stored, entry)
        if answer.ending or answer.negative:
            self._end(lease)
        elif lease:
            self._release(lease)
        return Fetched(Outcome.BYPASS, answer.upstream_status, answer=answer)

    # Redis may fail at any moment; what was fetched is served all the same.

    def _fill(self, lease: Lease | None, entry: Entry) -> bool:
        try:
            return lease is not None and self._store.fill(lease, entry, time.time())
        except StoreUnavailable:
            return False

    def _end(self, lease: Lease | None) -> None:
        with suppress(StoreUnavailable):
            if lease:
                self._store.end(lease)

    def _release(self, lease: Lease) -> None:
        with suppress(StoreUnavailable):
            self._store.release(lease)


def _validating(read: Read | None) -> Entry | None:
    """The held entry, if its validators may be asked with: not after a hard purge."""
    if read is None or read.entry is None:
        return None
    state = read.entry.state(read.versions, time.time())
    return None if state is State.DEAD else read.entry


def _joins(read: Read | None, arrived: float, flight: Flight[Fetched]) -> bool:
    """Whether no purge lies between a reader's arrival and a flight's fetch.

    Tags tell. Where Redis has lost them, or is away, nobody does: only a flight that began after
    the reader had come will do.
    """
    if read is None:
        return flight.versions == () and flight.began >= arrived
    if None in read.versions and flight.began < read.at:
        return False
    return untouched(read.versions, flight.versions)


def _filled_since(arrival: Read, now: Read) -> bool:
    """Whether someone has filled since this reader came, from a fetch that no purge made void.

    Periods don't matter: one fetch serves all who waited for it, also where it is fresh for 0 s.
    """
    if now.entry is None or (arrival.entry and now.entry.fill_id == arrival.entry.fill_id):
        return False
    snapshot = now.entry.versions
    return untouched(arrival.versions, snapshot) or snapshot == now.versions
