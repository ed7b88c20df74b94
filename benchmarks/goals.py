"""The contract's targets (DESIGN.md, section 16), row by row: what a chapter's figures are held to.

A row may want several figures; each is a goal of its own. A chapter says what it measured of one
by the goal's name. A test holds this table to the chapters, so that no row goes unmeasured.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Bound(StrEnum):
    """On which side of the limit a figure must be."""

    AT_LEAST = "≥"
    AT_MOST = "≤"


@dataclass(frozen=True, slots=True)
class Goal:
    """One figure that section 16 wants: of `what`, and in `unit` ("×" is a ratio)."""

    row: str
    what: str
    bound: Bound
    limit: float
    unit: str

    def met(self, measured: float) -> bool:
        """Whether a figure is on the right side."""
        return measured >= self.limit if self.bound is Bound.AT_LEAST else measured <= self.limit


_HIT = "warm hit, near"
_REDIS = "warm hit from Redis (near off)"
_COLLAPSE = "1,000 concurrent requests over 4 processes"
_STARVED = "hits while every fetching thread waits on a GitHub of 10 s"
_WEBHOOK = "a webhook to the first fresh answer"
_DAY = "a simulated day"
_CATALOG = "catalog queries on 1,000,000 repositories"
_PAGE = "dashboard page, with 7 days of metrics"

GOALS: dict[str, Goal] = {
    "near/varnish": Goal(_HIT, "throughput of Varnish's", Bound.AT_LEAST, 0.6, "×"),
    "near/nginx": Goal(_HIT, "throughput of nginx proxy_cache's", Bound.AT_LEAST, 0.5, "×"),
    "near/flask-caching": Goal(
        _HIT, "throughput of Flask + Flask-Caching's on gunicorn", Bound.AT_LEAST, 20, "×"
    ),
    "redis/flask-caching": Goal(
        _REDIS,
        "throughput of Flask + Flask-Caching `@cached` on the same server",
        Bound.AT_LEAST,
        2,
        "×",
    ),
    "telemetry": Goal(
        "telemetry on against off", "throughput of a warm hit", Bound.AT_LEAST, 0.9, "×"
    ),
    "collapse/cold": Goal(_COLLAPSE, "upstream calls for a cold key", Bound.AT_MOST, 1, "calls"),
    "collapse/expired": Goal(
        _COLLAPSE, "upstream calls for an expired key", Bound.AT_MOST, 1, "calls"
    ),
    "collapse/stale": Goal(
        _COLLAPSE, "answers for an expired key that are stale", Bound.AT_LEAST, 100, "%"
    ),
    "starved": Goal(_STARVED, "p99 of a hit", Bound.AT_MOST, 5, "ms"),
    "webhook/fresh": Goal(
        _WEBHOOK, "p95, GitHub's own round trip taken off", Bound.AT_MOST, 100, "ms"
    ),
    "webhook/older": Goal(
        _WEBHOOK, "older answers served later than 100 ms after the 202", Bound.AT_MOST, 0, ""
    ),
    "day/none": Goal(_DAY, "points of no cache's", Bound.AT_MOST, 5, "%"),
    "day/ttl": Goal(_DAY, "points of plain TTL's", Bound.AT_MOST, 25, "%"),
    "day/staleness": Goal(_DAY, "staleness, p99", Bound.AT_MOST, 60, "s"),
    "warming": Goal(
        "warming 10,000 repositories' lists", "points of the limit", Bound.AT_MOST, 101, "points"
    ),
    "memory": Goal(
        "Redis memory a cached repository", "bytes in Redis", Bound.AT_MOST, 2_500, "bytes"
    ),
    "memory/fork": Goal(
        "Redis memory a cached repository", "bytes in Redis, a fork", Bound.AT_MOST, 3_200, "bytes"
    ),
    "catalog": Goal(_CATALOG, "p95 of the slowest query", Bound.AT_MOST, 10, "ms"),
    "catalog/scans": Goal(
        _CATALOG, "queries that read a table from end to end", Bound.AT_MOST, 0, ""
    ),
    "dashboard/time": Goal(_PAGE, "server time of the slowest page", Bound.AT_MOST, 50, "ms"),
    "dashboard/size": Goal(_PAGE, "size of the largest page", Bound.AT_MOST, 100, "kB"),
    "start": Goal(
        "start of `script/server` the second time", "until it is ready", Bound.AT_MOST, 5, "s"
    ),
}
"""By name. The rows and limits are the contract's; the order is the document's."""
