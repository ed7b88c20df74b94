"""The benchmarks that script/bench runs, in the order of the document.

Each is a module of this folder; `minutes` is how long its full run takes on two cores at rest, and
the runner ends one that takes twice that. `goals` are what of section 16 it measures.
"""

from __future__ import annotations

from dataclasses import dataclass

ALL_MINUTES = 40
"""A full run is to be over in so many."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A benchmark by its module's name. `quick` and `minutes` are of wall time; `by_name_only` is
    left out of a run that names none."""

    name: str
    about: str
    minutes: float
    quick: float
    goals: tuple[str, ...] = ()
    by_name_only: bool = False


CHAPTERS: tuple[Listed, ...] = (
    Listed(
        "hits",
        "warm hits beside Varnish, nginx, Flask-Caching, requests-cache and no cache",
        5,
        0.7,
        ("near/varnish", "near/nginx", "near/flask-caching", "redis/flask-caching"),
    ),
    Listed("latency", "response time with a cache and without, at a fixed rate", 2.5, 0.6),
    Listed("telemetry", "what telemetry costs a hit", 1.5, 0.3, ("telemetry",)),
    Listed("gains", "what each strategy gains: with and without it", 2, 0.5),
    Listed(
        "collapse",
        "1,000 requests at once for one key",
        1.2,
        0.4,
        ("collapse/cold", "collapse/expired", "collapse/stale"),
    ),
    Listed("starvation", "hits while all fetching threads wait", 1, 0.4, ("starved",)),
    Listed(
        "webhooks",
        "a webhook to the first fresh answer",
        1,
        0.3,
        ("webhook/fresh", "webhook/older"),
    ),
    Listed("points", "a simulated day's points", 4.5, 1, ("day/none", "day/ttl", "day/staleness")),
    Listed("warming", "what warming costs, and what it saves", 3, 1, ("warming",)),
    Listed(
        "memory",
        "bytes a cached repository, in Redis and near",
        0.7,
        0.2,
        ("memory", "memory/fork"),
    ),
    Listed("catalog", "queries on a million repositories", 6, 0.5, ("catalog", "catalog/scans")),
    Listed("harvest", "repositories written, and what hits feel of it", 1.5, 0.5),
    Listed("paging", "paging while rows come and go", 0.8, 0.2),
    Listed("jobs", "how soon a job starts, and how many", 0.7, 0.3),
    Listed(
        "dashboard",
        "pages over seven days of metrics",
        1.5,
        0.5,
        ("dashboard/time", "dashboard/size"),
    ),
    Listed("growth", "what more traffic, repositories, entries and processes cost", 3, 1),
    Listed("startup", "how soon it is ready", 1, 0.4, ("start",)),
    Listed(
        "soak",
        "all at once for ten minutes, with faults in the middle",
        11.5,
        1,
        by_name_only=True,
    ),
)
