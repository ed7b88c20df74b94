"""Refreshes answers before they expire, as plan.py decides, through the fetch that serving uses:
the same keys, the same lease, nothing asked twice. In the service scope and the lane of warming.

What GitHub refuses (gone, forbidden, too large to keep) isn't tried again for REFUSED_FOR: sorted
set `fw:w:refused` of asked texts, by when.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs

from webapp.cache.connection import Connection
from webapp.cache.entry import Entry
from webapp.cache.keys import SERVICE, canonical_query
from webapp.cache.store import Read, Store
from webapp.demand import KEPT, Asked, Demand
from webapp.errors import OutOfBudget
from webapp.fetching import Fetcher, Wish
from webapp.github.asker import Asker
from webapp.github.limits import Lane
from webapp.github.links import page_query
from webapp.outcome import Outcome
from webapp.policy import HOUR, Periods, match
from webapp.warming.plan import Lead, due, followed, paged, planned
from webapp.watches import OWNER, REPO, Watch, Watches, watch_name

ASKER = Asker(SERVICE, lane=Lane.WARMING, consumer="warming")
REFUSED, REFUSED_FOR = "fw:w:refused", 1 * HOUR
GONE = frozenset({404, 410, 451})
BATCH = 200  # answers looked at in a round trip
MOST_DUE = 600
"""Answers of one scheduled run: about what the lane lets in a minute, so that what becomes due
meanwhile, and is asked for more, soon has its turn."""


@dataclass(frozen=True, slots=True)
class Pages:
    """What follows a page of a list: the next one's query, None for nothing, and how many."""

    following: str | None = None
    left: int = 0


LAST = Pages()


@dataclass(frozen=True, slots=True)
class Warmed:
    """What became of one answer; `asked` tells whether GitHub was.

    `refused`: GitHub doesn't give it, or nothing that can be kept; `gone`: for it is not there.
    """

    asked: bool = False
    points: int = 0
    saved: int = 0
    failed: bool = False
    refused: bool = False
    gone: bool = False
    pages: Pages = LAST


class Warmer:
    """One per process."""

    def __init__(
        self,
        *,
        store: Store,
        fetcher: Fetcher,
        periods: Periods,
        watches: Watches,
        demand: Demand,
        redis: Connection,
        base_url: str,
        lead: Lead | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`base_url` is the mirror's, for answers that nobody has asked for; `clock` gives Unix
        seconds."""
        self._store = store
        self._fetcher = fetcher
        self._periods = periods
        self._watches = watches
        self._demand = demand
        self._redis = redis
        self._base_url = base_url
        self._lead = lead or Lead()
        self._clock = clock

    def plan(self, names: Sequence[str] = ()) -> list[Asked]:
        """All that these names keep warm, or else all watches. Raises StoreUnavailable."""
        watched = {each.name: each for each in self._watches.all()}
        watches = [watched.get(name) or _unwatched(name) for name in map(watch_name, names)]
        watches = watches or list(watched.values())
        owners = dict.fromkeys(each.owner for each in watches)
        asked = [each for owner in owners for each in self._demand.asked_since(KEPT, owner)]
        refused = self._refused()
        return [
            each
            for each in planned(watches, asked, self._base_url)
            if each.text not in refused and self._period(each) > 0
        ]

    def due(self, most: int = MOST_DUE) -> list[Asked]:
        """Of all watches, what is to be refreshed now, as far as Redis tells. GitHub isn't asked.

        Raises StoreUnavailable.
        """
        found: list[Asked] = []
        plan = self.plan()
        for start in range(0, len(plan), BATCH):
            found += self._due_of(plan[start : start + BATCH])
            if len(found) >= most:
                break
        return found[:most]

    def warm(self, asked: Asked) -> Warmed:
        """Refresh one answer if it is due or was purged; what somebody else fetches is waited for.

        Raises OutOfBudget, GitHubUnavailable, CredentialRefused, WaitedTooLong, StoreUnavailable.
        """
        wish = self._wish(asked)
        read = self._store.read(wish.key, wish.tags)
        if not self._due(replace(asked, at=self._clock()), wish, read):
            gone = read.entry is not None and read.entry.status in GONE
            return Warmed(failed=gone, gone=gone, pages=_pages(read.entry))
        fetched = self._fetcher.fetch(wish, read)
        answer, entry = fetched.answer, fetched.entry
        if answer:
            answer.close()
            if answer.limited:
                wait = answer.retry_after
                raise OutOfBudget(self._clock() + wait, "limit")
        if fetched.outcome is Outcome.COALESCED:
            return Warmed(asked=True, pages=_pages(entry))
        if entry is None or entry.negative:
            gone = fetched.status in GONE
            return Warmed(asked=True, points=1, failed=True, refused=True, gone=gone)
        free = fetched.status == 304
        return Warmed(
            asked=True,
            points=int(not free),
            saved=int(free),
            pages=_pages(entry),
        )

    def refuse(self, asked: Asked) -> None:
        """Leave it alone for REFUSED_FOR: GitHub doesn't give it. Raises StoreUnavailable."""
        now = self._clock()
        self._redis.zadd(REFUSED, {asked.text: now + REFUSED_FOR})
        self._redis.zremrangebyscore(REFUSED, "-inf", now)
        self._redis.expire(REFUSED, int(REFUSED_FOR))
        self._demand.forget(asked)

    def _period(self, asked: Asked) -> float:
        return self._periods.fresh_of(match(asked.target.path).resource)

    def _wish(self, asked: Asked) -> Wish:
        return Wish.of(asked.target, ASKER, asked.base_url)

    def _due(self, asked: Asked, wish: Wish, read: Read) -> bool:
        lead = self._lead.of(wish.key, self._period(asked))
        return due(read.entry, read.versions, self._clock(), lead=lead, asked_at=asked.at)

    def _due_of(self, plan: Sequence[Asked]) -> list[Asked]:
        """Those that are, lists by any of their pages, as far as their Links are held."""
        due: set[int] = set()
        pages = dict(enumerate(plan))
        while pages:
            wishes = {place: self._wish(page) for place, page in pages.items()}
            reads = self._store.heads([(wish.key, wish.tags) for wish in wishes.values()])
            following = {}
            for (place, wish), read in zip(wishes.items(), reads, strict=True):
                if self._due(pages[place], wish, read):
                    due.add(place)
                elif followed(plan[place]) and (query := _pages(read.entry).following):
                    following[place] = paged(plan[place], query)
            pages = following
        return [plan[place] for place in sorted(due)]

    def _refused(self) -> set[str]:
        found: Any = self._redis.zrangebyscore(REFUSED, self._clock(), "+inf")
        return {text.decode() for text in found}


def _pages(entry: Entry | None) -> Pages:
    """As its Link says; the last page's number tells how many are left."""
    query = page_query(entry.link, "next") if entry else ""
    if entry is None or not query:
        return LAST
    here, last = _number(query) - 1, _number(page_query(entry.link, "last"))
    return Pages(canonical_query(query), max(1, last - here))


def _number(query: str) -> int:
    said = parse_qs(query).get("page", ["1"])[0]
    return int(said) if said.isascii() and said.isdigit() else 1


def _unwatched(name: str) -> Watch:
    """A name that is warmed once."""
    return Watch(name, REPO if "/" in name else OWNER, "")
