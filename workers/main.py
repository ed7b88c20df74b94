"""The worker: `dramatiq workers.main`. Settings, services, broker, actors, in this order."""

from __future__ import annotations

import sys

import dramatiq
from dramatiq.middleware import AgeLimit

from webapp.errors import SettingsError
from webapp.services import build
from webapp.telemetry.rollup import RollUp
from workers import (
    alerts,
    feeds,
    invalidation,
    metrics,
    pruning,
    statement_snapshots,
    upkeep,
    warming,
)
from workers.broker import JobBroker
from workers.environment import settings
from workers.tracing import Tracing

_settings = settings()
try:
    services = build(_settings)
except SettingsError as error:
    sys.exit(str(error))
broker = JobBroker(_settings.broker_url)
if services.agent is not None:
    broker.add_middleware(Tracing(services.agent), before=AgeLimit)
invalidation.register(
    broker, services.purger, services.webhooks, services.invalidation, services.refetching
)
warming.register(broker, services.warming)
feeds.register(broker, services.feeds, services.redelivery, services.refetching)
pruning.register(broker, services.database)
statement_snapshots.register(broker, services.database)
alerts.register(broker, services.alerting)
metrics.register(broker, RollUp(services.windows, services.database))
upkeep.register(broker)
dramatiq.set_broker(broker)
