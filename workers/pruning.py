"""Queue `upkeep`: what is old is forgotten, some rows at a time. Every actor may run twice.

Each batch is a transaction of its own, so that nobody waits for a long one, and several workers
at it skip each other's rows. What isn't done in TURN seconds the next hour does, and so what
PostgreSQL isn't there for.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import dramatiq

from webapp.changes.webhooks import KEPT as DELIVERIES_KEPT
from webapp.db import audit, catalog_writes, deliveries, queries, statement_statistics, traces
from webapp.db.pool import Database
from webapp.db.statements import Connection
from webapp.errors import DatabaseUnavailable
from webapp.purging import REPLAYED
from workers.broker import JobBroker

QUEUE = "upkeep"
TURN = 120.0
AUDIT_KEPT = timedelta(days=400)
HISTORY_KEPT = timedelta(days=400)
# Much longer than their pause.
LISTS_KEPT = timedelta(days=1)
# No answer is under way for so long.
GONE_KEPT = timedelta(days=1)
# Longer than any row is taken for current.
PURGED_TAGS_KEPT = timedelta(days=30)
# Two days of purges: those of the last are replayed, and one more to look at.
PURGES_KEPT = 2 * REPLAYED

Prune = Callable[[Connection, datetime], int]
"""Given the moment it is: rows forgotten in one batch, 0 where nothing is left."""

PRUNED: Mapping[str, Prune] = {
    "answers": lambda conn, now: queries.archive_prune(conn, now=now),
    "purges": lambda conn, now: queries.purges_prune(conn, before=now - PURGES_KEPT),
    "deliveries": lambda conn, now: deliveries.deliveries_prune(conn, before=now - DELIVERIES_KEPT),
    "lists": lambda conn, now: deliveries.list_purges_prune(conn, before=now - LISTS_KEPT),
    "traces": lambda conn, now: traces.traces_prune(conn, before=now - traces.KEPT_FOR),
    "history": lambda conn, now: catalog_writes.catalog_days_prune(conn, before=now - HISTORY_KEPT),
    "gone repositories": lambda conn, now: catalog_writes.catalog_gone_prune(
        conn, before=now - GONE_KEPT
    ),
    "purged tags": lambda conn, now: catalog_writes.catalog_purges_prune(
        conn, before=now - PURGED_TAGS_KEPT
    ),
    "statements' minutes": lambda conn, now: statement_statistics.statements_minutes_prune(
        conn, now=now
    ),
    "statements": lambda conn, now: statement_statistics.statements_totals_prune(conn, now=now),
    "acts": lambda conn, now: audit.audit_prune(conn, before=now - AUDIT_KEPT),
}

log = logging.getLogger(__name__)


def register(broker: JobBroker, database: Database) -> None:
    """Declare this module's actors on a broker."""

    @dramatiq.actor(queue_name=QUEUE, broker=broker, max_retries=0)
    def prune_old() -> None:
        """What is past its time, of every table that only grows."""
        try:
            prune(database, datetime.now(UTC), deadline=time.monotonic() + TURN)
        except DatabaseUnavailable as error:
            log.warning("what is old is left to the next hour: %s", error)


def prune(database: Database, now: datetime, deadline: float) -> dict[str, int]:
    """Rows forgotten, by what they were; `deadline` in time.monotonic()'s seconds.

    Raises DatabaseUnavailable.
    """
    forgotten = dict.fromkeys(PRUNED, 0)
    for what, batch in PRUNED.items():
        while time.monotonic() < deadline:
            with database.connection() as conn:
                rows = batch(conn, now)
            forgotten[what] += rows
            if not rows:
                break
    log.info("forgotten: %s", ", ".join(f"{rows} {what}" for what, rows in forgotten.items()))
    return forgotten
