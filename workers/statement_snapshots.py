"""Queue `upkeep`: what PostgreSQL says of its statements, each minute. It may run twice."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

import dramatiq

from webapp.db import statement_statistics
from webapp.db.pool import Database
from webapp.errors import DatabaseUnavailable
from workers.broker import JobBroker

QUEUE = "upkeep"

log = logging.getLogger(__name__)


def register(broker: JobBroker, database: Database) -> None:
    """Declare this module's actors on a broker."""

    @dramatiq.actor(queue_name=QUEUE, broker=broker, max_retries=0)
    def snapshot_statements() -> None:
        """The differences since the last minute's."""
        try:
            with database.connection() as conn:
                statement_statistics.snapshot(conn, datetime.now(UTC))
        except DatabaseUnavailable as error:
            log.warning("statements' figures are left to the next minute: %s", error)
