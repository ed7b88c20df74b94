"""The overview: one verdict a subject, each from the subject's own report.

A subject whose source can't be reached says so in its line; the others stand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from webapp.errors import BrokerUnavailable, DatabaseUnavailable, StoreUnavailable
from webapp.reports import alerts, cache, database, github, jobs, requests, warming, webhooks
from webapp.reports.figures import kept
from webapp.reports.periods import Window
from webapp.reports.reads import Reads, quantiles_before, read, read_whole
from webapp.reports.verdicts import Verdict, worst
from webapp.services import Services

Judge = Callable[[Services, Window], Sequence[Verdict]]

AWAY = (StoreUnavailable, DatabaseUnavailable, BrokerUnavailable)


@dataclass(frozen=True, slots=True)
class Overview:
    """The page's and its twin's content; no reads where they can't be told."""

    window: Window
    verdicts: list[Verdict]
    reads: Reads | None
    before: Reads | None
    p95_before: Sequence[float | None]
    points: tuple[int, int] | None  # spent, saved

    def as_json(self) -> dict[str, object]:
        """Section 12's shape."""
        reads = self.reads
        return {
            "as_of": self.window.now.isoformat(),
            "period": self.window.name,
            "verdicts": [each.as_json() for each in self.verdicts],
            "requests": reads.number() if reads else None,
            "hit_rate": reads.hit_rate() if reads else None,
            "p95": reads.quantile(0.95) if reads else None,
            "points": {"spent": self.points[0], "saved": self.points[1]} if self.points else None,
        }


def report(services: Services, window: Window) -> Overview:
    """Never raises over a store that is away."""
    reads = before = points = None
    p95_before: Sequence[float | None] = ()
    try:
        reads, before = read(services, window), read_whole(services, window.before())
        p95_before = quantiles_before(services, window, 0.95)
        points = _points(services, window)
    except AWAY:
        pass
    verdicts: list[Verdict] = []
    for name, judge in SUBJECTS:
        try:
            verdicts += judge(services, window)
        except AWAY:
            verdicts.append(Verdict(name, "unknown", "What would tell it can’t be reached."))
    if reads is not None and before is not None:
        verdicts = [
            cache.hit_rate(reads, before),
            requests.latency(reads, before),
            requests.errors(reads, before),
            cache.freshness(reads, before),
            *verdicts,
        ]
    return Overview(window, verdicts, reads, before, p95_before, points)


def _points(services: Services, window: Window) -> tuple[int, int]:
    """Spent and saved."""

    def counted() -> tuple[int, int]:
        totals = services.points.totals(window.since.timestamp(), window.now.timestamp()).all
        return totals.spent, totals.saved

    spent, saved = kept(services, "points", window, counted)
    return spent, saved


def _budget(services: Services, window: Window) -> list[Verdict]:
    (spent, _), (before, _) = _points(services, window), _points(services, window.before())
    return [github.budget(github.budgets(services, window.now), spent, before)]


def _jobs(services: Services, window: Window) -> list[Verdict]:
    """The worst of its lines in one."""
    found = jobs.verdicts(
        services.jobs.heartbeats(), services.queues.state(), window.now.timestamp()
    )
    state = worst(found)
    told = [each for each in found if each.state == state]
    reason = "; ".join(f"{each.name.lower()}: {each.reason}" for each in told)
    action = told[0].action if told else ""
    return [
        Verdict("Jobs", state, f"{reason[:1].upper()}{reason[1:]}.", action, page="dashboard.jobs")
    ]


def _redis(services: Services, _: Window) -> list[Verdict]:
    try:
        services.redis.ping()
    except StoreUnavailable:
        reason = "Redis can’t be reached: answers come from the archive and from GitHub."
        return [Verdict("Redis", "fail", reason, "Look at REDIS_URL’s server.")]
    return [cache.redis_memory(cache.memory(services.metrics))]


SUBJECTS: tuple[tuple[str, Judge], ...] = (
    ("GitHub budget", _budget),
    ("Jobs", _jobs),
    ("Warming", warming.verdicts),
    ("Webhooks", webhooks.verdicts),
    ("Database", database.verdicts),
    ("Redis", _redis),
    ("Alerts", alerts.verdicts),
)
"""In the overview's order, after what the reads tell."""
