"""What GitHub's events make untrue, done: for webhooks and event feeds alike.

    apply     hard, then soft, at once; lists that counters change under their pause
    owed      the lists whose pause is over

The pause: a list that a counter changes is purged at once, then at most every COUNTER_PAUSE, with
one purge owed at its end. The owed one is also the second look, for GitHub's reads lag its events:
a change younger than READS_LAG then owes another. PostgreSQL keeps the accounts, so that they hold
for all processes and outlive them; while it is away the lists are purged at once, each time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from webapp.db import deliveries
from webapp.db.pool import Database
from webapp.errors import BrokerUnavailable, DatabaseUnavailable
from webapp.github.events import Purges
from webapp.jobs import Jobs
from webapp.policy import COUNTER_PAUSE
from webapp.purging import Purger

log = logging.getLogger(__name__)

PURGE_LISTS, QUEUE = "purge_lists", "invalidation"
PAUSE = timedelta(seconds=COUNTER_PAUSE)
READS_LAG = timedelta(seconds=20)
BATCH = 500  # lists at once


class Invalidation:
    """One per process."""

    def __init__(
        self,
        purger: Purger,
        database: Database,
        jobs: Jobs,
        installed: Callable[[str], None],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`installed` is told owners whose App installation changed; `clock` gives Unix seconds."""
        self._purger = purger
        self._database = database
        self._jobs = jobs
        self._installed = installed
        self._clock = clock

    def apply(self, purges: Purges, *, cause: str, detail: str) -> tuple[str, ...]:
        """Purge at once what may be; the tags that need another look a moment later.

        Raises StoreUnavailable where a purge can be neither done nor noted: then apply it again.
        """
        for owner in purges.installed:
            self._installed(owner)
        self._purger.purge(purges.hard, hard=True, cause=cause, detail=detail)
        again = (*purges.hard, *purges.soft)
        lists = purges.lists
        try:
            lists = self._claimed(lists, cause, detail)
        except DatabaseUnavailable as error:
            log.warning("lists are purged without a pause: %s", error)
            again += lists
        self._purger.purge((*purges.soft, *lists), hard=False, cause=cause, detail=detail)
        return again

    def owed(self) -> tuple[str, ...]:
        """Purge the lists whose pause is over; which they were.

        Raises DatabaseUnavailable, and StoreUnavailable: they are still owed then.
        """
        now = datetime.fromtimestamp(self._clock(), UTC)
        done: list[str] = []
        owed: list[str] = []
        with self._database.connection() as conn:
            while True:
                with conn.transaction():
                    found = deliveries.list_purges_due(conn, now=now, rows=BATCH)
                    for each in found:
                        self._purger.purge(
                            [each.tag], hard=False, cause=each.cause, detail=each.detail
                        )
                    tags = [each.tag for each in found]
                    owed += deliveries.list_purges_done(
                        conn, tags, now=now, pause=PAUSE, lag=READS_LAG
                    )
                done += tags
                if len(found) < BATCH:
                    break
        if owed:
            self._wake_at_pauses_end()
        return tuple(done)

    def _claimed(self, lists: Sequence[str], cause: str, detail: str) -> tuple[str, ...]:
        """Those that may be purged now; the rest is owed."""
        if not lists:
            return ()
        now = datetime.fromtimestamp(self._clock(), UTC)
        with self._database.connection() as conn:
            claims = deliveries.list_purge_claim(
                conn, lists, now=now, pause=PAUSE, cause=cause, detail=detail
            )
        started = tuple(each.tag for each in claims if each.now)
        if started:
            self._wake_at_pauses_end()
        return started

    def _wake_at_pauses_end(self) -> None:
        """A worker then pays what is owed; without a queue the minute's sweep does."""
        try:
            delay = round(COUNTER_PAUSE * 1000) + 100
            self._jobs.enqueue(PURGE_LISTS, QUEUE, delay_ms=delay)
        except BrokerUnavailable as error:
            log.info("owed lists are left to the sweep: %s", error)
