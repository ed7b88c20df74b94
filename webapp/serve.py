"""The ladder. For each read it takes the first rung that holds:

    HIT, NEGATIVE     fresh in Redis
    STALE             past its period by time: served at once, one refresh runs behind
    COALESCED         another is fetching the same: its answer, if no purge lies between
    REVALIDATED       GitHub confirmed what the archive or the entry holds; no point spent
    MISS              GitHub's whole answer, stored for the next
    BYPASS            an answer that isn't stored: a stream, or a status that says nothing lasting
    GRACE             GitHub can't be reached or has no budget for us: the old answer, if any
    ERROR             nothing to give: 504, 502, 503, or GitHub's own limit answer

Whoever has something stale never waits. A purge makes the next reader wait for one revalidation.
Without Redis the archive's validators and a local flight do the work; nothing fails for it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Semaphore

from webapp.cache.entry import Entry, State
from webapp.cache.reply import cache_status_forwarded, cache_status_hit
from webapp.cache.store import Read, Store
from webapp.errors import (
    CredentialRefused,
    ForewarmError,
    GitHubUnavailable,
    RequestRefused,
    StoreUnavailable,
    WaitedTooLong,
)
from webapp.fetching import Fetched, Fetcher, Wish
from webapp.github.answer import Answer
from webapp.github.archive import Archive
from webapp.github.entries import Finisher, shows_private
from webapp.lasting import told
from webapp.outcome import Outcome

log = logging.getLogger(__name__)

REFRESH_THREADS, REFRESH_QUEUE = 2, 8


@dataclass(frozen=True, slots=True)
class Directives:
    """What a caller says of caches (RFC 9111 section 5.2.1); `max_age` in seconds."""

    max_age: float | None = None
    only_if_cached: bool = False


@dataclass(frozen=True, slots=True)
class Served:
    """The rung taken: an `entry`, or an `answer` of GitHub's to be passed on as it is."""

    outcome: Outcome
    cache_status: str
    entry: Entry | None = None
    answer: Answer | None = None


class Ladder:
    """One per process."""

    def __init__(
        self,
        store: Store,
        archive: Archive,
        fetcher: Fetcher,
        finisher: Finisher,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives Unix seconds."""
        self._store = store
        self._archive = archive
        self._fetcher = fetcher
        self._finisher = finisher
        self._clock = clock
        self._refreshers = ThreadPoolExecutor(REFRESH_THREADS, thread_name_prefix="refresh")
        self._refresh_room = Semaphore(REFRESH_THREADS + REFRESH_QUEUE)

    def serve(
        self, wish: Wish, directives: Directives, admit: Callable[[], None] = lambda: None
    ) -> Served:
        """Raises RequestRefused (504), WaitedTooLong (503), GitHubUnavailable (502).

        `admit` is called before GitHub is asked while somebody waits; who is refused by it
        (RequestRefused) has the old answer, if any.
        """
        read = self._fetcher.read(wish)
        held = self._at_once(wish, directives, read) if read else None
        if held:
            return held
        if directives.only_if_cached:
            raise RequestRefused(504, "Nothing fresh is cached, and only-if-cached was asked for.")
        reason = _reason(directives, read)
        try:
            admit()
            fetched = self._fetcher.fetch(wish, read)
        except (GitHubUnavailable, RequestRefused, WaitedTooLong) as error:
            return self._grace_or_raise(wish, read, reason, error)
        limited = fetched.answer if fetched.answer and fetched.answer.limited else None
        if limited and (grace := self._grace(wish, read, reason, fetched.status)):
            limited.close()
            return grace
        return _passed_on(fetched, reason)

    def _at_once(self, wish: Wish, directives: Directives, read: Read) -> Served | None:
        """What needs nobody but Redis."""
        entry, now = read.entry, self._clock()
        if entry is None:
            return None
        state = entry.state(read.versions, now)
        if state not in {State.FRESH, State.STALE} or _too_old(entry, directives, now):
            return None
        cache_status = cache_status_hit(entry, "redis", now)
        if state is State.FRESH:
            outcome = Outcome.NEGATIVE if entry.negative else Outcome.HIT
            return Served(outcome, cache_status, entry)
        if not directives.only_if_cached:
            self._refresh_behind(wish, read)
        return Served(Outcome.STALE, cache_status, entry)

    def _refresh_behind(self, wish: Wish, read: Read) -> None:
        """One refresh a key, off the request; skipped when the executor is full."""
        if not self._refresh_room.acquire(blocking=False):
            log.info("refresh skipped, all are busy: %s", wish.target.path)
            return

        def refresh() -> None:
            try:
                self._fetcher.refresh(wish, read)
            except (GitHubUnavailable, CredentialRefused, StoreUnavailable) as error:
                log.info("refresh failed: %s: %s", wish.target.path, error)
            finally:
                self._refresh_room.release()

        self._refreshers.submit(refresh).add_done_callback(told)

    def _grace_or_raise(
        self, wish: Wish, arrival: Read | None, reason: str, error: ForewarmError
    ) -> Served:
        status = error.status if isinstance(error, GitHubUnavailable) else 0
        served = self._grace(wish, arrival, reason, status)
        if served is None:
            raise error
        return served

    def _grace(self, wish: Wish, arrival: Read | None, reason: str, status: int) -> Served | None:
        """The old answer, judged anew: it may have been purged hard while GitHub was asked."""
        read = self._fetcher.read(wish)
        entry = read.entry if read else None
        if read and entry and entry.state(read.versions, self._clock()) is State.DEAD:
            entry = None
        # The fetch gave lost tags new versions: only the arrival tells lost from purged hard.
        if entry is None and any(each is None or each.forgotten for each in (arrival, read)):
            entry = self._from_archive(wish)
        if entry is None or entry.negative:
            return None
        return Served(Outcome.GRACE, cache_status_forwarded(reason, status), entry)

    def _from_archive(self, wish: Wish) -> Entry | None:
        """Redis away or emptied: GitHub's last raw answer, finished anew, while in grace."""
        answer = self._archive.held(wish.target, wish.scope)
        if answer is None or (wish.scope.kind == "public" and shows_private(answer.body or b"")):
            return None
        entry = self._finisher.entry(answer, wish.target, wish.scope, wish.base_url)
        return entry if self._clock() < entry.grace_until else None

    def close(self) -> None:
        """End the refreshes under way."""
        self._refreshers.shutdown(wait=True, cancel_futures=True)


def _too_old(entry: Entry, directives: Directives, now: float) -> bool:
    limit = directives.max_age
    return limit is not None and (limit <= 0 or now - entry.stored_at > limit)


def _reason(directives: Directives, read: Read | None) -> str:
    """Why it went forward, in RFC 9211's words."""
    if directives.max_age is not None and read and read.entry:
        return "request"
    return "stale" if read and read.entry else "miss"


def _passed_on(fetched: Fetched, reason: str) -> Served:
    collapsed = fetched.outcome is Outcome.COALESCED
    if fetched.answer:
        limited = fetched.answer.limited
        outcome = Outcome.ERROR if limited else Outcome.BYPASS
        reason = reason if limited else "bypass"
        return Served(
            outcome, cache_status_forwarded(reason, fetched.status), answer=fetched.answer
        )
    cache_status = cache_status_forwarded(
        reason, fetched.status, stored=fetched.stored, collapsed=collapsed
    )
    return Served(fetched.outcome, cache_status, fetched.entry)
