"""Requests: is it fast, does it fail, and on which route; all of them, not a sample.

Figures are the mirror's and the API's; the dashboard's own pages and health checks are apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import astuple, dataclass

from webapp.outcome import Outcome
from webapp.reports import wording
from webapp.reports.figures import kept
from webapp.reports.periods import Window
from webapp.reports.reads import Reads, quantiles_before, read, read_whole
from webapp.reports.verdicts import Bounds, Verdict
from webapp.services import Services
from webapp.telemetry.histogram import Histogram, edge_of
from webapp.telemetry.metrics import Metrics

ERRORS = frozenset({Outcome.ERROR.value, "5xx"})
SLOW = Bounds(warn=1.0, fail=3.0, samples=20)  # seconds, p95
FAILING = Bounds(warn=0.01, fail=0.05, samples=20)  # share of answers
BANDS = (0.0, 0.001, 0.004, 0.016, 0.064, 0.25, 1.0, 4.0)
"""The heatmap's rows: seconds from which each begins."""


@dataclass(frozen=True, slots=True)
class Route:
    """One route's figures in the period. `impact` is seconds spent on it per second."""

    route: str
    count: int
    rate: float
    errors: int
    p50: float | None
    p95: float | None
    p99: float | None
    mean: float | None
    impact: float

    def as_json(self) -> dict[str, object]:
        """Durations in seconds, rate and impact per second."""
        return {
            "route": self.route,
            "count": self.count,
            "rate": self.rate,
            "errors": self.errors,
            "p50": self.p50,
            "p95": self.p95,
            "p99": self.p99,
            "mean": self.mean,
            "impact": self.impact,
        }


@dataclass(frozen=True, slots=True)
class Requests:
    """The page's and its twin's content."""

    reads: Reads
    before: Reads
    p95_before: Sequence[float | None]
    routes: list[Route]

    @property
    def verdicts(self) -> list[Verdict]:
        """Latency, errors."""
        return [latency(self.reads, self.before), errors(self.reads, self.before)]

    def heat(self) -> list[list[int]]:
        """Answers by band of latency (BANDS, the fastest first) and step."""
        steps = [self.reads.durations_by_step.get(i) for i in range(self.reads.window.steps)]
        return [[_in_band(each, band) for each in steps] for band in range(len(BANDS))]

    def as_json(self) -> dict[str, object]:
        """Section 12's shape."""
        return {
            "as_of": self.reads.window.now.isoformat(),
            "period": self.reads.window.name,
            "verdicts": [each.as_json() for each in self.verdicts],
            "count": self.reads.number(),
            "errors": self.reads.number({Outcome.ERROR.value}),
            "latency": {
                name: self.reads.quantile(share)
                for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
            },
            "routes": [each.as_json() for each in self.routes],
        }


def report(services: Services, window: Window) -> Requests:
    """Raises StoreUnavailable, DatabaseUnavailable."""
    found = kept(
        services, "routes", window, lambda: list(map(astuple, routes(services.metrics, window)))
    )
    return Requests(
        reads=read(services, window),
        before=read_whole(services, window.before()),
        p95_before=quantiles_before(services, window, 0.95),
        routes=[Route(*each) for each in found],
    )


def routes(metrics: Metrics, window: Window) -> list[Route]:
    """The one that takes most of the time first."""
    totals = metrics.totals(
        "route_duration_seconds",
        since=window.since.timestamp(),
        until=window.now.timestamp(),
        by=("route", "outcome"),
    )
    merged: defaultdict[str, Histogram] = defaultdict(Histogram)
    failed: defaultdict[str, int] = defaultdict(int)
    for (route, outcome), sample in totals.items():
        if sample.histogram is not None:
            merged[route].merge(sample.histogram)
        if outcome in ERRORS:
            failed[route] += sample.count
    found = [
        Route(
            route=route,
            count=each.count,
            rate=each.count / window.seconds,
            errors=failed[route],
            p50=each.quantile(0.5),
            p95=each.quantile(0.95),
            p99=each.quantile(0.99),
            mean=each.mean,
            impact=each.sum / 1e6 / window.seconds,
        )
        for route, each in merged.items()
    ]
    return sorted(found, key=lambda each: (-each.impact, each.route))


def latency(reads: Reads, before: Reads) -> Verdict:
    """One answer in twenty takes longer than this."""
    p95, earlier = reads.quantile(0.95), before.quantile(0.95)
    state = SLOW.state(p95, reads.number())
    return Verdict(
        "Latency",
        state,
        f"p95 {wording.duration(p95)} over {wording.count(reads.number())} answers."
        if p95 is not None
        else "Nothing was asked.",
        "Look at which route and outcome are slow." if state in {"warn", "fail"} else "",
        wording.change(p95, earlier),
        page="dashboard.requests",
    )


def errors(reads: Reads, before: Reads) -> Verdict:
    """Answers that were none: refused, limit, 502, 503, 504."""
    failed = {Outcome.ERROR.value}
    share = reads.share(failed)
    state = FAILING.state(share, reads.number())
    if share is None:
        return Verdict("Errors", "unknown", "Nothing was asked.", page="dashboard.requests")
    number, whole = wording.count(reads.number(failed)), wording.count(reads.number())
    return Verdict(
        "Errors",
        state,
        f"{number} of {whole} answers, {wording.share(share)}.",
        "See the routes that fail, and whether GitHub is up." if state in {"warn", "fail"} else "",
        wording.points(share, before.share(failed)),
        page="dashboard.requests",
    )


def _in_band(histogram: Histogram | None, band: int) -> int:
    if histogram is None:
        return 0
    low = BANDS[band] * 1e6
    high = BANDS[band + 1] * 1e6 if band + 1 < len(BANDS) else float("inf")
    return sum(n for bucket, n in histogram.buckets.items() if low <= edge_of(bucket) < high)
