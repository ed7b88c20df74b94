"""What to warm, and when: decisions only, nothing is read or asked here.

A watched owner's account and its repositories' list (100 a page, all pages) are kept warm always,
and so is a watched repository; of the rest, what key holders asked for in the last 7 days, as they
asked for it. What is kept always goes first, then the most demanded.

A refresh comes before an answer's fresh end by a share of its period that differs from answer to
answer: what was filled together isn't refreshed together. What is known to have changed waits for
the same moment, unless somebody asked for it within the hour: else a repository that changes every
minute would cost a point every minute for a reader a day.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from webapp.cache.entry import Entry, State, Versions
from webapp.cache.keys import JSON_MEDIA, Target
from webapp.demand import Asked
from webapp.policy import HOUR, ORG_LIST, REPO_LIST, match
from webapp.watches import REPO, USER, Watch

PER_PAGE = 100  # GitHub's most
LEAD_FROM, LEAD_TO = 0.10, 0.35
"""Shares of a period; a warmed answer lives the rest of it."""
TICK = 90.0  # seconds: the planner comes once a minute, and a run takes a while
LATELY = HOUR
"""What was asked for within it is refreshed soon after it changed."""


@dataclass(frozen=True, slots=True)
class Lead:
    """How long before its fresh end an answer is refreshed."""

    tick: float = TICK

    def of(self, key: str, period: float) -> float:
        """Seconds; the same for the same key, between a tick and nearly all of the period."""
        share = LEAD_FROM + (LEAD_TO - LEAD_FROM) * (zlib.crc32(key.encode()) / 0xFFFFFFFF)
        return min(max(share * period, self.tick), 0.9 * period)


def due(
    entry: Entry | None, versions: Versions, now: float, *, lead: float, asked_at: float
) -> bool:
    """Whether to refresh now; `asked_at` is when it was last asked for, 0 for never."""
    if entry is None:
        return True
    match entry.state(versions, now):
        case State.FRESH if entry.negative:
            return False
        case State.FRESH:
            return now >= entry.fresh_until - lead
        case State.PURGED:
            return now - asked_at <= LATELY or now >= entry.fresh_until - lead
        case _:
            return True


def always(watch: Watch, base_url: str) -> list[Asked]:
    """What a watch keeps warm whether or not anybody asks; a list by its first page."""
    if watch.kind == REPO:
        return [_json(f"/repos/{watch.name}", "", base_url)]
    kind = "users" if watch.kind == USER else "orgs"
    return [
        _json(f"/{kind}/{watch.name}", "", base_url),
        _json(f"/{kind}/{watch.name}/repos", f"per_page={PER_PAGE}", base_url),
    ]


def covered(watches: Iterable[Watch], asked: Iterable[Asked]) -> Iterator[Asked]:
    """Of what was asked for, what belongs to a watch."""
    names = {each.name for each in watches}
    for each in asked:
        found = match(each.target.path)
        owner = (found.owner or "").lower()
        if owner in names or f"{owner}/{(found.repo or '').lower()}" in names:
            yield each


def planned(watches: Sequence[Watch], asked: Iterable[Asked], base_url: str) -> list[Asked]:
    """All that these watches keep warm, in order; a followed list's later pages come with it."""
    wanted = {each.text: each for each in covered(watches, asked)}
    kept = {each.text: each for watch in watches for each in always(watch, base_url)}
    lists = {(each.target.path, each.base_url) for each in kept.values() if followed(each)}
    first = [wanted.pop(text, each) for text, each in kept.items()]
    rest = [each for each in wanted.values() if not _follows(each, lists)]
    return [*sorted(first, key=_rank), *sorted(rest, key=_rank)]


def followed(asked: Asked) -> bool:
    """Whether a list's next pages are warmed with it; else each page is asked for by itself."""
    lists = match(asked.target.path).resource in (REPO_LIST, ORG_LIST)
    return lists and asked.target.query == f"per_page={PER_PAGE}"


def paged(asked: Asked, query: str) -> Asked:
    """Another page of the same list."""
    target = Target(asked.target.path, query, asked.target.media, asked.target.api_version)
    return Asked(target, asked.base_url, asked.at, asked.weight)


def of_user(plan: Sequence[str], owner: str) -> list[str]:
    """The plan, now that an owner taken for an organisation has turned out to be a user."""
    return [_of_user(Asked.of(text), owner).text for text in plan]


def _of_user(asked: Asked, owner: str) -> Asked:
    path = asked.target.path
    if path not in {f"/orgs/{owner}", f"/orgs/{owner}/repos"}:
        return asked
    return _json(path.replace("/orgs/", "/users/", 1), asked.target.query, asked.base_url)


def _json(path: str, query: str, base_url: str) -> Asked:
    return Asked(Target(path, query, JSON_MEDIA, ""), base_url)


def _follows(asked: Asked, lists: set[tuple[str, str]]) -> bool:
    parameters = asked.target.query.split("&")
    return (
        (asked.target.path, asked.base_url) in lists
        and asked.target.media == JSON_MEDIA
        and not asked.target.api_version
        and len(parameters) == 2
        and parameters[0].startswith("page=")
        and parameters[1] == f"per_page={PER_PAGE}"
    )


def _rank(asked: Asked) -> tuple[float, str]:
    return -asked.weight, asked.text
