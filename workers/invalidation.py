"""Queue `invalidation`: purges that come later than their cause. Every actor may run twice.

GitHub's reads lag its own writes and webhooks: what was purged at once may have been refetched
too early, so it is purged again, softly, a moment later.
"""

from __future__ import annotations

import dramatiq

from webapp.purging import AGAIN, Purger
from workers.broker import JobBroker

QUEUE = "invalidation"


def register(broker: JobBroker, purger: Purger) -> None:
    """Declare this module's actors on a broker."""

    @dramatiq.actor(queue_name=QUEUE, broker=broker, actor_name=AGAIN)
    def purge_again(tags: list[str], cause: str, detail: str) -> None:
        """The second look."""
        purger.purge(tags, hard=False, cause=cause, detail=detail)
