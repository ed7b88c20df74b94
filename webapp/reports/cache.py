"""Cache: what share is answered without GitHub, from which shelf, what purges, what it holds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from webapp.reports import wording
from webapp.reports.periods import Window
from webapp.reports.reads import FAMILIES, Reads, read, read_whole
from webapp.reports.verdicts import Bounds, Verdict
from webapp.services import Services
from webapp.telemetry.histogram import Histogram
from webapp.telemetry.metrics import Metrics

HIT_RATE = Bounds(warn=0.8, fail=0.5, low=True, samples=50)
GRACE = Bounds(warn=0.01, fail=0.1, samples=20)
FULL = Bounds(warn=0.85, fail=0.95)
SHELVES = ("near", "redis", "archive")


@dataclass(frozen=True, slots=True)
class Memory:
    """Of Redis, in bytes; `limit` 0 where it has none. Evictions since it started."""

    used: float | None
    limit: float | None
    evicted: float | None

    @property
    def share(self) -> float | None:
        """Of the limit; None without one."""
        return self.used / self.limit if self.used is not None and self.limit else None


@dataclass(frozen=True, slots=True)
class CacheReport:
    """The page's and its twin's content."""

    reads: Reads
    before: Reads
    shelves: dict[str, Histogram]
    purges: Counter[tuple[str, str]]  # by (kind, cause)
    saved: int
    spent: int
    memory: Memory

    @property
    def verdicts(self) -> list[Verdict]:
        """Hit rate, freshness, Redis."""
        return [
            hit_rate(self.reads, self.before),
            freshness(self.reads, self.before),
            redis_memory(self.memory),
        ]

    def as_json(self) -> dict[str, object]:
        """Section 12's shape."""
        return {
            "as_of": self.reads.window.now.isoformat(),
            "period": self.reads.window.name,
            "verdicts": [each.as_json() for each in self.verdicts],
            "hit_rate": self.reads.hit_rate(),
            "outcomes": {
                f"{resource}.{outcome}": number
                for (resource, outcome), number in sorted(self.reads.numbers.items())
            },
            "shelves": {
                name: {"count": each.count, "p50": each.quantile(0.5), "p95": each.quantile(0.95)}
                for name, each in self.shelves.items()
            },
            "purges": [
                {"kind": kind, "cause": cause, "count": number}
                for (kind, cause), number in sorted(self.purges.items())
            ],
            "points": {"spent": self.spent, "saved": self.saved},
            "redis": {
                "memory": self.memory.used,
                "limit": self.memory.limit,
                "evicted": self.memory.evicted,
            },
        }


def report(services: Services, window: Window) -> CacheReport:
    """Raises StoreUnavailable, DatabaseUnavailable."""
    metrics = services.metrics
    since, until = window.since.timestamp(), window.now.timestamp()
    shelves = metrics.totals("cache_read_duration_seconds", since=since, until=until, by=("shelf",))
    purges = metrics.totals("purges_total", since=since, until=until, by=("kind", "cause"))
    points = services.points.totals(since, until).all
    return CacheReport(
        reads=read(services, window),
        before=read_whole(services, window.before()),
        shelves={
            name: shelves[name,].histogram or Histogram() for name in SHELVES if (name,) in shelves
        },
        purges=Counter({(kind, cause): each.count for (kind, cause), each in purges.items()}),
        saved=points.saved,
        spent=points.spent,
        memory=memory(metrics),
    )


def memory(metrics: Metrics) -> Memory:
    """As of the last reading. Raises StoreUnavailable, DatabaseUnavailable."""
    return Memory(
        *(
            metrics.latest(name).get(())
            for name in ("redis_memory_bytes", "redis_memory_limit_bytes", "redis_evicted_keys")
        )
    )


def hit_rate(reads: Reads, before: Reads) -> Verdict:
    """Reads that waited for nobody."""
    rate, number = reads.hit_rate(), reads.number() - reads.number(FAMILIES["bypass"])
    state = HIT_RATE.state(rate, number)
    if rate is None:
        return Verdict("Hit rate", "unknown", "Nothing was read.", page="dashboard.cache")
    too_few = "" if number >= HIT_RATE.samples else " Too few to judge."
    return Verdict(
        "Hit rate",
        state,
        f"{wording.share(rate)} of {wording.count(number)} reads came from a shelf.{too_few}",
        "See what is missed; watch it, so that it is warmed." if state in {"warn", "fail"} else "",
        wording.points(rate, before.hit_rate()),
        page="dashboard.cache",
    )


def freshness(reads: Reads, before: Reads) -> Verdict:
    """Answers past their period: stale is by design, grace says that GitHub is out of reach."""
    grace, stale = reads.share({"GRACE"}), reads.share({"STALE"})
    state = GRACE.state(grace, reads.number())
    if grace is None:
        return Verdict("Freshness", "unknown", "Nothing was read.", page="dashboard.cache")
    return Verdict(
        "Freshness",
        state,
        f"{wording.share(stale)} stale while refreshed behind, {wording.share(grace)} in grace.",
        "GitHub can’t be reached or has no budget for us." if state in {"warn", "fail"} else "",
        wording.points(grace, before.share({"GRACE"})),
        page="dashboard.cache",
    )


def redis_memory(held: Memory) -> Verdict:
    """How near Redis is to evicting."""
    if held.used is None:
        return Verdict("Redis", "unknown", "No reading of its memory yet.", page="dashboard.cache")
    if held.share is None:
        return Verdict(
            "Redis",
            "ok",
            f"{wording.size(held.used)} in use; it has no limit of its own.",
            page="dashboard.cache",
        )
    state = FULL.state(held.share)
    return Verdict(
        "Redis",
        state,
        f"{wording.size(held.used)} of {wording.size(held.limit)} in use"
        f" ({wording.share(held.share)}); {wording.count(held.evicted)} keys evicted.",
        "Give it more memory, or watch less." if state in {"warn", "fail"} else "",
        page="dashboard.cache",
    )
