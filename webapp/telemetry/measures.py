"""What is measured: the one table of metrics, their labels, and how many label sets each may have.

Names are Prometheus' without `forewarm_`. A label set beyond `most` counts under `other` in the
labels that `folds` names, so that nobody makes series by asking for odd things. `shown` is the same
for /metrics, where a measure with 0 isn't: routes, webhooks and the rest are the dashboard's.
What is `passing` has labels that soon mean nothing any more: it isn't rolled up, and is read for
two hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "histogram", "gauge"]

OTHER = "other"
MOST_ROUTES = 200


@dataclass(frozen=True, slots=True)
class Measure:
    """A row. Histograms are of seconds; a gauge is the last value of its window."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    most: int
    folds: tuple[str, ...] = ()
    shown: int = 0
    passing: bool = False

    def folded(self, values: tuple[str, ...]) -> tuple[str, ...]:
        """What a label set counts as where there are too many."""
        return tuple(
            OTHER if label in self.folds else value
            for label, value in zip(self.labels, values, strict=True)
        )


_ROWS = (
    Measure(
        "request_duration_seconds",
        "histogram",
        ("resource", "outcome"),
        "Answers of the mirror, by resource and outcome.",
        most=56,  # all there are: the table's rows and graphql, which is never cached
        shown=56,
    ),
    Measure(
        "cache_read_duration_seconds",
        "histogram",
        ("shelf",),
        "Reads that a shelf answered: near and redis as the whole answer took, archive its query.",
        most=4,
        folds=("shelf",),
        shown=3,
    ),
    Measure(
        "upstream_requests_total",
        "counter",
        ("resource", "status", "lane"),
        "Requests to GitHub; status 0 where none came.",
        most=120,
        folds=("status",),
        shown=60,
    ),
    Measure(
        "upstream_request_duration_seconds",
        "histogram",
        ("resource",),
        "Requests to GitHub, tries included.",
        most=8,
        folds=("resource",),
        shown=7,
    ),
    Measure(
        "purges_total",
        "counter",
        ("kind", "cause"),
        "Purges, soft or hard, by what caused them.",
        most=16,
        folds=("cause",),
        shown=14,
    ),
    Measure(
        "jobs_total",
        "counter",
        ("queue", "actor", "result"),
        "Jobs that ran, by how they ended.",
        most=120,
        folds=("actor",),
        shown=60,
    ),
    Measure(
        "job_duration_seconds",
        "histogram",
        ("actor",),
        "Runs of a job's actor.",
        most=40,
        folds=("actor",),
        shown=14,
    ),
    Measure(
        "db_query_duration_seconds",
        "histogram",
        ("query",),
        "Statements, by the name of their file.",
        most=200,
        folds=("query",),
        shown=32,
    ),
    # The dashboard's and the alerts' own
    Measure(
        "route_duration_seconds",
        "histogram",
        ("route", "outcome"),
        "Answers by route (method and rule) and outcome: the mirror's X-Cache, else 2xx to 5xx.",
        most=5 * MOST_ROUTES,
        folds=("route",),
    ),
    Measure(
        "own_route_duration_seconds",
        "histogram",
        ("route", "outcome"),
        "The same for the dashboard, health checks and /metrics.",
        most=MOST_ROUTES,
        folds=("route",),
    ),
    Measure(
        "request_failures_total",
        "counter",
        ("status",),
        "Answers of the mirror that failed for no fault of the caller's: 500, 502, 503.",
        most=8,
        folds=("status",),
    ),
    Measure(
        "webhooks_total",
        "counter",
        ("event", "result", "reason"),
        "Deliveries: accepted, duplicate, ignored or refused.",
        most=120,
        folds=("event", "reason"),
    ),
    Measure(
        "webhook_lag_seconds",
        "histogram",
        ("event",),
        "From GitHub's sending to our answer.",
        most=40,
        folds=("event",),
    ),
    Measure(
        "job_attempts_total",
        "counter",
        ("actor", "attempt"),
        "Runs of a job's actor, by attempt from 1.",
        most=120,
        folds=("actor",),
    ),
    Measure("db_pool_requests_total", "counter", (), "Connections asked of the pool.", most=1),
    Measure("db_pool_waits_total", "counter", (), "Of these, those that had to wait.", most=1),
    Measure("db_pool_wait_milliseconds_total", "counter", (), "How long they waited.", most=1),
    Measure(
        "process_memory_bytes",
        "gauge",
        ("role", "process"),
        "Resident memory of each process.",
        most=64,
        folds=("process",),
        passing=True,
    ),
    Measure("redis_memory_bytes", "gauge", (), "Redis' memory in use.", most=1),
    Measure("redis_memory_limit_bytes", "gauge", (), "Its maxmemory; 0 for none.", most=1),
    Measure("redis_evicted_keys", "gauge", (), "Keys evicted since it started.", most=1),
    Measure("redis_clients", "gauge", (), "Connections to it.", most=1),
    Measure("queue_depth", "gauge", ("queue",), "Jobs ready or running.", most=8, folds=("queue",)),
    Measure("queue_delayed", "gauge", ("queue",), "Jobs not due yet.", most=8, folds=("queue",)),
    Measure("dead_letters", "gauge", ("queue",), "Jobs given up.", most=8, folds=("queue",)),
    Measure(
        "queue_oldest_seconds",
        "gauge",
        ("queue",),
        "For how long the oldest job that is due has waited.",
        most=8,
        folds=("queue",),
    ),
    Measure(
        "heartbeat_age_seconds",
        "gauge",
        ("process",),
        "Since worker and scheduler last showed themselves.",
        most=4,
        folds=("process",),
    ),
    Measure(
        "github_rate_limit_remaining",
        "gauge",
        ("credential", "resource"),
        "Points left of GitHub's hour.",
        most=60,
        folds=("credential",),
    ),
)

MEASURES = {row.name: row for row in _ROWS}
