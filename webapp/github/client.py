"""Asks GitHub within its limits: with whose credential, and whether its word is believed.

    GitHub was down a moment ago     -> GitHubUnavailable at once (outage.py)
    a credential: most budget left   -> credentials.py, budget.py
    inside the budget                -> spending.py; or the limit answer, and nothing is asked
    an exchange                      -> exchange.py; three tries, one deadline
      401                            -> the credential is set aside, another is tried
      404                            -> believed when every token of ours says so

Nothing here sleeps for a limit.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial

import orjson

from webapp.cache.entry import Entry
from webapp.cache.keys import Scope, Target, canonical_target
from webapp.errors import GitHubUnavailable
from webapp.github import graphql
from webapp.github.allowance import Allowances
from webapp.github.answer import Answer
from webapp.github.asker import Asker
from webapp.github.budget import Budget
from webapp.github.credentials import Credential, Credentials
from webapp.github.exchange import Exchange
from webapp.github.ledger.points import Points
from webapp.github.limits import Lane
from webapp.github.outage import Outage
from webapp.github.pages import exactly_full
from webapp.github.session import DEADLINE
from webapp.github.spending import Spending
from webapp.policy import match

CREDENTIALS_TRIED = 4
WRITE_WEIGHT = 5  # of the rolling minute (reference/github.md, b)
FREE = frozenset({"/rate_limit"})


class Client:
    """One per process."""

    def __init__(
        self,
        *,
        api_url: str,
        graphql_url: str,
        exchange: Exchange,
        credentials: Credentials,
        budget: Budget,
        points: Points,
        outage: Outage,
    ) -> None:
        """Neither URL ends with a slash."""
        self._api_url = api_url
        self._graphql_url = graphql_url
        self._exchange = exchange
        self._credentials = credentials
        self._outage = outage
        self._spending = Spending(budget, points, outage)

    @property
    def allowances(self) -> Allowances:
        """What clients are told of their limits."""
        return self._spending.allowances

    @property
    def state(self) -> str:
        """unknown, up or down: what the last call found."""
        return self._exchange.state

    def get(self, target: Target, asker: Asker, held: Entry | None) -> Answer:
        """GitHub's answer, as the asker may see it. Raises GitHubUnavailable, CredentialRefused."""
        self._refuse_in_outage()
        deadline = time.monotonic() + DEADLINE
        resource, free = resource_of(target.path), target.path in FREE
        credential = self._credential(target, asker, resource, deadline)
        tried: list[Credential] = []
        for _ in range(CREDENTIALS_TRIED):
            ask = partial(
                self._exchange.read,
                *(target, asker.scope, credential),
                held=held,
                deadline=deadline,
                lane=asker.lane,
            )
            answer = self._spending.spend(ask, asker, credential, resource, free=free)
            if answer.confirmed and _may_have_grown(answer, target, held):
                ask = partial(ask, conditional=False)
                answer = self._spending.spend(ask, asker, credential, resource, free=free)
            tried.append(credential)
            instead = self._instead(answer, target, asker, tried, deadline)
            if instead is None:
                return answer
            answer.close()
            credential = instead
        return answer

    def _instead(
        self,
        answer: Answer,
        target: Target,
        asker: Asker,
        tried: Sequence[Credential],
        deadline: float,
    ) -> Credential | None:
        """Whom else to ask with before this answer is believed; None for nobody.

        A 401 speaks of the credential. A 404 may: tokens of unequal sight are a mistake that
        doctor shows, and one's blindness must not replace what another sees (why.md).
        """
        if not asker.scope.archived:
            return None
        if answer.status == 401:
            renewed = self._credentials.refused(tried[-1], deadline)
            if renewed is not None:
                return renewed
        else:
            self._credentials.worked(tried[-1])
            if answer.status != 404:
                return None
        owner = match(target.path).owner
        others = [
            each
            for each in self._credentials.candidates(asker.scope.kind, owner, deadline)
            if each.id not in {one.id for one in tried}
        ]
        return self._chosen(others, resource_of(target.path), asker.lane) if others else None

    def write(
        self, method: str, target: Target, asker: Asker, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Pass a write through with the caller's own token; tried once, whatever happens."""
        deadline = time.monotonic() + DEADLINE
        resource = resource_of(target.path)
        credential = self._credential(target, asker, resource, deadline)
        ask = partial(
            self._exchange.write,
            *(method, self._api_url + target.url, target, credential),
            headers=headers,
            body=body,
            deadline=deadline,
            lane=asker.lane,
        )
        return self._spending.spend(ask, asker, credential, resource, weight=WRITE_WEIGHT)

    def graphql(
        self, target: Target, asker: Asker, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        """Pass a GraphQL request through. GitHub says its limits inside a 200: seen here too."""
        self._refuse_in_outage()
        deadline = time.monotonic() + DEADLINE
        credential = self._credential(target, asker, "graphql", deadline)
        ask = partial(
            self._exchange.write,
            *("POST", self._graphql_url, target, credential),
            headers=headers,
            body=body,
            deadline=deadline,
            lane=asker.lane,
        )
        weight = 1 if graphql.only_queries(body) else WRITE_WEIGHT
        return self._spending.spend(ask, asker, credential, "graphql", weight=weight)

    def query(
        self, text: str, asker: Asker, candidates: Sequence[Credential], cost: int, deadline: float
    ) -> tuple[Answer, Credential]:
        """Ask a GraphQL query of ours that costs so many points; the answer, and who asked.

        `candidates` all have tokens, and at least one is there. Raises GitHubUnavailable,
        CredentialRefused.
        """
        self._refuse_in_outage()
        left, body = candidates, orjson.dumps({"query": text})
        for _ in range(CREDENTIALS_TRIED):
            credential = self._chosen(left, "graphql", asker.lane)
            ask = partial(
                self._exchange.write,
                *("POST", self._graphql_url, _GRAPHQL, credential),
                headers=_JSON_BODY,
                body=body,
                deadline=deadline,
                lane=asker.lane,
            )
            answer = self._spending.spend(ask, asker, credential, "graphql", cost=cost)
            if answer.status != 401:
                self._credentials.worked(credential)
                break
            renewed = self._credentials.refused(credential, deadline)
            left = [renewed] if renewed else [each for each in left if each.id != credential.id]
            if not left:
                break
        return answer, credential

    def forget(self, target: Target, scope: Scope) -> None:
        """Delete what the archive holds of a target."""
        self._exchange.forget(target, scope)

    def rate_limit(self, scope: Scope) -> dict[str, object]:
        """GET /rate_limit's body for the service's or the public's eyes, from the ledger."""
        return self._spending.rate_limit(self._credentials.candidates(scope.kind, None)[0])

    def keep_allowance(self, asker: Asker, now: float) -> None:
        """Have what clients are told of their limits no older than ALLOWANCE_AGE."""

        def credential() -> Credential:
            if asker.token:
                return self._credentials.caller(asker.token)
            return self._credentials.candidates(asker.scope.kind, None)[0]

        self._spending.keep_allowance(asker.scope.name, credential, now)

    def _refuse_in_outage(self) -> None:
        if self._outage.refuses():
            raise GitHubUnavailable("GitHub didn't answer a moment ago")

    def _credential(
        self, target: Target, asker: Asker, resource: str, deadline: float
    ) -> Credential:
        if asker.scope.kind == "token":
            if asker.token is None:
                raise ValueError("the token scope asks with the caller's token")
            return self._credentials.caller(asker.token)
        owner = match(target.path).owner
        candidates = self._credentials.candidates(asker.scope.kind, owner, deadline)
        return self._chosen(candidates, resource, asker.lane)

    def _chosen(self, candidates: Sequence[Credential], resource: str, lane: Lane) -> Credential:
        chosen = self._spending.budget.choose([each.id for each in candidates], resource, lane)
        return next(each for each in candidates if each.id == chosen)


_GRAPHQL = canonical_target("/graphql", "", "", "")
_JSON_BODY = {"Content-Type": "application/json"}


def _may_have_grown(answer: Answer, target: Target, held: Entry | None) -> bool:
    """Whether a confirmed page must be asked for in full all the same (pages.py)."""
    if answer.body:
        return exactly_full(target.query, answer.body, answer.headers.get("Link", ""))
    return held is not None and exactly_full(target.query, held.identity(), held.link)


def resource_of(path: str) -> str:
    """Which of GitHub's limits a path spends."""
    if path.startswith("/search/"):
        return "code_search" if path == "/search/code" else "search"
    return "core"
