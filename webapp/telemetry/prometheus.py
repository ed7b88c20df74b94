"""/metrics: what every process counted, from Redis; names and labels are DESIGN.md section 10's.

Counters never go down. Redis adds them up for ever (windows.py); what is read is never less than
what this process has read before. A Redis that has just started may have lost its last second,
which the processes deliver again within some: for SETTLING seconds counters are left out, which
Prometheus takes for a missed scrape. A Redis that has lost everything counts from zero, which it
takes for a restart; so it is one.

Redis away: its counters are left out, `forewarm_redis_up` is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from webapp.cache.connection import Connection
from webapp.db.pool import Database
from webapp.errors import DatabaseUnavailable, StoreUnavailable
from webapp.github.ledger.points import Points, Totals
from webapp.telemetry.gauges import Gauges, Reading
from webapp.telemetry.histogram import EDGES_US
from webapp.telemetry.measures import MEASURES, Measure
from webapp.telemetry.metrics import Metrics
from webapp.telemetry.windows import Windows
from webapp.version import VERSION, revision

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
PREFIX = "forewarm_"
SETTLING = 10  # seconds: two deliveries
SUM = "sum"

Sets = Mapping[tuple[str, ...], Mapping[str, int]]
Series = tuple[str, tuple[str, ...], str]

POINTS = "Points of GitHub's rate limit that were spent, by GitHub's resource and lane."
SAVED = "Points that answers would have cost where GitHub's 304 cost none."
LIMIT = "Points left of GitHub's hour, of each credential of ours."
UP = "Whether it answers."


class Exposition(Collector):
    """One per process."""

    def __init__(
        self,
        *,
        redis: Connection,
        database: Database,
        windows: Windows,
        points: Points,
        gauges: Gauges,
        metrics: Metrics,
    ) -> None:
        self._redis = redis
        self._database = database
        self._windows = windows
        self._points = points
        self._gauges = gauges
        self._metrics = metrics
        self._born = ""
        self._read: dict[Series, int] = {}

    def text(self) -> bytes:
        """In Prometheus' text format, of CONTENT_TYPE."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        return generate_latest(registry)

    def describe(self) -> list[Metric]:
        """Nothing: registering reads nothing."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Everything, as it is now."""
        up = GaugeMetricFamily(f"{PREFIX}redis_up", UP)
        try:
            yield from self._counted()
            up.add_metric([], 1)
        except StoreUnavailable:
            up.add_metric([], 0)
        yield up
        yield GaugeMetricFamily(f"{PREFIX}postgres_up", UP, value=self._postgres_up())
        yield from _of_readings(list(self._gauges.of_jobs()))
        info = InfoMetricFamily(f"{PREFIX}build", "What runs.")
        info.add_metric([], {"version": VERSION, "revision": revision()})
        yield info

    def _counted(self) -> list[Metric]:
        """All that Redis knows. Raises StoreUnavailable."""
        server: Any = self._redis.info("server")
        if server["uptime_in_seconds"] < SETTLING:
            return []
        counters, born = self._windows.ever(), self._windows.born()
        if born != self._born:
            self._born, self._read = born, {}
        families: list[Metric] = []
        for measure in MEASURES.values():
            if measure.shown:
                sets = self._grown(measure.name, counters.get(measure.name, {}))
                families += _families(measure, sets)
        return [*families, *_of_points(self._points.ever(), self._grown), self._limits()]

    def _grown(self, name: str, sets: Sets) -> Sets:
        """None less than it was when this process read it last."""
        grown: dict[tuple[str, ...], dict[str, int]] = {}
        for labels, fields in sorted(sets.items()):
            held = grown[labels] = {}
            for field, number in fields.items():
                series = name, labels, field
                held[field] = self._read[series] = max(number, self._read.get(series, 0))
        return grown

    def _limits(self) -> Metric:
        name = "github_rate_limit_remaining"
        family = GaugeMetricFamily(PREFIX + name, LIMIT, labels=MEASURES[name].labels)
        for labels, left in self._metrics.latest(name).items():
            family.add_metric(labels, left)
        return family

    def _postgres_up(self) -> int:
        try:
            with self._database.connection() as conn:
                conn.execute("select 1")
        except DatabaseUnavailable:
            return 0
        return 1


def _families(measure: Measure, sets: Sets) -> Iterator[Metric]:
    """A measure as Prometheus has it; requests also as their number alone."""
    name = PREFIX + measure.name
    if measure.kind == "counter":
        counter = CounterMetricFamily(name, measure.help, labels=measure.labels)
        for labels, fields in sets.items():
            counter.add_metric(labels, fields["n"])
        yield counter
        return
    histogram = HistogramMetricFamily(name, measure.help, labels=measure.labels)
    for labels, fields in sets.items():
        buckets = _cumulative(fields)
        histogram.add_metric(labels, buckets=buckets, sum_value=fields.get(SUM, 0) / 1e6)
    yield histogram
    if measure.name == "request_duration_seconds":
        counter = CounterMetricFamily(
            f"{PREFIX}requests_total", measure.help, labels=measure.labels
        )
        for labels, fields in sets.items():
            counter.add_metric(labels, _cumulative(fields)[-1][1])
        yield counter


def _cumulative(fields: Mapping[str, int]) -> list[tuple[str, float]]:
    """(le, count): the counts between the edges added up, to +Inf."""
    edges = [*(f"{edge / 1e6:.6f}".rstrip("0") for edge in EDGES_US), "+Inf"]
    total = 0
    buckets: list[tuple[str, float]] = []
    for place, edge in enumerate(edges):
        total += fields.get(str(place), 0)
        buckets.append((edge, total))
    return buckets


def _of_points(totals: Totals, grown: Callable[[str, Sets], Sets]) -> Iterator[Metric]:
    """Counted by points.py. Raises nothing."""
    spent = CounterMetricFamily(f"{PREFIX}points_total", POINTS, labels=("resource", "lane"))
    lanes: Sets = {pair: {"n": tally.spent} for pair, tally in totals.lanes.items()}
    for labels, fields in grown("points_total", lanes).items():
        spent.add_metric(labels, fields["n"])
    by_resource: dict[tuple[str, ...], dict[str, int]] = {}
    for (resource, _), tally in totals.lanes.items():
        held = by_resource.setdefault((resource,), {"n": 0})
        held["n"] += tally.saved
    saved = CounterMetricFamily(f"{PREFIX}points_saved_total", SAVED, labels=("resource",))
    for labels, fields in grown("points_saved_total", by_resource).items():
        saved.add_metric(labels, fields["n"])
    yield spent
    yield saved


QUEUE_GAUGES = ("queue_depth", "queue_oldest_seconds")


def _of_readings(readings: list[Reading]) -> Iterator[Metric]:
    for name in QUEUE_GAUGES:
        measure = MEASURES[name]
        family = GaugeMetricFamily(PREFIX + name, measure.help, labels=measure.labels)
        for each in readings:
            if each.name == name:
                family.add_metric(each.labels, each.value)
        yield family
