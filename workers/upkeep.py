"""Queue `upkeep`: what keeps the service in order. Every actor may run twice without harm."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import dramatiq
from dramatiq import Message
from dramatiq.middleware import CurrentMessage
from periodiq import cron

from webapp.jobs import HEARTBEAT_EXPIRY, WORKER_HEARTBEAT
from workers.broker import JobBroker
from workers.timetable import due

QUEUE = "upkeep"
TICK_KEPT = 600


def register(broker: JobBroker) -> None:
    """Declare this module's actors on a broker."""

    @dramatiq.actor(queue_name=QUEUE, broker=broker)
    def heartbeat() -> None:
        """Show that a worker takes jobs and finishes them."""
        broker.client.set(WORKER_HEARTBEAT, time.time(), ex=HEARTBEAT_EXPIRY)

    @dramatiq.actor(queue_name=QUEUE, broker=broker, max_retries=0, periodic=cron("* * * * *"))
    def tick() -> None:
        """Enqueue what is due this minute, once, however many schedulers there are.

        It does nothing else: periodiq drops a late tick, and a tick's retries.
        """
        moment = _scheduled_at()
        if broker.client.set(tick_key(moment), 1, nx=True, ex=TICK_KEPT):
            for each in due(moment):
                broker.enqueue(
                    Message(
                        queue_name=each.queue,
                        actor_name=each.actor,
                        args=(),
                        kwargs={},
                        options={},
                    )
                )


def tick_key(moment: datetime) -> str:
    """The key that the first tick of a minute takes."""
    return f"fw:tick:{moment.astimezone(UTC):%Y-%m-%dT%H:%M}"


def _scheduled_at() -> datetime:
    """When the scheduler sent the present message; now, for one sent by hand."""
    message = CurrentMessage.get_current_message()
    text = message.options.get("scheduled_at") if message else None
    return datetime.fromisoformat(text) if text else datetime.now(UTC)
