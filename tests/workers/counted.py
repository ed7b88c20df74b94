"""Every job of the timetable, each only counted: `dramatiq tests.workers.counted`.

`ran:<actor>:<result>` counts them.
"""

from __future__ import annotations

import dramatiq

from webapp.signals import job_ran
from workers import upkeep
from workers.broker import JobBroker
from workers.environment import settings
from workers.timetable import TIMETABLE

broker = JobBroker(settings().broker_url)
upkeep.register(broker)
for each in TIMETABLE:
    if each.actor not in broker.actors:
        dramatiq.actor(queue_name=each.queue, broker=broker, actor_name=each.actor)(lambda: None)
dramatiq.set_broker(broker)


@job_ran.connect
def _count(_: object, *, actor: str, result: str, **__: object) -> None:
    broker.client.incr(f"ran:{actor}:{result}")
