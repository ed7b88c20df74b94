"""Fetch anew what was just purged and is wanted soon, so that no reader waits for it.

The service scope's answers of watched owners and repositories that were asked for in the last
hour, most wanted first, in the webhook lane. What a reader has revalidated meanwhile is left alone,
and so is everything from the first answer on that GitHub, or our budget, doesn't give.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from webapp.cache.entry import State
from webapp.cache.keys import SERVICE
from webapp.cache.store import Store
from webapp.demand import Asked, Demand
from webapp.errors import CredentialRefused, GitHubUnavailable, StoreUnavailable, WaitedTooLong
from webapp.fetching import Fetcher, Wish
from webapp.github.asker import Asker
from webapp.github.budget import Lane
from webapp.policy import HOUR, match
from webapp.watches import Watches

log = logging.getLogger(__name__)

ASKED_WITHIN = 1 * HOUR
MOST = 50  # answers at once; the rest waits for its readers
ASKER = Asker(SERVICE, lane=Lane.WEBHOOK, consumer="webhook")


class Refetching:
    """One per process."""

    def __init__(self, watches: Watches, demand: Demand, store: Store, fetcher: Fetcher) -> None:
        self._watches = watches
        self._demand = demand
        self._store = store
        self._fetcher = fetcher

    def refetch(self, tags: Sequence[str]) -> int:
        """Fetch what carries one of these tags; how many answers."""
        done = 0
        try:
            for asked in self._wanted(tags):
                done += self._fetch(asked)
        except (GitHubUnavailable, CredentialRefused, StoreUnavailable, WaitedTooLong) as error:
            log.info("what was purged is left to its readers: %s", error)
        return done

    def _wanted(self, tags: Sequence[str]) -> list[Asked]:
        owners = dict.fromkeys(tag.partition(":")[2].partition("/")[0] for tag in tags)
        found = [
            asked
            for owner in owners
            for asked in self._demand.asked_since(ASKED_WITHIN, owner)
            if set(tags) & set(match(asked.target.path).tags) and self._watched(asked)
        ]
        return found[:MOST]

    def _watched(self, asked: Asked) -> bool:
        found = match(asked.target.path)
        return self._watches.covers(found.owner, found.repo)

    def _fetch(self, asked: Asked) -> bool:
        wish = Wish.of(asked.target, ASKER, asked.base_url)
        read = self._store.read(wish.key, wish.tags)
        if read.entry and read.entry.state(read.versions, time.time()) is State.FRESH:
            return False
        self._fetcher.refresh(wish, read)
        return True
