"""What the rules measure, by name: from metrics, queues, GitHub's ledger, Redis and PostgreSQL.

Counts come from windows of time, never from differences of running totals, so a counter that begins
anew (a restarted Redis) makes a window smaller and never negative. Windows of hours and days change
slowly and cost much to read: they are remembered for a hundredth of their length.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from webapp.cache.connection import Connection
from webapp.db.alerts import alert_webhook_owners
from webapp.db.pool import Database
from webapp.errors import (
    BrokerUnavailable,
    CredentialRefused,
    DatabaseUnavailable,
    GitHubUnavailable,
    StoreUnavailable,
)
from webapp.github.budget import Budget
from webapp.github.credentials import Credentials
from webapp.jobs import HEARTBEAT_EXPIRY, Jobs
from webapp.outcome import WITHOUT_GITHUB, Outcome
from webapp.queues import Queues
from webapp.telemetry.alerts.alert import Reading
from webapp.telemetry.alerts.rules import DAY, MINUTE, Rule
from webapp.telemetry.metrics import Metrics
from webapp.warming.runs import Runs

AWAY = (
    *(BrokerUnavailable, DatabaseUnavailable, StoreUnavailable),
    *(CredentialRefused, GitHubUnavailable),
)
BASE = 7 * DAY  # what the hit rate is compared with
RESOURCES = ("core", "graphql")  # the hour's; search has a minute of its own, spent by design
RUNS_LOOKED_AT = 200
ASKING = 2.0  # seconds for which GitHub may be asked which installations there are


@dataclass(slots=True)
class Measured:
    """One per process."""

    metrics: Metrics
    queues: Queues
    jobs: Jobs
    budget: Budget
    credentials: Credentials
    redis: Connection
    database: Database
    warming: Runs
    objective: float
    """Per cent of answers that are no failure of ours."""
    clock: Callable[[], float] = time.time
    """Unix seconds."""
    _held: dict[object, tuple[float, Any]] = field(default_factory=dict)

    def read(self, rule: Rule) -> Sequence[Reading] | None:
        """A reading a subject; None where it can't be asked now."""
        try:
            return MEASURES[rule.measure](self, rule)
        except AWAY:
            return None

    def remembered(self, key: object, seconds: float, ask: Callable[[], Any]) -> Any:
        """What was found out at most so many seconds ago."""
        now = self.clock()
        at, found = self._held.get(key, (float("-inf"), None))
        if not 0 <= now - at < seconds:
            found = ask()
            self._held[key] = now, found
        return found

    def counts(self, name: str, label: str, since: float, until: float = 0.0) -> dict[str, int]:
        """By a label's values, from so many seconds ago until so many ago."""

        def ask() -> dict[str, int]:
            now = self.clock()
            found = self.metrics.totals(name, since=now - since, until=now - until, by=(label,))
            return {value: sample.count for (value,), sample in found.items()}

        counted: dict[str, int] = self.remembered((name, label, since, until), since / 100, ask)
        return counted


def _hit_rate_drop(of: Measured, rule: Rule) -> Sequence[Reading]:
    present, _ = _hit_rate(of, rule.window)
    before, reads_before = _hit_rate(of, BASE, rule.window)
    _, reads = _hit_rate(of, rule.window)
    if present is None or before is None:
        return [Reading("", None, 0)]
    drop = 100 * (before - present)
    return [Reading("", max(0.0, drop), min(reads, reads_before))]


def _hit_rate(of: Measured, since: float, until: float = 0.0) -> tuple[float | None, int]:
    """The share of reads that waited for nobody, and how many reads."""
    counted = of.counts("request_duration_seconds", "outcome", since, until)
    reads = sum(counted.values()) - counted.get(Outcome.BYPASS, 0)
    hits = sum(counted.get(outcome, 0) for outcome in WITHOUT_GITHUB)
    return (hits / reads if reads else None), reads


def _latency_p95(of: Measured, rule: Rule) -> Sequence[Reading]:
    now = of.clock()
    sample = of.metrics.total("request_duration_seconds", since=now - rule.window, until=now)
    return [Reading("", sample.quantile(0.95), sample.count)]


def _error_budget_burn(of: Measured, rule: Rule) -> Sequence[Reading]:
    """The smaller of both windows' burn rates; samples are failures in the long one."""
    burn, failures = _burn(of, rule.window)
    if rule.short:
        recent, _ = _burn(of, rule.short)
        burn = None if burn is None else min(burn, recent or 0.0)
    # Few failures are no burn; no answers at all are no data.
    calm = burn is not None and failures < rule.minimum
    return [Reading("", 0.0 if calm else burn, rule.minimum if calm else failures)]


def _burn(of: Measured, window: float) -> tuple[float | None, int]:
    answers = sum(of.counts("request_duration_seconds", "outcome", window).values())
    failures = sum(of.counts("request_failures_total", "status", window).values())
    allowed = 1 - of.objective / 100
    return (failures / answers / allowed if answers else None), failures


def _credential_ids(of: Measured) -> Sequence[str]:
    ids: Sequence[str] = of.remembered(
        "ids", MINUTE / 2, lambda: of.credentials.ids(time.monotonic() + ASKING)
    )
    return ids


def _github_left(of: Measured, _: Rule) -> Sequence[Reading]:
    readings = []
    for credential in _credential_ids(of):
        for resource in RESOURCES:
            limits = of.budget.limits(credential, resource)
            if limits.limit:
                left = 100 * limits.remaining / limits.limit
                readings.append(Reading(f"{credential} {resource}", left))
    return readings


def _github_shortfall(of: Measured, _: Rule) -> Sequence[Reading]:
    readings = []
    for credential in _credential_ids(of):
        for resource in RESOURCES:
            limits = of.budget.limits(credential, resource)
            if not limits.limit:
                continue  # GraphQL without a token: nothing that could run out
            empty = of.budget.forecast(credential, resource)
            short = max(0.0, limits.reset - empty) if empty is not None else 0.0
            readings.append(Reading(f"{credential} {resource}", short))
    return readings


def _github_paused(of: Measured, _: Rule) -> Sequence[Reading]:
    now = of.clock()
    return [
        Reading(credential, max(0.0, of.budget.paused_until(credential) - now))
        for credential in _credential_ids(of)
    ]


def _credentials_set_aside(of: Measured, _: Rule) -> Sequence[Reading]:
    return [Reading(each.id, 1.0) for each in of.credentials.set_aside()]


def _oldest_job(of: Measured, _: Rule) -> Sequence[Reading]:
    return [Reading(each.queue, each.oldest or 0.0) for each in _state(of).queues]


def _dead_letters(of: Measured, _: Rule) -> Sequence[Reading]:
    return [Reading(each.queue, float(each.dead)) for each in _state(of).queues]


def _jobs_died(of: Measured, rule: Rule) -> Sequence[Reading]:
    died = of.counts("jobs_total", "result", rule.window).get("dead", 0)
    return [Reading("", float(died))]


def _worker_heartbeat(of: Measured, _: Rule) -> Sequence[Reading]:
    """Since any worker asked for jobs, or finished one: neither the scheduler nor slow jobs are
    to blame a worker for."""
    seen = [each.seen for each in _state(of).workers]
    finished = of.jobs.heartbeats().worker
    return [_age(of, max([*seen, finished or 0.0]))]


def _scheduler_heartbeat(of: Measured, _: Rule) -> Sequence[Reading]:
    return [_age(of, of.jobs.heartbeats().scheduler or 0.0)]


def _age(of: Measured, seen: float) -> Reading:
    """What hasn't shown itself for long, or never, left nothing to tell how long."""
    age = of.clock() - seen if seen else float(HEARTBEAT_EXPIRY)
    return Reading("", max(0.0, age))


def _state(of: Measured) -> Any:
    return of.remembered("queues", 0.5, of.queues.state)


def _warming_overdue(of: Measured, _: Rule) -> Sequence[Reading]:
    """Since the oldest run of the schedule began that isn't done, and none was done since."""
    now = datetime.fromtimestamp(of.clock(), UTC)
    overdue = timedelta(0)
    for run in of.warming.latest(RUNS_LOOKED_AT):
        if run.source != "schedule":
            continue
        if run.state == "done":
            break
        if run.state in {"queued", "running", "failed"}:
            overdue = max(overdue, now - run.created_at)
    return [Reading("", overdue.total_seconds())]


def _webhook_silence(of: Measured, rule: Rule) -> Sequence[Reading]:
    now = datetime.fromtimestamp(of.clock(), UTC)

    def ask() -> Any:
        with of.database.connection() as conn:
            return alert_webhook_owners(conn, since=now - timedelta(seconds=rule.window))

    owners = of.remembered("owners", min(5 * MINUTE, rule.window / 100), ask)
    return [
        Reading(each.owner, max(0.0, (now - each.last).total_seconds()), each.deliveries)
        for each in owners
        if each.deliveries >= rule.minimum
    ]


def _webhook_bad_signatures(of: Measured, rule: Rule) -> Sequence[Reading]:
    refused = of.counts("webhooks_total", "reason", rule.window).get("signature", 0)
    return [Reading("", float(refused))]


def _webhook_lag_p95(of: Measured, rule: Rule) -> Sequence[Reading]:
    now = of.clock()
    sample = of.metrics.total("webhook_lag_seconds", since=now - rule.window, until=now)
    return [Reading("", sample.quantile(0.95), sample.count)]


def _statement_mean(of: Measured, rule: Rule) -> Sequence[Reading]:
    now = of.clock()
    found = of.metrics.totals(
        "db_query_duration_seconds", since=now - rule.window, until=now, by=("query",)
    )
    return [Reading(query, sample.mean, sample.count) for (query,), sample in found.items()]


def _redis_memory(of: Measured, _: Rule) -> Sequence[Reading]:
    told: dict[str, Any] = of.redis.info("memory")
    limit = told.get("maxmemory") or told.get("total_system_memory")
    return [Reading("", 100 * told["used_memory"] / limit if limit else None)]


MEASURES: Mapping[str, Callable[[Measured, Rule], Sequence[Reading]]] = {
    "hit_rate_drop": _hit_rate_drop,
    "latency_p95": _latency_p95,
    "error_budget_burn": _error_budget_burn,
    "github_left": _github_left,
    "github_shortfall": _github_shortfall,
    "github_paused": _github_paused,
    "credentials_set_aside": _credentials_set_aside,
    "oldest_job": _oldest_job,
    "dead_letters": _dead_letters,
    "jobs_died": _jobs_died,
    "worker_heartbeat": _worker_heartbeat,
    "scheduler_heartbeat": _scheduler_heartbeat,
    "warming_overdue": _warming_overdue,
    "webhook_silence": _webhook_silence,
    "webhook_bad_signatures": _webhook_bad_signatures,
    "webhook_lag_p95": _webhook_lag_p95,
    "statement_mean": _statement_mean,
    "redis_memory": _redis_memory,
}
"""Each raises what its source raises (AWAY)."""
