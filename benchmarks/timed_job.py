"""A worker whose one job notes when it began: `dramatiq benchmarks.timed_job` (see jobs.py)."""

from __future__ import annotations

import time

import dramatiq

from workers.broker import JobBroker
from workers.environment import settings

broker = JobBroker(settings().broker_url)
dramatiq.set_broker(broker)


@dramatiq.actor(queue_name="upkeep", broker=broker)
def timed(number: int) -> None:
    """Note the moment, and count."""
    broker.client.set(f"began:{number}", time.time(), ex=60)
    broker.client.incr("done")
