"""The scheduler: `periodiq workers.schedule`. One tick a minute, which a worker turns into jobs.

Two of them do no harm (upkeep.tick takes each minute once), and a broker that is away ends none:
periodiq itself would exit, and take its neighbours under honcho with it.
"""

from __future__ import annotations

import logging
import signal
import sys
import time

import dramatiq
import redis
from dramatiq import Message
from dramatiq.errors import ConnectionClosed

from webapp.jobs import HEARTBEAT_EXPIRY, SCHEDULER_HEARTBEAT, UNIQUE, unique_key
from workers import upkeep
from workers.broker import JobBroker
from workers.environment import settings

log = logging.getLogger(__name__)


class SchedulerBroker(JobBroker):
    """Shows at each tick that the scheduler lives; skips the tick where Redis is away."""

    def enqueue(self, message: Message[object], *, delay: int | None = None) -> Message[object]:
        """As a worker's, but for what goes wrong: one line in the log."""
        try:
            self.client.set(SCHEDULER_HEARTBEAT, time.time(), ex=HEARTBEAT_EXPIRY)
            # A tick that still waits will speak for this one.
            only = message.copy(options={UNIQUE: unique_key(message.actor_name, ())})
            return super().enqueue(only, delay=delay)
        except (redis.RedisError, ConnectionClosed) as error:
            log.warning("a tick is skipped: the job queue can't be reached: %s", error)
            return message


# The first process of a container has no default for it, and periodiq sets none.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
broker = SchedulerBroker(settings().broker_url)
upkeep.register(broker)
dramatiq.set_broker(broker)
