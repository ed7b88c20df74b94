"""The worker: `dramatiq workers.main`. Settings, broker, actors, in this order."""

from __future__ import annotations

import dramatiq

from workers import upkeep
from workers.broker import JobBroker
from workers.environment import settings

broker = JobBroker(settings().broker_url)
upkeep.register(broker)
dramatiq.set_broker(broker)
