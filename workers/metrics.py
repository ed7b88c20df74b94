"""Queue `upkeep`: metrics from Redis to PostgreSQL, each minute (telemetry/rollup.py)."""

from __future__ import annotations

import logging

import dramatiq

from webapp.errors import DatabaseUnavailable, StoreUnavailable
from webapp.telemetry.rollup import RollUp
from workers.broker import JobBroker

QUEUE = "upkeep"

log = logging.getLogger(__name__)


def register(broker: JobBroker, rollup: RollUp) -> None:
    """Declare this module's actors on a broker."""

    @dramatiq.actor(queue_name=QUEUE, broker=broker, max_retries=0)
    def roll_up_metrics() -> None:
        """Closed minutes and hours, and room for the next."""
        try:
            rollup.run()
        except (StoreUnavailable, DatabaseUnavailable) as error:
            log.warning("metrics are left to the next minute: %s", error)
