"""Queue `upkeep`: alerts are evaluated each minute, and told (telemetry/alerts/alerting.py).

Web processes do the same a little later in each minute: no worker can say that it is dead.
"""

from __future__ import annotations

import logging

import dramatiq

from webapp.errors import DatabaseUnavailable
from webapp.telemetry.alerts.alerting import Alerting
from workers.broker import JobBroker

QUEUE = "upkeep"

log = logging.getLogger(__name__)


def register(broker: JobBroker, alerting: Alerting) -> None:
    """Declare this module's actors on a broker."""

    @dramatiq.actor(queue_name=QUEUE, broker=broker, max_retries=0)
    def evaluate_alerts() -> None:
        """This minute's evaluation, unless another process has done it, and what waits."""
        try:
            alerting.evaluate()
            alerting.deliver()
        except DatabaseUnavailable as error:
            log.warning("alerts wait for PostgreSQL: %s", error)
