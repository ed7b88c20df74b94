"""Why a hit or a miss: the account of an entry in each of its states, and of the shelves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine

from script.embedded import Postgres, Valkey
from tests.serving import Forewarm, ForewarmFactory
from tests.standin.accounts import ALICE_TOKEN
from tests.standin.landmarks import SHARED_PRIVATE
from tests.standin.process import StandIn
from tests.webapp.lasting import fresh_applications, lasting_environ
from webapp.cache.keys import canonical_target, tag_key
from webapp.inspection import inspect
from webapp.policy import DAY, HOUR, MINUTE

BASE_URL = "http://127.0.0.1:8000/api/v3"
DETAIL = "/repos/pallets/flask"
TAG = "repo:pallets/flask"


@pytest.fixture(scope="module")
def lasting(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[dict[str, str]]:
    with lasting_environ(valkey, postgres, standin, "inspection") as environ:
        yield environ


@pytest.fixture
def start_forewarm(lasting: dict[str, str], standin: StandIn) -> Iterator[ForewarmFactory]:
    with fresh_applications(lasting, standin) as applications:
        yield applications


@pytest.fixture
def forewarm(start_forewarm: ForewarmFactory) -> Forewarm:
    return start_forewarm()


def account(forewarm: Forewarm, path: str = DETAIL) -> dict[str, Any]:
    bare, _, query = path.partition("?")
    target = canonical_target(bare, query, "", "")
    return inspect(forewarm.services.store, forewarm.services.archive, target, BASE_URL)


def of(forewarm: Forewarm, scope: str = "service", path: str = DETAIL) -> dict[str, Any]:
    (entry,) = (each for each in account(forewarm, path)["entries"] if each["scope"] == scope)
    assert isinstance(entry, dict)
    return entry


def purge(forewarm: Forewarm, *, hard: bool) -> None:
    forewarm.services.purger.purge([TAG], hard=hard, cause="operator")


def test_what_was_never_asked_for_is_absent(forewarm: Forewarm) -> None:
    entry = of(forewarm)
    assert entry["key"].startswith("fw:e:1:service:")
    assert (entry["state"], entry["shelves"]) == ("absent", [])
    assert "status" not in entry


@pytest.mark.parametrize(
    ("moment", "later", "state", "reason"),
    [
        ("stored_at", 0.0, "fresh", "inside its period: a HIT"),
        (
            *("fresh_until", 1.0, "stale"),
            "past its period by time: served, and refreshed behind",
        ),
        (
            *("stale_until", 1.0, "grace"),
            "past its stale period: revalidated; served if GitHub can't be reached",
        ),
        ("grace_until", 1.0, "dead", "past its grace: never served"),
    ],
)
def test_time_takes_an_entry_through_its_states(
    forewarm: Forewarm, moment: str, later: float, state: str, reason: str
) -> None:
    forewarm.get(DETAIL)
    fetched = forewarm.services.store.read(of(forewarm)["key"], (TAG, "owner:pallets", "all"))
    assert fetched.entry is not None
    now = getattr(fetched.entry, moment) + later
    with time_machine.travel(now, tick=False):
        entry = of(forewarm)
    assert (entry["state"], entry["reason"]) == (state, reason)
    assert entry["age"] == pytest.approx(now - fetched.entry.stored_at, abs=0.1)


@pytest.mark.parametrize(
    ("hard", "state", "reason", "shelves"),
    [
        (False, "purged", "known to have changed: the next read revalidates it", 2),
        (True, "dead", "purged hard: never served", 1),
    ],
)
def test_a_purge_is_told(
    forewarm: Forewarm, hard: bool, state: str, reason: str, shelves: int
) -> None:
    forewarm.get(DETAIL)
    purge(forewarm, hard=hard)
    entry = of(forewarm)
    assert (entry["state"], entry["reason"]) == (state, reason)
    assert entry["shelves"] == ["redis", "archive"][:shelves]


def test_a_tag_that_is_gone_is_told(forewarm: Forewarm) -> None:
    forewarm.get(DETAIL)
    forewarm.services.redis.delete(tag_key(TAG))
    entry = of(forewarm)
    assert entry["state"] == "dead"
    assert entry["reason"] == "one of its tags is gone (evicted or flushed): never served"


def test_a_fresh_entry_shows_what_is_stored_of_it(forewarm: Forewarm) -> None:
    answer = forewarm.get(DETAIL)
    entry = of(forewarm)
    assert entry["status"] == 200
    assert entry["etag"] == answer.headers["ETag"]
    assert 0 < entry["bytes"] < len(answer.data)  # gzipped
    assert 0.95 * 3 * HOUR - 5 <= entry["fresh_for"] <= 3 * HOUR
    assert entry["stale_for"] == pytest.approx(entry["fresh_for"] + 5 * MINUTE, abs=0.2)
    assert entry["grace_for"] == pytest.approx(entry["stale_for"] + 7 * DAY, abs=0.2)
    assert 0 <= entry["archived_for"] < 10


def test_losing_redis_leaves_the_archive(forewarm: Forewarm) -> None:
    forewarm.get(DETAIL)
    forewarm.services.redis.delete(of(forewarm)["key"])
    entry = of(forewarm)
    assert (entry["state"], entry["shelves"]) == ("absent", ["archive"])


def test_a_negative_answer_is_told_with_its_status(forewarm: Forewarm) -> None:
    forewarm.get("/repos/pallets/nothing")
    entry = of(forewarm, path="/repos/pallets/nothing")
    assert (entry["state"], entry["status"], entry["shelves"]) == ("fresh", 404, ["redis"])


def test_service_and_public_eyes_are_told_apart(forewarm: Forewarm) -> None:
    forewarm.get(DETAIL, token="")
    assert of(forewarm, "public")["state"] == "fresh"
    assert of(forewarm, "service")["state"] == "absent"
    assert of(forewarm, "public")["key"] != of(forewarm, "service")["key"]


def test_what_a_callers_own_token_saw_is_nobodys_to_look_at(forewarm: Forewarm) -> None:
    path = f"/repos/{SHARED_PRIVATE}"
    assert forewarm.get(path, ALICE_TOKEN).status_code == 200
    told = account(forewarm, path)
    assert [each["scope"] for each in told["entries"]] == ["service", "public"]
    assert {each["state"] for each in told["entries"]} == {"absent"}


def test_it_tells_resource_tags_and_what_would_purge_them(forewarm: Forewarm) -> None:
    told = account(forewarm, "/repos/Pallets/Flask/languages")
    assert told["path"] == "/repos/pallets/flask/languages"
    assert told["resource"] == "repo_part"
    assert told["tags"] == [TAG, "owner:pallets", "all"]
    assert told["purged_by"]["push"] == ["*"]
    assert told["purged_by"]["release"] == ["*"]
    assert told["purged_by"]["issues"] == [
        *("closed", "deleted", "opened", "reopened", "transferred"),
    ]


def test_a_representation_has_an_account_of_its_own(forewarm: Forewarm) -> None:
    forewarm.get(f"{DETAIL}/releases?per_page=5")
    assert of(forewarm, path=f"{DETAIL}/releases?per_page=5")["state"] == "fresh"
    assert of(forewarm, path=f"{DETAIL}/releases")["state"] == "absent"


def test_looking_asks_github_nothing_and_changes_nothing(
    forewarm: Forewarm, standin: StandIn
) -> None:
    forewarm.get(DETAIL)
    before = account(forewarm)["entries"][0]["etag"]
    for _ in range(3):
        account(forewarm)
        account(forewarm, "/orgs/pallets")
    assert standin.count() == 1
    assert account(forewarm)["entries"][0]["etag"] == before
    assert forewarm.get(DETAIL).headers["X-Cache"] == "HIT"
