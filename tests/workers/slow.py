"""An actor that takes its time: `dramatiq workers.main tests.workers.slow`."""

from __future__ import annotations

import time

import dramatiq

from workers.broker import JobBroker

_broker = dramatiq.get_broker()
assert isinstance(_broker, JobBroker)
_redis = _broker.client


@dramatiq.actor(queue_name="upkeep", broker=_broker)
def slow(name: str, seconds: float) -> None:
    """Count its beginnings and ends under `started:<name>` and `finished:<name>`."""
    _redis.incr(f"started:{name}")
    time.sleep(seconds)
    _redis.incr(f"finished:{name}")
