"""Webhooks: do they come, are they GitHub's, how late are they."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from webapp.db.deliveries import Counted, Delivery, deliveries_counted, deliveries_recent
from webapp.errors import DatabaseUnavailable, StoreUnavailable
from webapp.reports import wording
from webapp.reports.figures import kept
from webapp.reports.periods import Window
from webapp.reports.verdicts import Bounds, Verdict
from webapp.services import Services

BAD = Bounds(warn=5, fail=100)  # signatures refused in the period
LATE = Bounds(warn=60, fail=600)  # seconds, p95
LISTED = 100
RESULTS = ("accepted", "duplicate", "ignored", "refused")
PAGE = "dashboard.webhooks"


@dataclass(frozen=True, slots=True)
class Owner:
    """When an owner's last delivery came: silence shows here first."""

    owner: str
    deliveries: int
    last: datetime


@dataclass(frozen=True, slots=True)
class WebhooksReport:
    """The page's content; its JSON twin is views/api/webhooks.py. `results`: accepted, duplicate,
    ignored and refused; empty where they can't be told. Lists are None while PostgreSQL is away."""

    window: Window
    results: Mapping[str, int]
    verdicts: list[Verdict]
    events: Sequence[Counted] | None
    deliveries: Sequence[Delivery] | None

    @property
    def owners(self) -> list[Owner]:
        """Of the deliveries listed, the most silent first."""
        found: dict[str, Owner] = {}
        for each in self.deliveries or ():
            if each.owner:
                known = found.get(each.owner)
                number = known.deliveries + 1 if known else 1
                last = max(known.last, each.received_at) if known else each.received_at
                found[each.owner] = Owner(each.owner, number, last)
        return sorted(found.values(), key=lambda each: each.last)


def report(services: Services, window: Window) -> WebhooksReport:
    """Never raises."""
    results: Mapping[str, int] = {}
    try:
        results, told = _results(services, window), verdicts(services, window)
    except (StoreUnavailable, DatabaseUnavailable):
        told = [Verdict("Webhooks", "unknown", "What would tell it can’t be reached.", page=PAGE)]
    try:
        with services.database.connection() as conn:
            return WebhooksReport(
                window,
                results,
                told,
                deliveries_counted(conn, since=window.since),
                deliveries_recent(conn, since=window.since, rows=LISTED),
            )
    except DatabaseUnavailable:
        return WebhooksReport(window, results, told, None, None)


def _results(services: Services, window: Window) -> dict[str, int]:
    """Deliveries by what became of them. Raises StoreUnavailable, DatabaseUnavailable."""
    since, until = window.since.timestamp(), window.now.timestamp()

    def counted() -> dict[str, int]:
        totals = services.metrics.totals("webhooks_total", since=since, until=until, by=("result",))
        return {result: each.count for (result,), each in totals.items()}

    return dict.fromkeys(RESULTS, 0) | kept(services, "webhooks", window, counted)


def verdicts(services: Services, window: Window) -> list[Verdict]:
    """One. Raises StoreUnavailable, DatabaseUnavailable."""
    if services.settings.github_webhook_secret is None:
        reason = "Off: GITHUB_WEBHOOK_SECRET isn’t set, so changes are found when a period ends."
        return [Verdict("Webhooks", "warn", reason, "Set one up.", page=PAGE)]
    counted = _results(services, window)
    refused = counted.pop("refused")
    received = sum(counted.values())
    since, until = window.since.timestamp(), window.now.timestamp()
    lag = kept(
        services,
        "webhook-lag",
        window,
        lambda: services.metrics.quantile("webhook_lag_seconds", 0.95, since=since, until=until),
    )
    if (state := BAD.state(refused)) != "ok":
        reason = f"{wording.count(refused)} refused: not signed with our secret, or malformed."
        action = "Compare the secret here and at GitHub."
        return [Verdict("Webhooks", state, reason, action, page=PAGE)]
    if not received:
        action = "Check the hook’s recent deliveries at GitHub."
        return [Verdict("Webhooks", "unknown", "None came in this period.", action, page=PAGE)]
    late = "" if lag is None else f", p95 {wording.duration(lag)} after GitHub sent them"
    state = "ok" if lag is None else LATE.state(lag)
    reason = f"{wording.count(received)} came{late}; {wording.count(counted['duplicate'])} twice."
    return [Verdict("Webhooks", state, reason, page=PAGE)]
