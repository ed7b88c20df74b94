"""One call inside the budget: a slot, the call, what it cost, what its answer says of the limits.

    no budget in this lane   -> the limit answer (allowance.py); nothing is asked
    the call                 -> the slot is left, whatever came; the outage is told
    points                   -> points.py; a 304 that is authorised is free
    a limit                  -> learnt, or everybody pauses; the limit answer

What was heard of the limits is what clients are told (allowance.py). Nothing here sleeps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from webapp.errors import GitHubUnavailable, OutOfBudget
from webapp.github import graphql
from webapp.github.allowance import RESOURCES, Allowances, limit_answer, rate_limit_body
from webapp.github.answer import Answer
from webapp.github.asker import Asker
from webapp.github.budget import Budget
from webapp.github.credentials import Credential
from webapp.github.ledger.points import Points
from webapp.github.limits import Limits
from webapp.github.outage import Outage

ALLOWANCE_AGE = 5.0  # seconds that clients may be told what this process heard
_NOTHING: Mapping[str, str] = {}


class Spending:
    """One per process. `allowances` is what each scope was last told."""

    def __init__(self, budget: Budget, points: Points, outage: Outage) -> None:
        self.allowances = Allowances()
        self.budget = budget
        self._points = points
        self._outage = outage

    def spend(
        self,
        ask: Callable[[], Answer],
        asker: Asker,
        credential: Credential,
        resource: str,
        *,
        free: bool = False,
        weight: int = 1,
        cost: int = 1,
    ) -> Answer:
        """Ask inside the budget, and learn from what came. The limit answer where there is none.

        Raises what `ask` does.
        """
        try:
            slot = self.budget.enter(credential.id, resource, asker.lane, cost, weight=weight)
        except OutOfBudget as error:
            limits = self.budget.limits(credential.id, resource)
            return limit_answer(limits, error.retry_at, time.time())
        status, headers, points, revalidated = 0, _NOTHING, cost, False
        try:
            answer = ask()
            status, headers = answer.upstream_status, answer.headers
            revalidated = answer.confirmed and credential.token is not None
            points = 0 if free or revalidated or status == 401 else cost
            self._outage.answered()
        except GitHubUnavailable as error:
            status = error.status
            # GraphQL's 502 and 504 are its word for a query that takes it too long.
            if resource != "graphql" or not status:
                self._outage.failed()
            raise
        finally:
            self.budget.leave(slot, status=status, headers=headers, points=points)
            self._points.add(
                *(resource, asker.lane),
                credential=credential.id,
                consumer=asker.consumer,
                spent=points,
                saved=int(revalidated),
            )
        limits = self.budget.limits(credential.id, resource, within=ALLOWANCE_AGE)
        if resource == "core":
            self.allowances.hear(asker.scope.name, limits, time.time())
        return self._within_limits(answer, credential, limits, resource)

    def _within_limits(
        self, answer: Answer, credential: Credential, limits: Limits, resource: str
    ) -> Answer:
        """The answer, or where it is a limit the one that every client understands."""
        if resource == "graphql" and answer.status == 200:
            if answer.body and graphql.limited(answer.body) and limits.remaining > 0:
                self.budget.refused(credential.id, answer.headers)
            return answer
        if not answer.limited:
            return answer
        answer.close()
        if answer.headers.get("X-RateLimit-Remaining") == "0":
            until = float(limits.reset)
        else:
            until = self.budget.refused(credential.id, answer.headers)
        return limit_answer(limits, until, time.time(), answer.status)

    def rate_limit(self, credential: Credential) -> dict[str, object]:
        """GET /rate_limit's body, from the ledger."""
        return rate_limit_body(
            {name: self.budget.limits(credential.id, name) for name in RESOURCES}
        )

    def keep_allowance(self, scope: str, credential: Callable[[], Credential], now: float) -> None:
        """Have what a scope's clients are told of their limits no older than ALLOWANCE_AGE."""
        if now - self.allowances.heard_at(scope) < ALLOWANCE_AGE:
            return
        limits = self.budget.limits(credential().id, "core", within=ALLOWANCE_AGE)
        self.allowances.hear(scope, limits, now)
