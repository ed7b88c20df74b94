"""An actor that takes its time: `dramatiq tests.workers.slow`, beside workers.main or alone."""

from __future__ import annotations

import os
import time

import dramatiq
from dramatiq.broker import global_broker

from workers.broker import JobBroker
from workers.environment import settings

if global_broker is None:
    dramatiq.set_broker(JobBroker(settings().broker_url))
_broker = dramatiq.get_broker()
assert isinstance(_broker, JobBroker)
if "TEST_WORKER_TIMEOUT" in os.environ:
    # ms; and one command in five looks for workers that are dead for so long.
    _broker.heartbeat_timeout = int(os.environ["TEST_WORKER_TIMEOUT"])
    _broker.maintenance_chance = 200_000
_redis = _broker.client


@dramatiq.actor(queue_name="upkeep", broker=_broker)
def slow(name: str, seconds: float) -> None:
    """Count its beginnings and ends under `started:<name>` and `finished:<name>`.

    Once `hurry` is set it takes no time at all.
    """
    _redis.incr(f"started:{name}")
    if not _redis.exists("hurry"):
        time.sleep(seconds)
    _redis.incr(f"finished:{name}")
