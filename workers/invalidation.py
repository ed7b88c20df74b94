"""Queue `invalidation`: purges that come later than their cause. Every actor may run twice.

GitHub's reads lag its own writes and webhooks: what was purged at once may have been refetched
too early, so it is purged again, softly, a moment later; then what is wanted of it is refetched.
"""

from __future__ import annotations

import dramatiq

from webapp.changes.invalidation import PURGE_LISTS, Invalidation
from webapp.changes.refetching import Refetching
from webapp.changes.webhooks import LOOK, Webhooks
from webapp.purging import AGAIN, Purger
from workers.broker import JobBroker

QUEUE = "invalidation"


def register(
    broker: JobBroker,
    purger: Purger,
    webhooks: Webhooks,
    invalidation: Invalidation,
    refetching: Refetching,
) -> None:
    """Declare this module's actors on a broker."""

    @dramatiq.actor(queue_name=QUEUE, broker=broker, actor_name=AGAIN)
    def purge_again(tags: list[str], cause: str, detail: str) -> None:
        """The second look at what a write changed."""
        purger.purge(tags, hard=False, cause=cause, detail=detail)

    @dramatiq.actor(queue_name=QUEUE, broker=broker, actor_name=LOOK)
    def look(delivery: str, number: int, tags: list[str], detail: str) -> None:
        """A webhook delivery's second or third look."""
        if webhooks.look(delivery, number, tags, detail):
            refetching.refetch(tags)

    @dramatiq.actor(queue_name=QUEUE, broker=broker, actor_name=PURGE_LISTS)
    def purge_lists() -> None:
        """The lists whose pause is over."""
        refetching.refetch(invalidation.owed())

    @dramatiq.actor(queue_name=QUEUE, broker=broker)
    def sweep() -> None:
        """Once a minute: purges, looks and owed lists that were left by whoever had to do them."""
        refetching.refetch((*webhooks.sweep(), *invalidation.owed()))
        purger.replay()  # fails while Redis is away, which the others don't
