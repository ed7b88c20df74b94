"""What web and workers share, built from Settings: the only wiring.

Settings ─┬ Connection ─ EntryBackend (Flask-Caching) ─ Store ─┬───────────┬ Purger
          ├ Database ─ Archive (requests-cache) ─ Client ──────┼ Fetcher ──┴ Ladder
          └ Callers                                            └ Finisher
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask_caching import Cache

from webapp import scrub
from webapp.audit import Audit
from webapp.cache.backend import CACHE_TYPE, EntryBackend
from webapp.cache.connection import Connection
from webapp.cache.near import Near
from webapp.cache.results import Results
from webapp.cache.store import Store
from webapp.callers import Callers
from webapp.catalog.catalog import Catalog
from webapp.changes.feeds import Feeds
from webapp.changes.invalidation import Invalidation
from webapp.changes.redelivery import Redelivery
from webapp.changes.refetching import Refetching
from webapp.changes.webhooks import Webhooks
from webapp.db.pool import Database
from webapp.demand import Demand
from webapp.fetching import Fetcher
from webapp.github.archive import Archive
from webapp.github.budget import Budget
from webapp.github.client import Client
from webapp.github.credentials import Credentials
from webapp.github.entries import Finisher
from webapp.github.etags import Formula
from webapp.github.exchange import Exchange
from webapp.github.ledger.points import Points
from webapp.github.outage import Outage
from webapp.harvesting.harvest import Harvest
from webapp.hitpath import PREFIX
from webapp.hosts import Hosts
from webapp.jobs import Jobs
from webapp.limits import Limits
from webapp.list_rows import ListRows
from webapp.policy import Periods
from webapp.purging import Purger
from webapp.queues import Queues
from webapp.serve import Ladder
from webapp.settings import Settings
from webapp.shares import Shares
from webapp.signals import purged
from webapp.telemetry.alerts.alerting import Alerting
from webapp.telemetry.alerts.delivery import receivers_of
from webapp.telemetry.alerts.figures import Measured
from webapp.telemetry.alerts.overrides import overridden
from webapp.telemetry.alerts.rounds import Rounds
from webapp.telemetry.counts import Counts
from webapp.telemetry.delivery import Deliveries
from webapp.telemetry.gauges import Gauges
from webapp.telemetry.measuring import Measuring
from webapp.telemetry.metrics import Metrics
from webapp.telemetry.readings import Readings
from webapp.telemetry.recorder import Recorder
from webapp.telemetry.tracing.apm import Agent, carried
from webapp.telemetry.tracing.spans import statement
from webapp.telemetry.tracing.traces import TraceWriter
from webapp.telemetry.tracing.web_traces import WebTraces
from webapp.telemetry.windows import Windows
from webapp.version import VERSION
from webapp.warming.runs import Runs
from webapp.warming.warmer import Warmer
from webapp.watches import Watches


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Services:
    """One set per process. Nothing connects before it is used."""

    settings: Settings
    callers: Callers
    hosts: Hosts
    shares: Shares
    limits: Limits
    caching: Cache
    redis: Connection
    store: Store
    database: Database
    harvest: Harvest
    results: Results
    catalog: Catalog
    archive: Archive
    client: Client
    credentials: Credentials
    budget: Budget
    points: Points
    ladder: Ladder
    purger: Purger
    invalidation: Invalidation
    refetching: Refetching
    feeds: Feeds
    redelivery: Redelivery
    webhooks: Webhooks
    near: Near
    jobs: Jobs
    queues: Queues
    audit: Audit
    watches: Watches
    demand: Demand
    warming: Runs
    windows: Windows
    gauges: Gauges
    metrics: Metrics
    measuring: Measuring
    recorder: Recorder
    alerting: Alerting
    traces: TraceWriter
    agent: Agent | None
    """None with TELEMETRY off."""

    def close(self) -> None:
        """Give connections back; used by tests and short-lived commands."""
        self.alerting.stop()
        self.demand.stop(self)
        self.recorder.stop(self)
        self.measuring.stop()
        self.near.close()
        self.purger.close()
        self.catalog.close()
        self.ladder.close()
        self.harvest.close()
        if self.agent is not None:
            self.agent.close()
        self.database.close()
        self.jobs.close()
        self.redis.close()


def build(settings: Settings, app: Flask | None = None) -> Services:
    """Wire everything. Flask-Caching hangs its configuration on an app; workers have none.

    Raises SettingsError, over what ALERT_RULES says.
    """
    scrub.know(settings.secrets())
    # A worker's few threads do with fewer: the smallest plans allow twenty in all.
    size = settings.redis_pool if app is not None else -(-settings.redis_pool * 2 // 3)
    redis = Connection(settings.redis_url, size=size)
    caching = Cache()
    caching.init_app(
        app or Flask("forewarm"),
        config={"CACHE_TYPE": CACHE_TYPE, "CACHE_REDIS_CLIENT": redis},
    )
    backend = caching.app.extensions["cache"][caching]
    assert isinstance(backend, EntryBackend)

    periods = Periods(settings.fresh, settings.stale, settings.grace, settings.negative)
    longest = max(periods.fresh.values()) + periods.stale + periods.grace
    store = Store(backend, longest=longest)
    database = Database(
        settings.database_url,
        size=settings.database_pool,
        around=statement if settings.telemetry else None,
    )
    traces = TraceWriter(database)
    archive = Archive(database, Formula())
    jobs = Jobs(settings.broker_url, carrying=carried if settings.telemetry else dict)
    purger = Purger(store, database, jobs)
    redis.catch_up = purger.catch_up
    points = Points(redis)
    demand = Demand(redis)
    credentials = Credentials(settings, redis)
    budget = Budget(redis)
    client = Client(
        api_url=settings.github_api_url,
        graphql_url=settings.github_graphql_url,
        exchange=Exchange(settings.github_api_url, archive),
        credentials=credentials,
        budget=budget,
        points=points,
        outage=Outage(),
    )
    finisher = Finisher(settings.github_api_url, periods, random.random)
    shares = Shares(settings.web_threads)
    near = Near(settings.redis_url, limit=settings.near_mb * 1024 * 1024)
    harvest = Harvest(database)
    harvest.subscribe(ListRows(purger))
    fetcher = Fetcher(store, client, finisher, shares, harvest)
    ladder = Ladder(store, archive, fetcher, finisher)
    results = Results(backend)
    invalidation = Invalidation(purger, database, jobs, credentials.installed)
    watches = Watches(settings.watch, database)
    hosts = Hosts(settings)
    warmer = Warmer(
        store=store,
        fetcher=fetcher,
        periods=periods,
        watches=watches,
        demand=demand,
        redis=redis,
        base_url=hosts.own_base_url + PREFIX,
    )
    queues = Queues(jobs)
    windows, counts = Windows(redis), Counts()
    gauges = Gauges(
        role="worker" if app is None else "web",
        redis=redis,
        database=database,
        jobs=jobs,
        queues=queues,
        credentials=credentials,
        budget=budget,
        windows=windows,
        counts=counts,
    )
    measuring = Measuring(counts, Deliveries(windows), gauges)
    metrics = Metrics(Readings(windows, database))
    warming = Runs(database, jobs, watches, warmer)
    services = Services(
        settings=settings,
        callers=Callers(settings),
        hosts=hosts,
        shares=shares,
        limits=Limits(redis),
        caching=caching,
        redis=redis,
        store=store,
        database=database,
        harvest=harvest,
        results=results,
        catalog=Catalog(
            database=database,
            harvest=harvest,
            results=results,
            client=client,
            credentials=credentials,
            ladder=ladder,
            shares=shares,
            watches=watches,
            periods=periods,
        ),
        archive=archive,
        client=client,
        credentials=credentials,
        budget=budget,
        points=points,
        ladder=ladder,
        purger=purger,
        invalidation=invalidation,
        refetching=Refetching(watches, demand, store, fetcher),
        feeds=Feeds(watches, client, redis, invalidation),
        redelivery=Redelivery(credentials, client, watches, redis, base_url=hosts.own_base_url),
        webhooks=Webhooks(settings.github_webhook_secret, invalidation, purger, database, jobs),
        near=near,
        jobs=jobs,
        queues=queues,
        audit=Audit(database),
        watches=watches,
        demand=demand,
        warming=warming,
        windows=windows,
        gauges=gauges,
        metrics=metrics,
        measuring=measuring,
        recorder=Recorder(points.flush, demand.flush, measuring.flush, takers=[measuring.hits]),
        alerting=_alerting(
            settings,
            database,
            metrics=metrics,
            queues=queues,
            jobs=jobs,
            budget=budget,
            credentials=credentials,
            redis=redis,
            warming=warming,
        ),
        traces=traces,
        agent=Agent(traces, version=VERSION) if settings.telemetry else None,
    )
    if services.agent is not None and app is not None:
        app.extensions["traces"] = WebTraces(app, services.agent)
    purged.connect(harvest.purged, sender=purger)
    demand.listen(services)
    if settings.telemetry:
        measuring.start(app)
    services.recorder.start(services, telling=settings.telemetry)
    if app is not None:
        Rounds(services.alerting).start()
    return services


def _alerting(settings: Settings, database: Database, **sources: Any) -> Alerting:
    """`sources` are the rest of what is measured (alerts/figures.py)."""
    rules, timing = overridden(settings.alert_rules)
    measured = Measured(database=database, objective=timing.objective, **sources)
    url = settings.public_url or ""
    return Alerting(database, measured, rules, timing, receivers_of(settings), url=url)
