"""The service's and the public's tokens: accepted, with points left, and of equal sight.

Whichever token has most points left is asked next, so one that sees less would answer 404 for what
another shows. Private repositories are compared by id and told by number; tokens by fingerprint.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from webapp.doctor.asking import Said, ask, pages, why
from webapp.doctor.finding import (
    Finding,
    counted,
    fail,
    fingerprint,
    listed,
    ok,
    present,
    warn,
)
from webapp.errors import GitHubUnavailable
from webapp.secret import Secret
from webapp.settings import Settings

PAGES = 10  # of 100: the first thousand private repositories are compared
LOW = 0.1  # of the hour's points
# Classic scopes with which an account's private things are seen, now or once there are any.
PRIVATE_SCOPES = frozenset({"repo", "admin:org", "write:org", "read:org", "user", "read:user"})


@dataclass(frozen=True, slots=True)
class Budget:
    """Points of an hour; `reset` is Unix seconds."""

    limit: int
    remaining: int
    reset: float


@dataclass(frozen=True, slots=True)
class Sight:
    """What one token is told. None where GitHub doesn't tell it; "" `refused` where it does."""

    label: str
    refused: str = ""
    account: str = ""
    account_id: int | None = None
    budget: Budget | None = None
    private: frozenset[int] | None = None
    whole: bool = True
    orgs: frozenset[int] | None = None
    scopes: frozenset[str] = frozenset()

    @property
    def shown(self) -> str:
        """How a finding names it."""
        return f"{self.label} ({self.account})" if self.account else self.label


def check(settings: Settings) -> list[Finding]:
    """Look through every token at once, then judge what each saw."""
    tokens = [*settings.github_tokens]
    if settings.github_public_token:
        tokens.append(settings.github_public_token)
    if not tokens:
        return [ok("tokens", "none are set")]
    with ThreadPoolExecutor(len(tokens)) as executor:
        seen = list(executor.map(lambda token: _look(settings, token), tokens))
    count = len(settings.github_tokens)
    return judge(seen[:count], seen[count] if seen[count:] else None)


def judge(service: Sequence[Sight], public: Sight | None) -> list[Finding]:
    """Pure."""
    findings = [_valid(sight, "token") for sight in service]
    good = [sight for sight in service if not sight.refused]
    if len(good) > 1:
        findings += present(_equal_sight(good), _equal_orgs(good))
    if public is not None:
        findings.append(_valid(public, "public token"))
        if not public.refused:
            findings += [_public_sight(public)]
            good.append(public)
    return findings + _shared_budgets(good)


def _look(settings: Settings, token: Secret) -> Sight:
    """A handful of requests; those for account and lists cost a point each."""
    api_url = settings.github_api_url
    label = fingerprint(token, settings.secret_key)
    try:
        limits = ask(api_url, "/rate_limit", token)
        if limits.status == 401:
            return Sight(label, refused="GitHub doesn't know it, or no longer (401)")
        user = ask(api_url, "/user", token)
        repos = pages(api_url, "/user/repos?type=private&per_page=100", token, PAGES)
        orgs = pages(api_url, "/user/orgs?per_page=100", token, PAGES)
    except GitHubUnavailable as error:
        return Sight(label, refused=f"GitHub can't be asked: {why(error)}")
    known: dict[str, Any] = user.body if user.status == 200 and isinstance(user.body, dict) else {}
    return Sight(
        label,
        account=str(known.get("login", "")),
        account_id=known.get("id"),
        budget=_budget(limits),
        private=None if repos is None else _ids(repos[0]),
        whole=repos is None or repos[1],
        orgs=None if orgs is None else _ids(orgs[0]),
        scopes=_scopes(user),
    )


def _budget(said: Said) -> Budget | None:
    """None on a GitHub Enterprise Server that has no limits: it answers 404."""
    if said.status != 200 or not isinstance(said.body, dict):
        return None
    core = said.body.get("resources", {}).get("core")
    if core is None:
        return None
    return Budget(core["limit"], core["remaining"], core["reset"])


def _ids(items: Sequence[Any]) -> frozenset[int]:
    return frozenset(item["id"] for item in items)


def _scopes(said: Said) -> frozenset[str]:
    words = said.headers.get("X-OAuth-Scopes", "").split(",")
    return frozenset(word.strip() for word in words if word.strip())


def _valid(sight: Sight, name: str) -> Finding:
    if sight.refused:
        return fail(name, f"{sight.label}: {sight.refused}", "replace it, or see the API root")
    if sight.budget is None:
        return ok(name, f"{sight.shown} is accepted; GitHub sets it no limit")
    left, limit = sight.budget.remaining, sight.budget.limit
    found = f"{sight.shown} is accepted; {left:,} of {limit:,} points left this hour"
    if left < limit * LOW:
        minutes = max(0.0, sight.budget.reset - time.time()) / 60
        return warn(
            name,
            f"{found}, until a reset in {minutes:.0f} min",
            "add a token of another account with the same access, or lengthen CACHE_FRESH_…",
        )
    return ok(name, found)


def _equal_sight(sights: Sequence[Sight]) -> Finding:
    name = "equal sight"
    blind = [sight for sight in sights if sight.private is None]
    if blind:
        return warn(
            name,
            f"can't be compared: GitHub lists no repositories for {_shown(blind)}",
            "see yourself that all tokens may read the same repositories",
        )
    every = frozenset[int]().union(*(sight.private or () for sight in sights))
    lacking = [sight for sight in sights if sight.private != every]
    if lacking:
        counts = listed(
            f"{sight.shown} sees {counted(len(sight.private or ()), 'private repository')}"
            for sight in sights
        )
        return fail(
            name,
            f"{counts}, of {len(every)} that they see together: the same question gets now an "
            "answer, now a 404",
            f"give {_shown(lacking)} the same access, or take the token out",
        )
    compared = "" if all(sight.whole for sight in sights) else "first "
    number = counted(len(every), "private repository")
    return ok(name, f"all tokens see the same {compared}{number}")


def _equal_orgs(sights: Sequence[Sight]) -> Finding | None:
    """Members are shown more of an organisation than others."""
    told = [sight for sight in sights if sight.orgs is not None]
    if len({sight.orgs for sight in told}) < 2:
        return None
    counts = listed(
        f"{each.shown} in {counted(len(each.orgs or ()), 'organisation')}" for each in told
    )
    return warn(
        "equal membership",
        f"the tokens belong to different organisations ({counts}), whose members see more of them",
        "make their accounts members of the same organisations",
    )


def _public_sight(public: Sight) -> Finding:
    name = "public sight"
    cure = (
        "set GITHUB_PUBLIC_TOKEN to one of an account that belongs nowhere: a classic token "
        "without scopes, or a fine-grained one for public repositories"
    )
    if public.private:
        number = counted(len(public.private), "private repository")
        return fail(name, f"GITHUB_PUBLIC_TOKEN sees {number}, and shows them to anyone", cure)
    if public.private is None:
        return warn(name, "GitHub doesn't tell what GITHUB_PUBLIC_TOKEN sees", cure)
    risky = sorted(public.scopes & PRIVATE_SCOPES)
    if risky:
        return warn(
            name,
            f"GITHUB_PUBLIC_TOKEN has the scopes {listed(risky)}: nothing private yet",
            cure,
        )
    if public.orgs:
        number = counted(len(public.orgs), "organisation")
        return warn(
            name,
            f"its account belongs to {number}, whose members see more than others",
            cure,
        )
    return ok(name, "GITHUB_PUBLIC_TOKEN sees nothing private")


def _shared_budgets(sights: Sequence[Sight]) -> list[Finding]:
    """All tokens of an account spend one budget."""
    owners: dict[int, list[Sight]] = defaultdict(list)
    for sight in sights:
        if sight.account_id is not None:
            owners[sight.account_id].append(sight)
    return [
        warn(
            "shared budget",
            f"{_labels(shared)} belong to one account ({shared[0].account}) and share its points",
            "give each token an account of its own, or keep one of them",
        )
        for shared in owners.values()
        if len(shared) > 1
    ]


def _shown(sights: Sequence[Sight]) -> str:
    return listed(sight.shown for sight in sights)


def _labels(sights: Sequence[Sight]) -> str:
    return listed(sight.label for sight in sights)
