"""The worker: `dramatiq workers.main`. Settings, services, broker, actors, in this order."""

from __future__ import annotations

import dramatiq

from webapp.services import build
from webapp.telemetry import logs
from workers import feeds, invalidation, pruning, upkeep, warming
from workers.broker import JobBroker
from workers.environment import settings

_settings = settings()
logs.configure(_settings.log_level, _settings.log_format)
services = build(_settings)
broker = JobBroker(_settings.broker_url)
invalidation.register(
    broker, services.purger, services.webhooks, services.invalidation, services.refetching
)
warming.register(broker, services.warming)
feeds.register(broker, services.feeds, services.refetching)
pruning.register(broker, services.database)
upkeep.register(broker)
dramatiq.set_broker(broker)
