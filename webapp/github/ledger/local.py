"""The ledger of one process: the rules of lua/, for when Redis is away.

What Redis last said of hours and pauses is mirrored here, so that an outage begins with it. Of
minutes and slots a process then takes its `share` at most: of the minute, of what was left of it
when Redis was last heard. With the default that is safe for eight processes on one credential;
more of them may meet the secondary limit, and then pause, each for itself. The hour needs no
share: each answer tells every process what is left.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy

from webapp.errors import OutOfBudget
from webapp.github.ledger.window import RING, Minute, Primary, exhausted_at
from webapp.github.limits import (
    RESERVES,
    Ending,
    Kind,
    Lane,
    Limits,
    Rules,
    Slot,
    assumed,
    kind_of,
)

SHARE = 1 / 8
MOST_CREDENTIALS = 1000  # callers' own tokens are as many as callers


class _Account:
    """What one credential has spent. The caller locks."""

    def __init__(self, rules: Rules) -> None:
        self.paused = 0.0
        self.strikes = 0
        self.windows: dict[str, Primary] = {}
        self.minutes: dict[Kind, Minute] = {
            "rest": Minute(rules.minute),
            "graphql": Minute(rules.minute),
        }
        self.in_flight: dict[Kind, int] = {"rest": 0, "graphql": 0}
        self.slots: dict[str, tuple[float, Slot]] = {}
        self.elsewhere: dict[Kind, tuple[float, int]] = {}
        """By kind: points in Redis's minute, and the moment from when they don't count."""

    def window(self, credential: str, resource: str, now: float) -> Primary:
        found = self.windows.get(resource)
        if found is None:
            found = self.windows[resource] = Primary(assumed(credential, resource), now)
        found.roll(now)
        return found

    def peek(self, credential: str, resource: str, now: float) -> Primary:
        """A copy: reading begins no window."""
        found = copy(self.windows.get(resource)) or Primary(assumed(credential, resource), now)
        found.roll(now)
        return found

    def end(self, slot: Slot, weight: int, now: float) -> bool:
        """Whether the slot was still held."""
        if self.slots.pop(slot.id, None) is None:
            return False
        kind = kind_of(slot.resource)
        self.in_flight[kind] -= slot.weight
        self.minutes[kind].add(now, weight)
        self.windows[slot.resource].pending -= slot.points
        return True

    def sweep(self, now: float) -> None:
        """Leases that ran out are taken as spent."""
        for until, slot in list(self.slots.values()):
            if until > now:
                break  # in the order of entering
            self.end(slot, slot.weight, now)
            self.windows[slot.resource].left -= slot.points


class LocalLedger:
    """As SharedLedger, in memory. Every method takes the moment."""

    def __init__(self, rules: Rules, share: float = SHARE) -> None:
        self._rules = rules
        self._share = share
        self._accounts: OrderedDict[str, _Account] = OrderedDict()
        self._lock = threading.Lock()
        self._carrying = threading.Lock()

    def enter(self, slot: Slot, now: float) -> None:
        """Raises OutOfBudget."""
        with self._lock:
            account = self._account(slot.credential)
            account.sweep(now)
            window = account.window(slot.credential, slot.resource, now)
            wait, reason = self._wait(account, window, slot, now)
            if wait > 0:
                raise OutOfBudget(now + wait, reason)
            account.slots[slot.id] = (now + self._rules.lease, slot)
            account.in_flight[kind_of(slot.resource)] += slot.weight
            window.pending += slot.points

    def leave(self, slot: Slot, ending: Ending, now: float) -> None:
        """Give the slot back, and learn."""
        with self._lock:
            account = self._account(slot.credential)
            window = account.window(slot.credential, slot.resource, now)
            ours = account.end(slot, ending.weight, now)
            told = ending.told
            if told is not None:
                window = account.window(slot.credential, told.resource, now)
                window.learn(told, now, spent=ending.points, refused=ending.refused)
            elif ours:
                window.spend(now, ending.points)
            if ending.succeeded and account.paused <= now:
                account.strikes = 0

    def pause(self, credential: str, until: float) -> None:
        """Until a moment, if that is later than now known."""
        with self._lock:
            account = self._account(credential)
            account.paused = max(account.paused, until)

    def refused(self, credential: str, stated: float | None, now: float) -> float:
        """A secondary limit: the moment until when it pauses, by the seconds GitHub stated."""
        rules = self._rules
        with self._lock:
            account = self._account(credential)
            if account.paused <= now:
                account.strikes = min(account.strikes + 1, 20)
                if stated is None:
                    stated = rules.first_pause * 2 ** (account.strikes - 1)
            wait = min(stated or 0.0, rules.longest_pause)
            account.paused = max(account.paused, now + wait)
            return account.paused

    def paused_until(self, credential: str) -> float:
        """0 for never."""
        with self._lock:
            account = self._accounts.get(credential)
            return account.paused if account else 0.0

    def choose(self, candidates: Sequence[str], resource: str, lane: Lane, now: float) -> str:
        """As lua/choose.lua."""
        with self._lock:
            ranks = []
            for place, credential in enumerate(candidates):
                account = self._account(credential)
                account.sweep(now)
                window = account.peek(credential, resource, now)
                ask = Slot("", credential, resource, lane, 1, 1)
                wait, _ = self._wait(account, window, ask, now)
                ranks.append((wait, window.pending - window.left, place))
            return candidates[min(ranks)[2]]

    def limits(self, credential: str, resource: str, now: float) -> Limits:
        """What is known or assumed."""
        with self._lock:
            window = self._account(credential).peek(credential, resource, now)
            left = max(0, window.left - window.pending)
            return Limits(window.limit, left, window.limit - left, window.reset, resource)

    def forecast(self, credential: str, resource: str, now: float) -> float | None:
        """As Budget.forecast."""
        with self._lock:
            window = self._account(credential).peek(credential, resource, now)
            left = window.left - window.pending
            return exhausted_at(left, window.reset, window.rate(now), now)

    def told(
        self, credential: str, resource: str, limits: tuple[int, int, int], now: float
    ) -> None:
        """Redis says (limit, left, reset) of a window that GitHub told."""
        with self._lock:
            self._account(credential).window(credential, resource, now).open(*limits)

    def spent_elsewhere(self, credential: str, kind: Kind, points: int, now: float) -> None:
        """Redis counts so many points in its rolling minute."""
        until = now + self._rules.minute * RING / (RING - 1)
        with self._lock:
            self._account(credential).elsewhere[kind] = (until, points)

    @contextmanager
    def debt(self, credential: str, kind: Kind, now: float) -> Iterator[int]:
        """Points of the minute spent here, to be carried over to Redis: forgotten here once the
        block has ended without an error. One thread carries them."""
        account = self._accounts.get(credential)
        minute = account.minutes[kind] if account else None
        # As good as always there is none.
        if minute is None or not minute.total or not self._carrying.acquire(blocking=False):
            yield 0
            return
        try:
            with self._lock:
                points = minute.at(now)
            yield points
            with self._lock:
                minute.forget(points)
        finally:
            self._carrying.release()

    def _account(self, credential: str) -> _Account:
        account = self._accounts.get(credential)
        if account is None:
            account = self._accounts[credential] = _Account(self._rules)
            if len(self._accounts) > MOST_CREDENTIALS:
                self._accounts.popitem(last=False)
        else:
            self._accounts.move_to_end(credential)
        return account

    def _wait(self, account: _Account, window: Primary, ask: Slot, now: float) -> tuple[float, str]:
        """Seconds, 0 for now, and what for: whatever takes longest."""
        rules, kind = self._rules, kind_of(ask.resource)
        waits = [
            (account.paused - now, "paused"),
            (window.seconds_to_wait(now, ask.points, RESERVES[ask.lane]), "hour"),
        ]
        minute = account.minutes[kind]
        until, elsewhere = account.elsewhere.get(kind, (0.0, 0))
        room = rules.most_points(kind, ask.lane) - (elsewhere if until > now else 0)
        over = minute.at(now) + account.in_flight[kind] + ask.weight - int(room * self._share)
        if over > 0:
            wait = minute.seconds_to_free(now, over)
            waits.append((max(wait, until - now) if elsewhere else wait, "minute"))
        if len(account.slots) >= max(1, int(rules.most_calls(ask.lane) * self._share)):
            waits.append((0.2, "slots"))
        wait, reason = max(waits, key=lambda one: one[0])
        return max(0.0, wait), reason
