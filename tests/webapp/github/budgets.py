"""A clock that tests turn, answers' headers, and budgets over Redis or without it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Mapping

from requests.structures import CaseInsensitiveDict

from webapp.cache.connection import Connection
from webapp.errors import OutOfBudget
from webapp.github.budget import Budget, Lane, Rules, Slot
from webapp.secret import Secret

NOW = 1_800_000_000.0
RESET = int(NOW) + 3000
CREDENTIAL = "5e1f0ca9"
AWAY = Connection(Secret("redis://127.0.0.1:1/0"), size=1)
"""Nothing listens there."""
CHILDREN = multiprocessing.get_context("forkserver")
"""Processes that share nothing with the test's own, yet start fast."""
CHILDREN.set_forkserver_preload(
    [f"{__package__}.test_budget_processes", f"{__package__}.test_budget_standin"]
)


class Clock:
    """Unix seconds that stand still between two turns."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def turn(self, seconds: float) -> None:
        self.now += seconds


def told(
    remaining: int, reset: int = RESET, limit: int = 5000, resource: str = "core"
) -> Mapping[str, str]:
    """The headers of an answer, as `requests` gives them."""
    return CaseInsensitiveDict(
        {
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": str(remaining),
            "x-ratelimit-used": str(limit - remaining),
            "x-ratelimit-reset": str(reset),
            "x-ratelimit-resource": resource,
        }
    )


class Caller:
    """Calls GitHub, as far as a budget minds."""

    def __init__(
        self, connection: Connection, clock: Clock | None, rules: Rules | None = None
    ) -> None:
        self.rules = rules or Rules()
        self.budget = Budget(connection, clock=clock, rules=self.rules, share=1.0)

    def enter(
        self,
        lane: Lane = Lane.INTERACTIVE,
        resource: str = "core",
        *,
        credential: str = CREDENTIAL,
        points: int = 1,
        weight: int = 1,
    ) -> Slot:
        return self.budget.enter(credential, resource, lane, points, weight=weight)

    def leave(
        self,
        slot: Slot,
        headers: Mapping[str, str] | None = None,
        *,
        status: int = 200,
        points: int = 1,
    ) -> None:
        self.budget.leave(slot, status=status, headers=headers or {}, points=points)

    def call(
        self,
        headers: Mapping[str, str] | None = None,
        lane: Lane = Lane.INTERACTIVE,
        resource: str = "core",
        *,
        credential: str = CREDENTIAL,
        status: int = 200,
        points: int = 1,
    ) -> None:
        """One call that GitHub answered at once."""
        slot = self.enter(lane, resource, credential=credential)
        self.leave(slot, headers, status=status, points=points)

    def calls_until_refused(self, lane: Lane, most: int = 2000) -> tuple[int, OutOfBudget | None]:
        """How many calls are let in one after another, and why no more were."""
        for number in range(most):
            try:
                self.call(None, lane, points=0)
            except OutOfBudget as error:
                return number, error
        return most, None

    def refusal(self, lane: Lane = Lane.INTERACTIVE, resource: str = "core") -> OutOfBudget | None:
        """Why a call isn't let in, if so."""
        try:
            self.call(None, lane, resource)
        except OutOfBudget as error:
            return error
        return None

    def remaining(self, resource: str = "core", credential: str = CREDENTIAL) -> int:
        return self.budget.limits(credential, resource).remaining
