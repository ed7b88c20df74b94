"""Queue `upkeep`: what keeps the service in order. Every actor may run twice without harm."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import dramatiq
import redis
from dramatiq.middleware import CurrentMessage
from periodiq import cron

from webapp.jobs import HEARTBEAT_EXPIRY, WORKER_HEARTBEAT, Enqueue, Guard, message_of
from workers.broker import JobBroker
from workers.timetable import TIMETABLE, Periodic, due

QUEUE = "upkeep"
TICK = "fw:tick"
"""The last minute whose jobs are enqueued."""
LATE = 60
"""Seconds."""
SET_BACK = 10
"""Minutes. A note from further ahead was made by a clock that has been set back since."""


def register(broker: JobBroker) -> None:
    """Declare this module's actors on a broker."""

    @dramatiq.actor(queue_name=QUEUE, broker=broker)
    def heartbeat() -> None:
        """Show that a worker takes jobs and finishes them."""
        broker.client.set(WORKER_HEARTBEAT, time.time(), ex=HEARTBEAT_EXPIRY)

    @dramatiq.actor(queue_name=QUEUE, broker=broker, max_retries=0, periodic=cron("* * * * *"))
    def tick() -> None:
        """Enqueue what became due since the last tick, once, however many schedulers there are.

        It does nothing else, and isn't retried: what a tick that fails would have enqueued the
        next one does. One that comes late, since workers were away or had no thread free, speaks
        for the minutes until now.
        """
        scheduled = _scheduled_at().timestamp()
        now, _ = broker.client.time()  # the same for all workers
        enqueue_due(broker.client, int(now if now - scheduled >= LATE else scheduled) // 60)


def enqueue_due(client: redis.Redis, minute: int, table: tuple[Periodic, ...] = TIMETABLE) -> None:
    """The jobs that became due until a minute; nothing where another tick has done it.

    All of them and the note that they are enqueued are one step: a tick that dies loses none.
    Raises redis.RedisError.
    """
    enqueue = Enqueue(client)
    while True:
        held = client.get(TICK)
        text = held.decode() if isinstance(held, bytes) else ""
        last = int(text) if text else minute - 1
        if last - minute > SET_BACK:
            last = minute - 1
        if last >= minute:
            return
        jobs = [message_of(each.actor, each.queue) for each in due(last, minute, table)]
        if enqueue(*jobs, guard=Guard(TICK, text, str(minute))) is not None:
            return


def _scheduled_at() -> datetime:
    """When the scheduler sent the present message; now, for one sent by hand."""
    message = CurrentMessage.get_current_message()
    text = message.options.get("scheduled_at") if message else None
    return datetime.fromisoformat(text) if text else datetime.now(UTC)
