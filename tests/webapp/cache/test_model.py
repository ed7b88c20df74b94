"""Entry, tags and leases on a real Valkey against a simple model of what they mean.

The model knows nothing of versions: it remembers for each tag how often it was purged, and for each
fetch how often its tags had been when it began.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from tests.webapp.cache.test_entry import ENTRY
from webapp.cache.entry import State
from webapp.cache.keys import lease_key, tag_key
from webapp.cache.store import Lease, Store

KEYS = {
    "fw:e:1:service:one": ("repo:a/one", "owner:a", "all"),
    "fw:e:1:service:list": ("repos:a", "owner:a", "all"),
}
TAGS = sorted({tag for tags in KEYS.values() for tag in tags})
FRESH, STALE, GRACE = 100.0, 50.0, 1_000.0

seldom = st.integers(0, 5).map(lambda number: number == 5)
"""Else losses would end everything before it could matter."""


@dataclass(frozen=True)
class Purges:
    """Of an entry's tags, as counted when its fetch began."""

    hard: tuple[int, ...]
    soft: tuple[int, ...]


@dataclass
class Fetch:
    """One that holds, or held, a lease; `may_fill` until a successor has filled or it ended."""

    lease: Lease
    began: Purges
    number: int


@dataclass
class Held:
    """What should lie in Redis for a key."""

    number: int
    began: Purges
    stored_at: float
    negative: bool


@dataclass
class Model:
    """The truth by simple means."""

    now: float = 1_000.0
    hard: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TAGS, 0))
    soft: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TAGS, 0))
    entries: dict[str, Held] = field(default_factory=dict)
    # The lease's holder, and those it was taken over from, latest first.
    holders: dict[str, list[Fetch]] = field(default_factory=dict)

    def purges(self, key: str) -> Purges:
        tags = KEYS[key]
        return Purges(tuple(self.hard[t] for t in tags), tuple(self.soft[t] for t in tags))

    def state(self, key: str) -> State | None:
        held = self.entries.get(key)
        if held is None:
            return None
        present, age = self.purges(key), self.now - held.stored_at
        fresh, stale, grace = (60.0, 0.0, 0.0) if held.negative else (FRESH, STALE, GRACE)
        if age >= fresh + stale + grace or present.hard != held.began.hard:
            return State.DEAD
        if present.soft != held.began.soft:
            return State.DEAD if held.negative else State.PURGED
        if age < fresh:
            return State.FRESH
        return State.STALE if age < fresh + stale else State.GRACE


class Machine(RuleBasedStateMachine):
    """Each step is done to the store and to the model; what both say must agree."""

    store: Store
    fetches = Bundle("fetches")

    def __init__(self) -> None:
        super().__init__()
        self.store.backend.connection.flushdb()
        self.model = Model()
        self.numbers = 0

    # Fetches

    @rule(target=fetches, key=st.sampled_from(sorted(KEYS)))
    def acquire(self, key: str) -> Fetch | MultipleResults[Fetch]:
        lease, _ = self.store.acquire(key, KEYS[key])
        holders = self.model.holders.get(key, [])
        began = self.model.purges(key)
        free = not holders or holders[0].began != began
        assert (lease is not None) == free
        if lease is None:
            return multiple()
        self.numbers += 1
        fetch = Fetch(lease, began, self.numbers)
        self.model.holders[key] = [fetch, *holders]
        return fetch

    @rule(fetch=fetches, negative=seldom)
    def fill(self, fetch: Fetch, negative: bool) -> None:
        now = self.model.now
        ends = (60.0, 60.0, 60.0) if negative else (FRESH, FRESH + STALE, FRESH + STALE + GRACE)
        entry = replace(
            ENTRY,
            status=404 if negative else 200,
            stored_at=now,
            fresh_until=now + ends[0],
            stale_until=now + ends[1],
            grace_until=now + ends[2],
            body=b"%d" % fetch.number,
        )
        stored = self.store.fill(fetch.lease, entry, now)
        assert stored == self._ends(fetch)
        if stored:
            held = Held(fetch.number, fetch.began, now, negative)
            self.model.entries[fetch.lease.key] = held

    @rule(key=st.sampled_from(sorted(KEYS)), back=st.integers(0, 2), negative=seldom)
    def fill_under_way(self, key: str, back: int, negative: bool) -> None:
        """By the lease's holder, or one that it was taken over from."""
        holders = self.model.holders.get(key, [])
        if back < len(holders):
            self.fill(holders[back], negative)

    @rule(key=st.sampled_from(sorted(KEYS)), again=st.booleans())
    def purge_under_way(self, key: str, again: bool) -> None:
        """A soft purge of what is being fetched; who comes next takes the lease over."""
        if key in self.model.holders:
            self.purge([KEYS[key][0]], hard=False)
            if again:
                self.acquire(key)

    @rule(fetch=fetches, really=seldom)
    def end(self, fetch: Fetch, really: bool) -> None:
        if not really:
            return
        ended = self.store.end(fetch.lease)
        assert ended == self._ends(fetch)
        if ended:
            self.model.entries.pop(fetch.lease.key, None)

    def _ends(self, fetch: Fetch) -> bool:
        """Whether this fetch's result still counts; it gives its lease back."""
        key = fetch.lease.key
        holders = self.model.holders.get(key, [])
        if fetch not in holders:
            return False
        allowed = fetch.began.hard == self.model.purges(key).hard
        if fetch is holders[0]:
            del self.model.holders[key]
        return allowed

    @rule(fetch=fetches, really=seldom)
    def release(self, fetch: Fetch, really: bool) -> None:
        if not really:
            return
        holders = self.model.holders.get(fetch.lease.key, [])
        ours = bool(holders) and holders[0] is fetch
        assert self.store.release(fetch.lease) == ours
        if ours:
            del self.model.holders[fetch.lease.key]

    @rule(fetch=fetches)
    def renew(self, fetch: Fetch) -> None:
        holders = self.model.holders.get(fetch.lease.key, [])
        assert self.store.renew(fetch.lease) == (bool(holders) and holders[0] is fetch)

    @rule(key=st.sampled_from(sorted(KEYS)), really=seldom)
    def lease_expires(self, key: str, really: bool) -> None:
        if not really:
            return
        self.store.backend.connection.delete(lease_key(key))
        self.model.holders.pop(key, None)

    # Purges, losses, time

    @rule(
        tags=st.lists(st.sampled_from(TAGS), min_size=1, max_size=3, unique=True),
        hard=seldom,
    )
    def purge(self, tags: list[str], hard: bool) -> None:
        assert self.store.purge(tags, hard=hard) == len(tags)
        for tag in tags:
            (self.model.hard if hard else self.model.soft)[tag] += 1

    @rule(really=seldom)
    def flush(self, really: bool) -> None:
        if not really:
            return
        self.store.backend.connection.flushdb()
        self.model.entries.clear()
        self.model.holders.clear()
        self._lose(TAGS)

    @rule(tag=st.sampled_from(TAGS), really=seldom)
    def evict_a_tag(self, tag: str, really: bool) -> None:
        """Whatever carried it is dead, and a fetch under way is void."""
        if not really:
            return
        self.store.backend.connection.delete(tag_key(tag))
        self._lose([tag])

    def _lose(self, tags: list[str]) -> None:
        for tag in tags:
            self.model.hard[tag] += 1

    @rule(seconds=st.sampled_from([0.0, 1.0, 1.0, 59.0, 100.0, 1_000.0]))
    def time_passes(self, seconds: float) -> None:
        self.model.now += seconds

    @invariant()
    def what_is_read_is_what_should_be(self) -> None:
        for key, tags in KEYS.items():
            read = self.store.read(key, tags)
            state = read.entry.state(read.versions, self.model.now) if read.entry else None
            expected = self.model.state(key)
            if expected is not State.DEAD or state is not None:
                assert state == expected
            if read.entry and state is not State.DEAD:
                assert read.entry.body == b"%d" % self.model.entries[key].number


def test_entries_tags_and_leases_are_worth_what_a_simple_model_says(store: Store) -> None:
    machine = type("MachineOnThisStore", (Machine,), {"store": store})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=5_000 if os.environ.get("FOREWARM_LONG") else 200,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            database=None,
        ),
    )
