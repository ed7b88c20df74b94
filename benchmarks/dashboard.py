"""The dashboard with 7 days of metrics for 200 routes: each page's server time and size.

    python -m benchmarks.dashboard [--quick]

Embedded stores of its own; minutes, five minutes and hours are written as the roll-up writes them,
the last quarter of an hour is counted into Redis as processes count it. Pages are asked of the
application in this process, none cached by us beforehand. Busy routes count every minute, rare
ones now and then (Zipf).
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
from flask.testing import FlaskClient

from benchmarks.alone import alone, say
from benchmarks.results import Chapter, Effort, Table, Target
from benchmarks.stores import own_stores
from tests.standin.accounts import SERVICE_TOKEN
from tests.standin.process import StandIn
from webapp.app import create_app
from webapp.db import traces
from webapp.db.traces import DetailedTransaction
from webapp.policy import RESOURCES
from webapp.services import Services
from webapp.settings import Settings
from webapp.telemetry.counts import Counts
from webapp.telemetry.delivery import Deliveries
from webapp.telemetry.histogram import Histogram
from webapp.telemetry.measures import MEASURES
from webapp.telemetry.rollup import RollUp
from webapp.telemetry.windows import Windows

RUNS = {Effort.FULL: 30, Effort.QUICK: 3}
DAYS = {Effort.FULL: 7, Effort.QUICK: 1}
PAGES = (
    *("/", "/requests", "/cache", "/github", "/jobs", "/warming", "/webhooks", "/database"),
    *("/traces", "/alerts"),
)
PERIODS = ("15m", "1h", "24h", "7d")
ROUTES, TRACES = 200, 2_000
LIVE = 900  # seconds that are counted into Redis
SHAPES = 40  # histograms to choose from
OUTCOMES = ("HIT", "MISS", "REVALIDATED")

Series = tuple[str, tuple[str, ...], float]
"""Measure, labels, and the share of minutes in which it counts."""


def every_series() -> list[Series]:
    """What a busy month has counted."""
    names = [row.name for row in RESOURCES]
    found: list[Series] = []
    for name in names:
        found += [("request_duration_seconds", (name, each), 0.9) for each in OUTCOMES]
        found += [("request_duration_seconds", (name, "ERROR"), 0.05)]
        found += [("upstream_request_duration_seconds", (name,), 0.8)]
        found += [
            ("upstream_requests_total", (name, status, lane), 0.3)
            for status in ("200", "304", "404", "502")
            for lane in ("interactive", "warming")
        ]
    found += [("cache_read_duration_seconds", (each,), 1.0) for each in ("near", "redis")]
    found += [("db_query_duration_seconds", (f"statement_{n}",), 0.5) for n in range(80)]
    found += [("jobs_total", ("upkeep", f"actor_{n}", "done"), 0.5) for n in range(15)]
    found += [("job_duration_seconds", (f"actor_{n}",), 0.5) for n in range(15)]
    found += [("webhooks_total", (f"event_{n}", "accepted", "none"), 0.3) for n in range(15)]
    found += [("webhook_lag_seconds", (f"event_{n}",), 0.3) for n in range(15)]
    found += [("purges_total", (kind, "webhook"), 0.5) for kind in ("hard", "soft")]
    for n in range(ROUTES):
        route = f"GET /api/v3/repos/{{owner}}/{{repo}}/part-{n}"
        share = min(1.0, 12 / (n + 1))
        found += [("route_duration_seconds", (route, each), share) for each in OUTCOMES]
    return found


def fill(url: str, series: list[Series], days: int, dice: random.Random) -> int:
    """So many days until the live part; how many rows."""
    shapes = [
        Histogram.of(dice.lognormvariate(-6, 1.5) for _ in range(dice.randint(3, 60)))
        for _ in range(SHAPES)
    ]
    now = datetime.now(UTC)
    until = now - timedelta(seconds=LIVE)
    since = now - timedelta(days=days)
    written = 0
    with psycopg.connect(url, autocommit=True) as conn:
        for table, unit in (("minutes", "day"), ("fives", "day"), ("hours", "month")):
            conn.execute(
                "select metric_partitions(%s, %s, %s, %s, %s)",
                (f"metric_{table}", unit, since, now + timedelta(days=1), since),
            )
        conn.execute(
            "create temp table shapes (n int, sum float, count bigint, least bigint, most bigint,"
            " buckets bytea)"
        )
        conn.execute("create temp table counted (id int, share float, histogram boolean)")
        for number, each in enumerate(shapes):
            conn.execute(
                "insert into shapes values (%s, %s, %s, %s, %s, %s)",
                (number, each.sum, each.count, each.least, each.most, each.to_bytes()),
            )
        for name, labels, share in series:
            conn.execute(
                "with made as (insert into metric_series (name, labels) values (%s, %s)"
                " returning id) insert into counted select id, %s, %s from made",
                (name, list(labels), share, MEASURES[name].kind == "histogram"),
            )
        for table, step, wider in (("minutes", 60, 1), ("fives", 300, 5), ("hours", 3600, 60)):
            done = conn.execute(
                f"insert into metric_{table} (ts, sum, count, least, most, series_id, buckets)"
                " select ts, case when histogram then shapes.sum else 0 end, shapes.count,"
                " case when histogram then least end, case when histogram then most end, id,"
                " case when histogram then buckets end"
                " from generate_series(date_bin(%(step)s, %(since)s, 'epoch'),"
                " date_bin(%(step)s, %(until)s, 'epoch') - %(step)s, %(step)s) as ts"
                " cross join counted"
                " join shapes on shapes.n = (id + extract(epoch from ts)::bigint / %(s)s) %% %(n)s"
                " where random() < 1 - power(1 - least(share, 0.999), %(wider)s)",
                {
                    "step": timedelta(seconds=step),
                    "s": step,
                    "since": since,
                    "until": until,
                    "n": SHAPES,
                    "wider": wider,
                },
            )
            written += done.rowcount
        conn.execute("analyze")
    return written


def live(services: Services, series: list[Series], dice: random.Random) -> None:
    """The last quarter of an hour, in Redis and rolled up as far as it would be."""
    now = time.time()
    moment = now - LIVE
    counts, windows = Counts(), Windows(services.redis)
    deliveries = Deliveries(windows, lambda: moment)
    while moment < now:
        for name, labels, share in series:
            if dice.random() < share / 3:
                if MEASURES[name].kind == "histogram":
                    counts.observe(name, *labels, seconds=dice.lognormvariate(-6, 1.5))
                else:
                    counts.add(name, *labels)
        deliveries.put(counts.take())
        deliveries.deliver()
        moment += 10
    RollUp(windows, services.database).run()


def trace(url: str, dice: random.Random) -> None:
    """The last hour's traces."""
    now = datetime.now(UTC)
    held = [
        DetailedTransaction(
            began=now - timedelta(seconds=dice.random() * 3_600),
            trace_id=UUID(int=dice.getrandbits(128)),
            transaction_id=f"{number:016x}",
            parent_id=None,
            kind="request",
            name=f"GET /api/v3/repos/{{owner}}/{{repo}}/part-{number % ROUTES}",
            resource="repo",
            outcome="MISS",
            result="HTTP 2xx",
            ms=dice.lognormvariate(4, 1),
            failed=number % 50 == 0,
            kept="sampled",
            detail={"spans": [_call(number, step) for step in range(8)]},
        )
        for number in range(TRACES)
    ]
    with psycopg.connect(url, autocommit=True) as conn:
        for back in range(3):
            traces.traces_room(conn, moment=now - timedelta(hours=back))
        traces.trace_add(conn, held)
        traces.trace_detail_add(conn, held)
        conn.execute("analyze")


def _call(number: int, step: int) -> list[object]:
    url = f"https://api.github.com/repos/o/r{number % 400}" if step == 3 else ""
    labels = {"url": url, "status_code": 200} if url else {}
    return [f"{number:08x}{step:08x}", None, 1.0, 20.0, "MGET", "db.redis", False, 1, labels]


@contextmanager
def application() -> Iterator[tuple[Services, FlaskClient, str]]:
    """On stores of its own."""
    with own_stores() as stores, StandIn.start() as github:
        environ = {
            **stores.settings,
            "HOST": "127.0.0.1",
            "GITHUB_API_URL": github.url,
            "GITHUB_TOKEN": SERVICE_TOKEN,
            "GITHUB_WEBHOOK_SECRET": "a secret of the benchmark",
            "LOG_LEVEL": "ERROR",
        }
        app = create_app(Settings.from_env(environ))
        services: Services = app.extensions["services"]
        try:
            yield services, app.test_client(), stores.postgres.url
        finally:
            services.close()


def timed(client: FlaskClient, path: str, runs: int) -> tuple[float, float, int]:
    """p50 and p95 in ms, and the largest answer in bytes."""
    took, largest = [], 0
    for _ in range(runs):
        began = time.perf_counter()
        response = client.get(path, base_url="http://127.0.0.1:8000")
        took.append((time.perf_counter() - began) * 1000)
        assert response.status_code == 200, (path, response.status_code)
        largest = max(largest, len(response.data))
    return statistics.median(took), sorted(took)[int(len(took) * 0.95) - 1], largest


@dataclass(frozen=True, slots=True)
class Page:
    """A page over a period: p50 and p95 in milliseconds, and its largest answer in bytes."""

    path: str
    period: str
    p50: float
    p95: float
    size: int


def measure(effort: Effort) -> Chapter:
    """Every page over every period."""
    dice = random.Random(7)
    series, days = every_series(), DAYS[effort]
    pages = []
    with application() as (services, client, url):
        rows = fill(url, series, days, dice)
        live(services, series, dice)
        trace(url, dice)
        for path in PAGES:
            for period in PERIODS:
                timed(client, f"{path}?period={period}", 2)
                pages.append(
                    Page(path, period, *timed(client, f"{path}?period={period}", RUNS[effort]))
                )
            say(f"{path} done")
    return Chapter(
        "dashboard",
        "Dashboard pages",
        f"{days} days of metrics: {len(series)} series of {ROUTES} routes, {rows:,} rows, and"
        f" {TRACES:,} traces. Pages are asked of the application in one process,"
        f" {RUNS[effort]} times each; figures that many rows make are kept for some seconds, so p95"
        " is the page that makes them anew.",
        (
            Table(
                "Server time of a page over a period, p50 / p95 in ms, and its largest size",
                ("page", *PERIODS, "kB"),
                tuple(_row(path, pages) for path in PAGES),
            ),
        ),
        targets=(
            Target("dashboard/time", max(page.p50 for page in pages)),
            Target("dashboard/size", max(page.size for page in pages) / 1_000),
        ),
        figures={"rows a day": rows / days},
    )


def _row(path: str, pages: Sequence[Page]) -> tuple[str | float, ...]:
    own = [page for page in pages if page.path == path]
    times = [f"{page.p50:.0f} / {page.p95:.0f}" for page in own]
    return (f"`{path}`", *times, round(max(page.size for page in own) / 1_000))


if __name__ == "__main__":
    sys.exit(alone(measure, __doc__))
