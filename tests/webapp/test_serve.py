"""The ladder over real stores and the stand-in GitHub: each rung, and what it costs."""

from __future__ import annotations

import pytest

from tests.serving import Forewarm, ForewarmFactory
from tests.standin.process import StandIn
from webapp.cache.keys import lease_key

LIST = "/orgs/pallets/repos"
DETAIL = "/repos/pallets/flask"


def test_a_second_identical_request_is_a_hit_without_an_upstream_call(
    forewarm: Forewarm, github: StandIn
) -> None:
    first, second = forewarm.get(LIST), forewarm.get(LIST)
    assert [first.headers["X-Cache"], second.headers["X-Cache"]] == ["MISS", "HIT"]
    assert second.data == first.data
    assert second.headers["ETag"] == first.headers["ETag"]
    assert second.headers["Link"] == first.headers["Link"]
    assert github.count(LIST) == 1


@pytest.mark.parametrize(
    "again",
    [
        "/orgs/Pallets/repos",
        "/orgs/pallets/repos?page=1",
        "/orgs/pallets/repos?per_page=30&page=1",
        "/orgs%2Fpallets%2Frepos",
    ],
)
def test_what_github_would_answer_alike_is_one_entry(
    forewarm: Forewarm, github: StandIn, again: str
) -> None:
    forewarm.get(LIST)
    assert forewarm.get(again).headers["X-Cache"] == "HIT"
    assert github.count("/orgs/") == 1


def test_a_reordered_query_hits_the_same_entry(forewarm: Forewarm) -> None:
    forewarm.get(f"{LIST}?sort=full_name&per_page=5")
    assert forewarm.get(f"{LIST}?per_page=5&sort=full_name").headers["X-Cache"] == "HIT"


def test_a_head_reads_what_a_get_has_stored(forewarm: Forewarm, github: StandIn) -> None:
    got = forewarm.get(DETAIL)
    head = forewarm.request("HEAD", f"/api/v3{DETAIL}", token="fwk_a-key-for-tests-000001")
    assert head.headers["X-Cache"] == "HIT"
    assert head.data == b""
    assert head.headers["Content-Length"] == got.headers["Content-Length"]
    assert head.headers["ETag"] == got.headers["ETag"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Accept": "application/vnd.github.raw+json"},
        {"X_GitHub_Api_Version": "2022-11-28"},
    ],
)
def test_another_representation_is_another_entry(
    forewarm: Forewarm, headers: dict[str, str]
) -> None:
    forewarm.get(DETAIL)
    assert forewarm.get(DETAIL, **headers).headers["X-Cache"] in {"MISS", "BYPASS"}


def test_an_expired_entry_is_revalidated_by_a_free_304(
    start_forewarm: ForewarmFactory, github: StandIn
) -> None:
    forewarm = start_forewarm(CACHE_FRESH_REPO_LIST="0")
    first = forewarm.get(LIST)
    points = github.points()
    second = forewarm.get(LIST)
    assert second.headers["X-Cache"] == "REVALIDATED"
    assert second.data == first.data
    assert second.headers["Link"] == first.headers["Link"]
    assert github.count(LIST) == 2
    assert github.points() == points


def test_losing_redis_data_costs_no_points(forewarm: Forewarm, github: StandIn) -> None:
    first = forewarm.get(DETAIL)
    points = github.points()
    forewarm.services.redis.flushall()
    second = forewarm.get(DETAIL)
    assert second.headers["X-Cache"] == "REVALIDATED"
    assert second.data == first.data
    assert github.points() == points


def test_no_lease_is_left_behind(forewarm: Forewarm) -> None:
    forewarm.get(DETAIL)
    forewarm.get("/repos/pallets/nothing-of-that-name")
    assert not list(forewarm.services.redis.scan_iter(lease_key("fw:e:*")))
