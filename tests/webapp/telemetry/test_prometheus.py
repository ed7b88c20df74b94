"""/metrics: what Prometheus' own parser reads, few series, and counters that never go down."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator

import pytest
import redis
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from script.embedded import Postgres, Valkey
from tests.serving import ADMIN_PASSWORD, API_KEY, Forewarm
from tests.standin.process import StandIn
from tests.webapp.lasting import Applications, fresh_applications, lasting_environ
from webapp.github.limits import Lane
from webapp.jobs import QUEUES
from webapp.outcome import Outcome
from webapp.policy import RESOURCES
from webapp.telemetry import prometheus
from webapp.telemetry.histogram import EDGES_US
from webapp.telemetry.measures import MEASURES

DETAIL = "/repos/pallets/flask"
NAMES = {
    "forewarm_requests_total": {"resource", "outcome"},
    "forewarm_request_duration_seconds": {"resource", "outcome"},
    "forewarm_cache_read_duration_seconds": {"shelf"},
    "forewarm_upstream_requests_total": {"resource", "status", "lane"},
    "forewarm_upstream_request_duration_seconds": {"resource"},
    "forewarm_points_total": {"resource", "lane"},
    "forewarm_points_saved_total": {"resource"},
    "forewarm_github_rate_limit_remaining": {"credential", "resource"},
    "forewarm_purges_total": {"kind", "cause"},
    "forewarm_jobs_total": {"queue", "actor", "result"},
    "forewarm_job_duration_seconds": {"actor"},
    "forewarm_queue_depth": {"queue"},
    "forewarm_queue_oldest_seconds": {"queue"},
    "forewarm_db_query_duration_seconds": {"query"},
    "forewarm_redis_up": set(),
    "forewarm_postgres_up": set(),
    "forewarm_build_info": {"version", "revision"},
}
"""DESIGN.md section 10."""


@pytest.fixture(scope="module")
def environ(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[dict[str, str]]:
    with lasting_environ(valkey, postgres, standin, "prometheus") as environ:
        yield environ


@pytest.fixture
def start_forewarm(
    environ: dict[str, str], standin: StandIn, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Applications]:
    """Redis has run for long enough, as they see it."""
    monkeypatch.setattr(prometheus, "SETTLING", 0)
    with fresh_applications(environ, standin) as applications:
        yield applications


@pytest.fixture
def forewarm(start_forewarm: Applications) -> Forewarm:
    return start_forewarm()


def scrape(forewarm: Forewarm) -> dict[str, Metric]:
    """By the name that its samples begin with."""
    answer = forewarm.request("GET", "/metrics", API_KEY)
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    families = list(text_string_to_metric_families(answer.text))
    return {
        family.name + ("_total" if family.type == "counter" else ""): family for family in families
    }


def samples(families: dict[str, Metric]) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sorted(f"{name}={value}" for name, value in sample.labels.items())): (
            sample.value
        )
        for family in families.values()
        for sample in family.samples
    }


def some_of_everything(forewarm: Forewarm) -> None:
    services = forewarm.services
    for _ in range(3):
        forewarm.get(DETAIL)
    forewarm.get(DETAIL, Cache_Control="max-age=0")
    services.purger.purge(["repo:a/b"], hard=False, cause="operator")
    counts = services.gauges._counts
    counts.add("jobs_total", "upkeep", "sweep", "done")
    counts.observe("job_duration_seconds", "sweep", seconds=0.02)
    services.gauges.sample()
    services.recorder.flush()


def test_names_and_labels_are_the_designs(forewarm: Forewarm) -> None:
    some_of_everything(forewarm)
    found = {
        name: {label for sample in family.samples for label in sample.labels} - {"le"}
        for name, family in scrape(forewarm).items()
    }
    assert found == NAMES


def test_numbers_are_those_of_what_happened(forewarm: Forewarm) -> None:
    some_of_everything(forewarm)
    found = samples(scrape(forewarm))
    repo = ("forewarm_requests_total", "outcome={}", "resource=repo")
    assert found[repo[0], "outcome=MISS", repo[2]] == 1
    assert found[repo[0], "outcome=HIT", repo[2]] == 2
    assert found[repo[0], "outcome=REVALIDATED", repo[2]] == 1
    assert found["forewarm_points_total", "lane=interactive", "resource=core"] == 1
    assert found["forewarm_points_saved_total", "resource=core"] == 1
    statuses = {"200": 1, "304": 1}
    for status, number in statuses.items():
        key = ("lane=interactive", "resource=repo", f"status={status}")
        assert found["forewarm_upstream_requests_total", *key] == number
    assert found["forewarm_purges_total", "cause=operator", "kind=soft"] == 1
    assert found["forewarm_redis_up",] == found["forewarm_postgres_up",] == 1
    (remaining,) = (
        value
        for key, value in found.items()
        if key[0] == "forewarm_github_rate_limit_remaining"
        and "resource=core" in key
        and "credential=anonymous" not in key
    )
    assert remaining == 4_999


def test_histograms_are_cumulative_with_twelve_buckets(forewarm: Forewarm) -> None:
    some_of_everything(forewarm)
    family = scrape(forewarm)["forewarm_request_duration_seconds"]
    buckets = [
        (sample.labels["le"], sample.value)
        for sample in family.samples
        if sample.name.endswith("_bucket") and sample.labels["outcome"] == "HIT"
    ]
    edges = [float(edge) for edge, _ in buckets]
    assert edges == [*(edge / 1e6 for edge in EDGES_US), float("inf")]
    assert len(buckets) == 12
    numbers = [number for _, number in buckets]
    assert numbers == sorted(numbers)
    assert numbers[-1] == 2


VALUES = {
    "outcome": [each.value for each in Outcome],
    "lane": [each.value for each in Lane],
    "resource": [*(row.name for row in RESOURCES), "graphql"],
    "kind": ["soft", "hard"],
    "queue": list(QUEUES),
    "result": ["done", "retried", "dead", "put_off", "skipped"],
}
"""Of the labels whose values nobody can make up."""


def worst_case() -> int:
    """Series when every measure has as many label sets as it may, and the folded ones beside."""
    sizes = {"counter": 1, "histogram": len(EDGES_US) + 3}
    series = 0
    for row in MEASURES.values():
        if row.shown:
            closed = [len(VALUES[label]) for label in row.labels if label not in row.folds]
            series += (row.shown + (math.prod(closed) if row.folds else 0)) * sizes[row.kind]
    requests = MEASURES["request_duration_seconds"].shown
    points, limits, rest = 4 * 4, 17 * 3, 2 * 3 + 3
    return series + requests + points + limits + rest


def test_the_table_allows_fewer_than_two_thousand_series() -> None:
    assert worst_case() < 2_000


def test_a_thousand_of_each_label_make_fewer_than_two_thousand_series(forewarm: Forewarm) -> None:
    counts = forewarm.services.gauges._counts
    for place in range(1_000):
        for row in MEASURES.values():
            values = tuple(
                VALUES[label][place % len(VALUES[label])]
                if label in VALUES and label not in row.folds
                else f"{label}-{place}"
                for label in row.labels
            )
            if row.kind == "histogram":
                counts.observe(row.name, *values, seconds=place / 1000)
            elif row.kind == "counter":
                counts.add(row.name, *values)
        forewarm.services.points.add(
            "core", Lane.WARMING, credential=f"id-{place}", consumer=f"who-{place}", spent=1
        )
        if place % 50 == 0:
            forewarm.services.recorder.flush()
    forewarm.services.recorder.flush()
    found = samples(scrape(forewarm))
    assert len(found) < 2_000
    totals: Counter[str] = Counter()
    for (name, *_), value in found.items():
        totals[name] += int(value)
    for name in ("forewarm_requests_total", "forewarm_jobs_total", "forewarm_purges_total"):
        assert totals[name] == 1_000  # what has no name of its own is counted all the same


def test_any_process_tells_what_all_have_counted(start_forewarm: Applications) -> None:
    first, second = start_forewarm(), start_forewarm(HIT_SAMPLE="7")
    for forewarm in (first, second):
        for _ in range(4):
            forewarm.get(DETAIL)
        forewarm.services.recorder.flush()
    for forewarm in (first, second):
        found = samples(scrape(forewarm))
        requests = {key: value for key, value in found.items() if key[0] == NAME}
        assert sum(requests.values()) == 8


NAME = "forewarm_requests_total"


def test_counters_never_go_down_where_redis_has_lost_a_little(
    forewarm: Forewarm, environ: dict[str, str]
) -> None:
    some_of_everything(forewarm)
    before = samples(scrape(forewarm))
    with redis.Redis.from_url(environ["REDIS_URL"]) as raw:
        for field in raw.hkeys("fw:m:ever"):
            if field != b"born":
                raw.hincrby("fw:m:ever", field.decode(), -1)
    after = samples(scrape(forewarm))
    counters = {key for key in before if not key[0].startswith(("forewarm_queue", "forewarm_g"))}
    assert {key for key in counters if after[key] < before[key]} == set()


def test_a_redis_that_lost_everything_counts_anew(
    forewarm: Forewarm, environ: dict[str, str]
) -> None:
    some_of_everything(forewarm)
    before = samples(scrape(forewarm))
    with redis.Redis.from_url(environ["REDIS_URL"]) as raw:
        raw.hset("fw:m:ever", "born", "1")
        raw.hset("fw:m:ever", "purges_total|soft|operator|n", "0")
    after = samples(scrape(forewarm))
    purges = ("forewarm_purges_total", "cause=operator", "kind=soft")
    assert (before[purges], after[purges]) == (1, 0)


def test_a_redis_that_has_just_started_tells_no_counters_yet(
    forewarm: Forewarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    some_of_everything(forewarm)
    monkeypatch.setattr(prometheus, "SETTLING", 10**9)
    found = scrape(forewarm)
    assert set(found) == {
        *("forewarm_redis_up", "forewarm_postgres_up", "forewarm_build_info"),
        *("forewarm_queue_depth", "forewarm_queue_oldest_seconds"),
    }
    assert samples(found)["forewarm_redis_up",] == 1


def test_without_stores_it_says_so_and_nothing_else(
    start_forewarm: Applications,
) -> None:
    nowhere = "127.0.0.1:1"
    forewarm = start_forewarm(
        REDIS_URL=f"redis://{nowhere}/0",
        DATABASE_URL=f"postgresql://{nowhere}/none",
        ADMIN_PASSWORD=ADMIN_PASSWORD,
    )
    found = samples(scrape(forewarm))
    (build,) = (key for key in found if key[0] == "forewarm_build_info")
    assert {key: value for key, value in found.items() if key != build} == {
        ("forewarm_redis_up",): 0,
        ("forewarm_postgres_up",): 0,
    }


def test_scraping_is_quick(forewarm: Forewarm) -> None:
    counts = forewarm.services.gauges._counts
    for row in MEASURES.values():
        for place in range(row.shown):
            values = tuple(f"{label}-{place}" for label in row.labels)
            if row.kind == "histogram":
                counts.observe(row.name, *values, seconds=place / 1000)
            else:
                counts.add(row.name, *values)
    forewarm.services.recorder.flush()
    scrape(forewarm)
    times = []
    for _ in range(5):
        began = time.perf_counter()
        forewarm.request("GET", "/metrics", API_KEY)
        times.append(time.perf_counter() - began)
    assert min(times) < 0.1


def test_it_needs_a_key_or_the_password(start_forewarm: Applications) -> None:
    forewarm = start_forewarm(ADMIN_PASSWORD=ADMIN_PASSWORD)
    statuses = [
        forewarm.request("GET", "/metrics", token).status_code
        for token in (API_KEY, ADMIN_PASSWORD, "fwk_another-key-of-nobody", "")
    ]
    assert statuses == [200, 200, 401, 401]
