"""Queue `warming`: answers refreshed before they expire. Every actor may run twice without harm."""

from __future__ import annotations

import logging

import dramatiq

from webapp.errors import DatabaseUnavailable
from webapp.warming.runs import QUEUE, WARM_RUN, Runs
from workers.broker import JobBroker

log = logging.getLogger(__name__)


def register(broker: JobBroker, runs: Runs) -> None:
    """Declare this module's actors on a broker."""

    @dramatiq.actor(queue_name=QUEUE, broker=broker)
    def warm_due() -> None:
        """Once a minute: what is due becomes a run, and runs that nobody works at are taken up."""
        try:
            runs.sweep()
        except DatabaseUnavailable as error:
            log.warning("warming waits for PostgreSQL: %s", error)

    @dramatiq.actor(queue_name=QUEUE, broker=broker, actor_name=WARM_RUN)
    def warm_run(run: int) -> None:
        """One turn of a run. Without budget it is put off by the broker, to the moment it says."""
        try:
            runs.turn(run)
        except DatabaseUnavailable as error:
            log.warning("run %d waits for PostgreSQL: %s", run, error)
