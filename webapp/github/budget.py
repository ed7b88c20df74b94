"""GitHub's rate limit, spent by every process from one ledger (DESIGN.md section 7).

    slot = budget.enter(credential, "core", Lane.WARMING)     # or OutOfBudget: when, and why
    try:     response = ask GitHub
    finally: budget.leave(slot, status=…, headers=…, points=…)

A call is let in when hour, minute and slots allow, all lanes together, and its lane's reserve is
left in each. A rolling minute counts a call from entering until a minute after leaving, so that no
minute of GitHub's ever holds more, wherever in between the call arrived there. A credential is
only ever an opaque id; tokens of one account share GitHub's limits, and so should an id.

While Redis is away each process keeps to a share (ledger/local.py), and is back by itself.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from webapp.cache.connection import Connection
from webapp.errors import OutOfBudget, StoreUnavailable
from webapp.github.ledger.local import MOST_CREDENTIALS, SHARE, LocalLedger
from webapp.github.ledger.shared import Clock, SharedLedger, State
from webapp.github.ledger.window import exhausted_at
from webapp.github.limits import Kind, Lane, Limits, Rules, Slot, ending, kind_of, stated_pause

__all__ = ["Budget", "Lane", "Limits", "Rules", "Slot"]
_RULES = Rules()


class Budget:
    """One per process. Only `enter` refuses; nothing here raises StoreUnavailable or sleeps."""

    def __init__(
        self,
        connection: Connection,
        *,
        clock: Clock | None = None,
        rules: Rules = _RULES,
        share: float = SHARE,
    ) -> None:
        """`clock` gives Unix seconds, for tests; without one Redis's counts. `share` is what this
        process takes of minute and slots while Redis is away."""
        self._now = clock or time.time
        self._longest_pause = rules.longest_pause
        self._shared = SharedLedger(connection, rules, clock)
        self._local = LocalLedger(rules, share)
        self._unsaid: set[str] = set()  # credentials paused while Redis was away
        self._heard: dict[tuple[str, str], float] = {}

    def enter(
        self, credential: str, resource: str, lane: Lane, points: int = 1, *, weight: int = 1
    ) -> Slot:
        """Let a call in. `points` is what it may cost of the hour (a GraphQL query's estimate),
        `weight` what it costs of the minute: 1 for a read or a query, 5 for a write or a mutation.

        Raises OutOfBudget.
        """
        slot = Slot(secrets.token_hex(8), credential, resource, lane, points, weight)
        now, kind = self._now(), kind_of(resource)
        try:
            self._say_pause(credential, now)
            with self._local.debt(credential, kind, now) as debt:
                decision = self._shared.enter(slot, now, debt, lambda: self._pause_left(credential))
        except StoreUnavailable:
            decision = None
        if decision is None:
            slot = replace(slot, local=True)
            self._local.enter(slot, now)
            return slot
        self._local.spent_elsewhere(credential, kind, decision.in_minute, now)
        if decision.wait:
            if decision.reason == "paused":
                self._local.pause(credential, now + decision.wait)
            raise OutOfBudget(now + decision.wait, decision.reason)
        return slot

    def leave(self, slot: Slot, *, status: int, headers: Mapping[str, str], points: int) -> None:
        """The call has ended: `status` 0 without an answer, `headers` by names in any case,
        `points` 0 for a 304 that was free. What the headers tell goes before `points`."""
        how = ending(slot, status, headers, points)
        now = self._now()
        if slot.local:
            self._local.leave(slot, how, now)
            return
        try:
            state = self._shared.leave(slot, how)
        except StoreUnavailable:
            # The slot's lease ends it there; here at least the hour is learnt.
            self._local.leave(slot, how, now)
            return
        resource = how.told.resource if how.told else slot.resource
        self._hear(slot.credential, resource, state, now, kind_of(slot.resource))

    def pause(self, credential: str, until: float) -> None:
        """Let nothing of a credential in until a moment, an hour ahead at most, in any process."""
        now = self._now()
        seconds = min(until - now, self._longest_pause)
        self._local.pause(credential, now + seconds)
        try:
            self._shared.pause(credential, seconds, refused=False)
        except StoreUnavailable:
            self._unsaid.add(credential)

    def refused(self, credential: str, headers: Mapping[str, str]) -> float:
        """GitHub answered with a secondary limit: pause the credential for every process.

        For as long as Retry-After says, else until the reset where nothing remains, else for a
        minute, doubling with each refusal after a pause until a call succeeds; an hour at most.
        The moment to come back.
        """
        now = self._now()
        stated = stated_pause(headers, now)
        try:
            until = now + self._shared.pause(credential, stated, refused=True)
        except StoreUnavailable:
            self._unsaid.add(credential)
            return self._local.refused(credential, stated, now)
        self._local.pause(credential, until)
        return until

    def paused_until(self, credential: str) -> float:
        """The moment a pause ends; one that has passed, or 0, where there is none."""
        try:
            paused = self._shared.read(credential, "core").paused
        except StoreUnavailable:
            return self._local.paused_until(credential)
        return self._now() + paused if paused else 0.0

    def choose(self, candidates: Sequence[str], resource: str, lane: Lane) -> str:
        """The one with most left among those that may call now, else the one that may soonest.

        One round trip, none where there is no choice. ValueError without candidates.
        """
        if not candidates:
            raise ValueError("no credential to choose from")
        if len(candidates) == 1:
            return candidates[0]
        try:
            return self._shared.choose(candidates, resource, lane)
        except StoreUnavailable:
            return self._local.choose(candidates, resource, lane, self._now())

    def limits(self, credential: str, resource: str, *, within: float = 0.0) -> Limits:
        """As GitHub's headers would say it, with what is in flight spent already.

        What this process heard at most `within` seconds ago saves the round trip.
        """
        now = self._now()
        if now - self._heard.get((credential, resource), -within) >= within:
            try:
                state = self._shared.read(credential, resource)
            except StoreUnavailable:
                return self._local.limits(credential, resource, now)
            self._hear(credential, resource, state, now)
            left = min(state.limit, max(0, state.left))
            return Limits(state.limit, left, state.limit - left, state.reset, resource)
        return self._local.limits(credential, resource, now)

    def forecast(self, credential: str, resource: str) -> float | None:
        """The moment when nothing will remain, at the rate of the last ten minutes (whoever spent
        it); None where the reset comes first."""
        now = self._now()
        try:
            state = self._shared.read(credential, resource)
        except StoreUnavailable:
            return self._local.forecast(credential, resource, now)
        return exhausted_at(state.left, state.reset, state.rate, now)

    def _hear(
        self, credential: str, resource: str, state: State, now: float, kind: Kind | None = None
    ) -> None:
        """Remember what Redis says, for when it doesn't."""
        if state.sure:
            self._local.told(credential, resource, (state.limit, state.left, state.reset), now)
            if len(self._heard) > MOST_CREDENTIALS:
                self._heard.clear()
            self._heard[credential, resource] = now
        if state.paused:
            self._local.pause(credential, now + state.paused)
        if kind is not None:
            self._local.spent_elsewhere(credential, kind, state.in_minute, now)

    def _pause_left(self, credential: str) -> float:
        return max(0.0, self._local.paused_until(credential) - self._now())

    def _say_pause(self, credential: str, now: float) -> None:
        """A pause that Redis didn't hear of."""
        if credential in self._unsaid:
            self._shared.pause(
                credential, self._local.paused_until(credential) - now, refused=False
            )
            self._unsaid.discard(credential)
