"""The mirror's answers in a period: how many, of which outcome, how fast.

Every answer counts once, whoever gave it (telemetry/listening.py). A read is an answer that could
have come from a shelf: all but BYPASS.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from webapp.outcome import WITHOUT_GITHUB, Outcome
from webapp.reports.figures import Packed, kept, packed, unpacked
from webapp.reports.periods import Window
from webapp.services import Services
from webapp.telemetry.histogram import Histogram
from webapp.telemetry.metrics import Metrics

FAMILIES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "hit": frozenset({Outcome.HIT, Outcome.NEGATIVE}),
        "stale": frozenset({Outcome.STALE, Outcome.GRACE}),
        "revalidated": frozenset({Outcome.REVALIDATED}),
        "miss": frozenset({Outcome.MISS, Outcome.COALESCED}),
        "bypass": frozenset({Outcome.BYPASS}),
        "error": frozenset({Outcome.ERROR}),
    }
)
"""Outcomes that mean the same to whoever waits, in the order in which charts stack them."""
MEASURE = "request_duration_seconds"

_Plain = tuple[
    list[tuple[str, str, int]],
    list[tuple[str, str, Packed]],
    list[tuple[int, dict[str, int]]],
    list[tuple[int, Packed]],
]


@dataclass(frozen=True, slots=True)
class Reads:
    """Answers by resource and outcome, of the whole period and of each step."""

    window: Window
    numbers: Counter[tuple[str, str]]
    durations: Mapping[tuple[str, str], Histogram]
    by_step: Mapping[int, Counter[str]] = field(default_factory=dict)
    durations_by_step: Mapping[int, Histogram] = field(default_factory=dict)

    def number(self, outcomes: Iterable[str] | None = None, resource: str | None = None) -> int:
        """Answers, of some outcomes or of one resource alone."""
        chosen = None if outcomes is None else set(outcomes)
        return sum(
            number
            for (each, outcome), number in self.numbers.items()
            if (chosen is None or outcome in chosen) and (resource is None or each == resource)
        )

    def hit_rate(self, resource: str | None = None) -> float | None:
        """The share of reads that waited for nobody; None without reads."""
        reads = self.number(resource=resource) - self.number(FAMILIES["bypass"], resource)
        return self.number(WITHOUT_GITHUB, resource) / reads if reads else None

    def share(self, outcomes: Iterable[str]) -> float | None:
        """Of all answers; None without any."""
        whole = self.number()
        return self.number(outcomes) / whole if whole else None

    def quantile(
        self, share: float, outcomes: Iterable[str] | None = None, resource: str | None = None
    ) -> float | None:
        """Seconds; None without answers."""
        chosen = None if outcomes is None else set(outcomes)
        merged = Histogram()
        for (each, outcome), histogram in self.durations.items():
            if (chosen is None or outcome in chosen) and (resource is None or each == resource):
                merged.merge(histogram)
        return merged.quantile(share)

    def rates(self, outcomes: Iterable[str]) -> list[float | None]:
        """Answers a second, step by step; 0 where there were none."""
        chosen, seconds = set(outcomes), self.window.step.total_seconds()
        return [
            sum(self.by_step[step][each] for each in chosen) / seconds
            if step in self.by_step
            else 0
            for step in range(self.window.steps)
        ]

    def hit_rates(self) -> list[float | None]:
        """Step by step; None where there were no reads."""
        rates: list[float | None] = []
        for step in range(self.window.steps):
            counted = self.by_step.get(step, Counter())
            reads = counted.total() - sum(counted[each] for each in FAMILIES["bypass"])
            hits = sum(counted[each] for each in WITHOUT_GITHUB)
            rates.append(hits / reads if reads else None)
        return rates

    def quantiles(self, share: float) -> list[float | None]:
        """Seconds, step by step; None where there were no answers."""
        found = (self.durations_by_step.get(step) for step in range(self.window.steps))
        return [None if each is None else each.quantile(share) for each in found]


def read(services: Services, window: Window) -> Reads:
    """Step by step. Raises StoreUnavailable, DatabaseUnavailable."""
    metrics = services.metrics
    return _unpacked(
        window, kept(services, "reads", window, lambda: _packed(_read(metrics, window)))
    )


def read_whole(services: Services, window: Window) -> Reads:
    """Of the period as a whole, to compare with. Raises as `read`."""
    metrics = services.metrics
    whole = kept(services, "reads-whole", window, lambda: _packed(_read_whole(metrics, window)))
    return _unpacked(window, whole)


def quantiles_before(services: Services, window: Window, share: float) -> list[float | None]:
    """Seconds, step by step, of the period before; None where there were no answers. Raises as
    `read`."""
    before = window.before()
    name = f"quantiles-{share:g}"
    return kept(services, name, before, lambda: _quantiles(services.metrics, before, share))


def _read(metrics: Metrics, window: Window) -> Reads:
    since, step = window.since.timestamp(), window.step.total_seconds()
    series = metrics.series(
        MEASURE,
        since=since,
        until=window.until.timestamp(),
        step=int(step),
        by=("resource", "outcome"),
    )
    numbers: Counter[tuple[str, str]] = Counter()
    durations: defaultdict[tuple[str, str], Histogram] = defaultdict(Histogram)
    by_step: defaultdict[int, Counter[str]] = defaultdict(Counter)
    durations_by_step: defaultdict[int, Histogram] = defaultdict(Histogram)
    for (resource, outcome), samples in series.items():
        for sample in samples:
            if not sample.count:
                continue
            numbers[resource, outcome] += sample.count
            at = int((sample.at - since) // step)
            by_step[at][outcome] += sample.count
            if sample.histogram is not None:
                durations[resource, outcome].merge(sample.histogram)
                durations_by_step[at].merge(sample.histogram)
    return Reads(window, numbers, durations, by_step, durations_by_step)


def _quantiles(metrics: Metrics, window: Window, share: float) -> list[float | None]:
    since, until = window.since.timestamp(), window.until.timestamp()
    step = int(window.step.total_seconds())
    found = metrics.series(MEASURE, since=since, until=until, step=step).get((), [])
    return [each.quantile(share) for each in found] or [None] * window.steps


def _read_whole(metrics: Metrics, window: Window) -> Reads:
    totals = metrics.totals(
        MEASURE,
        since=window.since.timestamp(),
        until=window.now.timestamp(),
        by=("resource", "outcome"),
    )
    numbers = Counter({(group[0], group[1]): each.count for group, each in totals.items()})
    durations = {
        (group[0], group[1]): each.histogram
        for group, each in totals.items()
        if each.histogram is not None
    }
    return Reads(window, numbers, durations)


def _packed(reads: Reads) -> _Plain:
    return (
        [(*group, number) for group, number in reads.numbers.items()],
        [(*group, packed(each)) for group, each in reads.durations.items()],
        [(step, dict(counted)) for step, counted in reads.by_step.items()],
        [(step, packed(each)) for step, each in reads.durations_by_step.items()],
    )


def _unpacked(window: Window, plain: _Plain) -> Reads:
    numbers, durations, by_step, durations_by_step = plain
    return Reads(
        window,
        Counter({(resource, outcome): number for resource, outcome, number in numbers}),
        {(resource, outcome): unpacked(each) for resource, outcome, each in durations},
        {step: Counter(counted) for step, counted in by_step},
        {step: unpacked(each) for step, each in durations_by_step},
    )
