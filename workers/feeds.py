"""Queue `upkeep`: what GitHub is asked for that no webhook told. Every actor may run twice.

Once a minute or five, so nothing here is retried: what GitHub or Redis keeps from being done now
is still due in the next round. Without budget a job is put off to the reset.
"""

from __future__ import annotations

import logging

import dramatiq

from webapp.changes.feeds import Feeds
from webapp.changes.redelivery import Redelivery
from webapp.changes.refetching import Refetching
from webapp.errors import GitHubUnavailable, StoreUnavailable
from workers.broker import JobBroker

QUEUE = "upkeep"

log = logging.getLogger(__name__)


def register(
    broker: JobBroker, feeds: Feeds, redelivery: Redelivery, refetching: Refetching
) -> None:
    """Declare this module's actors on a broker."""

    @dramatiq.actor(queue_name=QUEUE, broker=broker, max_retries=0)
    def poll_feeds() -> None:
        """The event feeds that are due."""
        try:
            refetching.refetch(feeds.poll())
        except (GitHubUnavailable, StoreUnavailable) as error:
            log.warning("event feeds are left to the next round: %s", error)

    @dramatiq.actor(queue_name=QUEUE, broker=broker, max_retries=0)
    def redeliver() -> None:
        """Webhook deliveries that didn't arrive."""
        try:
            redelivery.ask_again()
        except (GitHubUnavailable, StoreUnavailable) as error:
            log.warning("failed deliveries are left to the next round: %s", error)
