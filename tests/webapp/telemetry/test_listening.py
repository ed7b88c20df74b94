"""What happens becomes counts: every request once, by route and never by path; jobs, hooks."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from flask.signals import request_started

from script.embedded import Postgres, Valkey
from tests.serving import ADMIN_PASSWORD, Forewarm
from tests.standin.process import StandIn
from tests.webapp.lasting import Applications, fresh_applications, lasting_environ
from tests.webapp.telemetry.test_recorder import KEY
from webapp import signals
from webapp.hitpath import SAMPLED_MOST
from webapp.telemetry.measures import MEASURES
from webapp.telemetry.metrics import Group, Sample

DETAIL, LIST = "/repos/pallets/flask", "/orgs/pallets/repos"


@pytest.fixture(scope="module")
def environ(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[dict[str, str]]:
    with lasting_environ(valkey, postgres, standin, "listening") as environ:
        yield environ


@pytest.fixture
def start_forewarm(environ: dict[str, str], standin: StandIn) -> Iterator[Applications]:
    """New ones for each test: they have counted nothing yet."""
    with fresh_applications(environ, standin) as applications:
        yield applications


@pytest.fixture
def forewarm(start_forewarm: Applications) -> Forewarm:
    return start_forewarm()


def totals(forewarm: Forewarm, name: str) -> dict[Group, Sample]:
    """By all labels, of everything so far."""
    forewarm.services.recorder.flush()
    now = time.time()
    labels = MEASURES[name].labels
    return forewarm.services.metrics.totals(name, since=now - 300, until=now + 10, by=labels)


def counts(forewarm: Forewarm, name: str) -> dict[Group, int]:
    return {group: sample.count for group, sample in totals(forewarm, name).items()}


@pytest.mark.parametrize("hitpath", ["on", "off"])
def test_every_request_of_the_mirror_counts_once(
    start_forewarm: Applications, standin: StandIn, hitpath: str
) -> None:
    forewarm = start_forewarm(HITPATH=hitpath, HIT_SAMPLE="3")
    for _ in range(10):
        forewarm.get(DETAIL)
    for _ in range(3):
        forewarm.get("/repos/pallets/nothing")
    forewarm.get(DETAIL, Cache_Control="max-age=0")
    forewarm.get(f"{DETAIL}/issues")
    forewarm.get(LIST, "fwk_that-nobody-has-given")
    forewarm.get("/rate_limit")
    forewarm.request("POST", f"/api/v3{DETAIL}/issues", "a-token-unknown", json={})
    forewarm.request("POST", "/api/graphql", json={})
    assert counts(forewarm, "request_duration_seconds") == {
        ("repo", "MISS"): 2,
        ("repo", "HIT"): 9,
        ("repo", "NEGATIVE"): 2,
        ("repo", "REVALIDATED"): 1,
        ("other", "MISS"): 1,
        ("repo_list", "ERROR"): 1,
        ("other", "BYPASS"): 2,
        ("graphql", "ERROR"): 1,
    }


def test_a_flood_of_hits_leaves_flask_only_some_a_second(start_forewarm: Applications) -> None:
    forewarm = start_forewarm(HITPATH="on", HIT_SAMPLE="1")
    through: list[object] = []

    def hear(_: object, **__: object) -> None:
        through.append(1)

    forewarm.get(DETAIL)
    began = time.perf_counter()
    with request_started.connected_to(hear, forewarm.app):
        for _ in range(SAMPLED_MOST * 5):
            assert forewarm.get(DETAIL).headers["X-Cache"] == "HIT"
        seconds = int(time.perf_counter()) - int(began) + 1
    assert 1 <= len(through) <= SAMPLED_MOST * seconds


def test_routes_are_rules_and_our_own_are_apart(start_forewarm: Applications) -> None:
    forewarm = start_forewarm(ADMIN_PASSWORD=ADMIN_PASSWORD)
    forewarm.get(DETAIL)
    forewarm.get(DETAIL)
    forewarm.request("GET", "/healthz")
    forewarm.request("GET", "/metrics", ADMIN_PASSWORD)
    forewarm.request("GET", "/api/entries?path=/orgs/pallets", ADMIN_PASSWORD)
    forewarm.request("GET", "/api/entries")
    forewarm.request("GET", "/nowhere/secret-1")
    forewarm.request("GET", "/nowhere/secret-2")
    forewarm.request("BREW", "/healthz")
    assert counts(forewarm, "route_duration_seconds") == {
        ("GET /api/v3/repos/{owner}/{repo}", "MISS"): 1,
        ("GET /api/v3/repos/{owner}/{repo}", "HIT"): 1,
        ("GET /api/entries", "2xx"): 1,
        ("GET /api/entries", "4xx"): 1,
        ("unmatched", "4xx"): 3,
    }
    assert counts(forewarm, "own_route_duration_seconds") == {
        ("GET /healthz", "2xx"): 1,
        ("GET /metrics", "2xx"): 1,
    }


def test_a_failing_view_counts_as_a_failure(forewarm: Forewarm) -> None:
    def broken() -> str:
        raise ZeroDivisionError

    forewarm.app.view_functions["health.healthz"] = broken
    forewarm.app.config["PROPAGATE_EXCEPTIONS"] = False
    assert forewarm.request("GET", "/healthz").status_code == 500
    assert counts(forewarm, "own_route_duration_seconds") == {("GET /healthz", "5xx"): 1}


def test_latency_by_shelf_tells_near_from_redis(start_forewarm: Applications) -> None:
    near, far = start_forewarm(NEAR_MB="64", HIT_SAMPLE="0"), start_forewarm(HIT_SAMPLE="0")
    near.get(DETAIL)
    far.get("/orgs/pallets")  # its connections are open
    deadline = time.monotonic() + 10
    while near.services.near.get(KEY) is None:  # until it is subscribed
        assert time.monotonic() < deadline
        near.get(DETAIL)
    for _ in range(300):
        near.get(DETAIL)
        far.get(DETAIL)
    near.services.recorder.flush()
    found = totals(far, "cache_read_duration_seconds")
    assert found["redis",].count >= 300
    assert found["near",].count >= 290
    fast, slow = found["near",].quantile(0.5), found["redis",].quantile(0.5)
    assert fast is not None
    assert slow is not None
    assert fast < slow / 1.5


def test_calls_to_github_have_resource_status_and_lane(
    forewarm: Forewarm, standin: StandIn
) -> None:
    forewarm.get(DETAIL)
    forewarm.get(DETAIL, Cache_Control="max-age=0")
    standin.fault("status", status=503)
    forewarm.get(LIST)
    assert counts(forewarm, "upstream_requests_total") == {
        ("repo", "200", "interactive"): 1,
        ("repo", "304", "interactive"): 1,
        ("repo_list", "503", "interactive"): 1,
    }
    assert counts(forewarm, "upstream_request_duration_seconds") == {
        ("repo",): 2,
        ("repo_list",): 1,
    }


def test_purges_jobs_and_webhooks_are_counted(forewarm: Forewarm) -> None:
    forewarm.services.purger.purge(["repo:a/b"], hard=True, cause="operator")
    for attempt, result in ((0, "retried"), (1, "done")):
        signals.job_ran.send(
            None, queue="upkeep", actor="sweep", result=result, seconds=0.5, attempt=attempt + 1
        )
    for result, reason, lag in (
        ("accepted", "", 0.8),
        ("duplicate", "", 2.0),
        ("refused", "bad signature", None),
    ):
        signals.webhook_received.send(
            *(None,),
            event="push",
            action="",
            result=result,
            reason=reason,
            owner="",
            lag=lag,
        )
    assert counts(forewarm, "purges_total")["hard", "operator"] == 1
    assert counts(forewarm, "jobs_total") == {
        ("upkeep", "sweep", "done"): 1,
        ("upkeep", "sweep", "retried"): 1,
    }
    assert counts(forewarm, "job_attempts_total") == {("sweep", "1"): 1, ("sweep", "2"): 1}
    assert totals(forewarm, "job_duration_seconds")["sweep",].sum == pytest.approx(1.0)
    assert counts(forewarm, "webhooks_total") == {
        ("push", "accepted", "none"): 1,
        ("push", "duplicate", "none"): 1,
        ("push", "refused", "bad signature"): 1,
    }
    assert counts(forewarm, "webhook_lag_seconds") == {("push",): 2}


def test_statements_are_counted_by_name_and_the_archive_is_a_shelf(forewarm: Forewarm) -> None:
    forewarm.get(DETAIL)
    queries = counts(forewarm, "db_query_duration_seconds")
    assert queries["archive_get",] == counts(forewarm, "cache_read_duration_seconds")["archive",]
    assert queries["archive_put",] == 1


def test_telemetry_off_measures_nothing(start_forewarm: Applications) -> None:
    forewarm = start_forewarm(TELEMETRY="off")
    forewarm.get(DETAIL)
    forewarm.get(DETAIL)
    assert counts(forewarm, "request_duration_seconds") == {}
    assert forewarm.services.demand is not None
