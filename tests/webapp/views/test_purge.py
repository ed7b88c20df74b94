"""POST /api/purge and GET /api/entries: operators' hands, and eyes."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest
import time_machine
from werkzeug.test import TestResponse

from script.embedded import Postgres, Valkey
from tests.serving import Forewarm, ForewarmFactory
from tests.standin.accounts import ALICE_TOKEN, PUBLIC_TOKEN
from tests.standin.process import StandIn
from tests.webapp.lasting import Applications, lasting_applications

DETAIL = "/repos/pallets/flask"
LIST = "/orgs/pallets/repos"


@pytest.fixture(scope="module")
def applications(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    with lasting_applications(valkey, postgres, standin, "purge") as made:
        yield made


@pytest.fixture
def start_forewarm(applications: Applications, standin: StandIn) -> ForewarmFactory:
    applications.empty(standin)
    return applications


@pytest.fixture
def forewarm(start_forewarm: ForewarmFactory) -> Forewarm:
    return start_forewarm(GITHUB_PUBLIC_TOKEN=PUBLIC_TOKEN)


def purge(forewarm: Forewarm, **body: object) -> TestResponse:
    return forewarm.request("POST", "/api/purge", json=body)


def outcome(forewarm: Forewarm, path: str = DETAIL) -> str:
    return forewarm.get(path).headers["X-Cache"]


def archived(forewarm: Forewarm) -> list[str]:
    """Paths that the archive holds."""
    with psycopg.connect(forewarm.settings.database_url.reveal()) as connection:
        found = connection.execute("select path from upstream_responses order by path").fetchall()
    return [path for (path,) in found]


@pytest.mark.parametrize(
    "body",
    [
        {"tags": ["repo:pallets/flask"]},
        {"tags": ["repo:Pallets/Flask"]},
        {"tags": ["owner:pallets"]},
        {"tags": ["all"]},
        {"paths": [DETAIL]},
        {"paths": ["/repos/Pallets/FLASK"]},
        {"paths": [f"{DETAIL}/languages"]},
        {"paths": [f"{DETAIL}?x=1"]},
        {"paths": [f"/api/v3{DETAIL}"]},
        {"paths": [DETAIL, DETAIL], "tags": ["repo:pallets/flask"], "hard": False},
    ],
)
def test_a_soft_purge_makes_the_next_read_revalidate(
    forewarm: Forewarm, github: StandIn, body: dict[str, object]
) -> None:
    forewarm.get(DETAIL)
    points = github.points()
    assert purge(forewarm, **body).get_json() == {"purged": 1}
    assert outcome(forewarm) == "REVALIDATED"
    assert outcome(forewarm) == "HIT"
    assert github.points() == points


def test_a_soft_purge_leaves_the_old_answer_as_grace(forewarm: Forewarm, github: StandIn) -> None:
    forewarm.get(DETAIL)
    purge(forewarm, paths=[DETAIL])
    github.fault("status", status=503)
    assert outcome(forewarm) == "GRACE"


def test_a_hard_purge_leaves_nothing(forewarm: Forewarm, github: StandIn) -> None:
    for path in (DETAIL, f"{DETAIL}/languages", LIST):
        forewarm.get(path)
    assert archived(forewarm) == [LIST, DETAIL, f"{DETAIL}/languages"]
    assert purge(forewarm, tags=["repo:pallets/flask"], hard=True).get_json() == {"purged": 1}
    assert archived(forewarm) == [LIST]
    github.fault("status", status=503)
    assert forewarm.get(DETAIL).status_code == 502
    assert outcome(forewarm, LIST) == "HIT"


def test_after_a_hard_purge_github_is_asked_without_validators(
    forewarm: Forewarm, github: StandIn
) -> None:
    for token in ("", ALICE_TOKEN):
        forewarm.get(DETAIL, token)
    forewarm.get(DETAIL)
    purge(forewarm, paths=[DETAIL], hard=True)
    github.forget()
    for token in ("", ALICE_TOKEN):
        assert forewarm.get(DETAIL, token).headers["X-Cache"] == "MISS"
    assert outcome(forewarm) == "MISS"
    assert not any(each.conditional for each in github.requests())


def test_a_purge_reaches_every_scope(forewarm: Forewarm) -> None:
    for token in ("", ALICE_TOKEN):
        forewarm.get(DETAIL, token)
    purge(forewarm, tags=["owner:pallets"])
    for token in ("", ALICE_TOKEN):
        assert forewarm.get(DETAIL, token).headers["X-Cache"] == "REVALIDATED"


WRONG = [
    ({}, "tags"),
    ({"tags": []}, "tags"),
    ({"tags": "all"}, "tags"),
    ({"tags": [1]}, "tags.0"),
    ({"tags": ["all", "nonsense"]}, "tags.1"),
    ({"tags": ["repo:pallets"]}, "tags.0"),
    ({"tags": ["owner:*"]}, "tags.0"),
    ({"tags": ["owner:a b"]}, "tags.0"),
    ({"tags": ["owner:a\nb"]}, "tags.0"),
    ({"tags": ["all"] * 501}, "tags"),
    ({"tags": ["owner:" + "a" * 300]}, "tags.0"),
    ({"paths": ["repos/pallets/flask"]}, "paths.0"),
    ({"paths": ["/rate_limit"]}, "paths"),
    ({"paths": ["/orgs/pallets/teams"]}, "paths"),
    ({"paths": ["/" + "a" * 5_000]}, "paths.0"),
    ({"tags": ["all"], "hard": "yes"}, "hard"),
    ({"tags": ["all"], "hard": 1}, "hard"),
    ({"tags": ["all"], "soft": True}, "soft"),
]


@pytest.mark.parametrize(("body", "named"), WRONG, ids=lambda each: str(each)[:40])
def test_a_wrong_purge_is_a_400_that_names_the_field_and_purges_nothing(
    forewarm: Forewarm, body: dict[str, object], named: str
) -> None:
    forewarm.get(DETAIL)
    answer = purge(forewarm, **body)
    assert answer.status_code == 400
    assert named in answer.get_json()["message"]
    assert len(answer.data) < 1_000
    assert outcome(forewarm) == "HIT"


# Why a hit or a miss


def told(forewarm: Forewarm, path: str = DETAIL, scope: str = "service") -> dict[str, object]:
    """The account of one scope's entry."""
    answer = forewarm.request("GET", f"/api/entries?path={path}").get_json()
    (found,) = [each for each in answer["entries"] if each["scope"] == scope]
    return dict(found)


def test_each_state_of_an_entry_is_told(forewarm: Forewarm) -> None:
    with time_machine.travel(time.time(), tick=True) as clock:
        assert told(forewarm)["state"] == "absent"
        forewarm.get(DETAIL)
        fresh = told(forewarm)
        assert (fresh["state"], fresh["shelves"]) == ("fresh", ["redis", "archive"])
        assert told(forewarm, scope="public")["state"] == "absent"
        ends = fresh["fresh_for"]
        assert isinstance(ends, float)
        clock.shift(ends + 1)
        assert told(forewarm)["state"] == "stale"
        clock.shift(301)
        assert told(forewarm)["state"] == "grace"
        purge(forewarm, paths=[DETAIL])
        assert told(forewarm)["state"] == "purged"
        purge(forewarm, paths=[DETAIL], hard=True)
        dead = told(forewarm)
    assert (dead["state"], dead["shelves"]) == ("dead", ["redis"])


def test_an_account_names_the_key_the_tags_and_what_would_purge_it(forewarm: Forewarm) -> None:
    forewarm.get(DETAIL)
    answer = forewarm.request("GET", f"/api/entries?path={DETAIL}").get_json()
    assert answer["resource"] == "repo"
    assert answer["tags"] == ["repo:pallets/flask", "owner:pallets", "all"]
    assert {"push", "star", "repository"} <= set(answer["purged_by"])
    key = told(forewarm)["key"]
    assert isinstance(key, str)
    assert forewarm.services.redis.exists(key)


def test_an_account_asks_nobody_and_changes_nothing(forewarm: Forewarm, github: StandIn) -> None:
    forewarm.get(DETAIL)
    github.forget()
    for path in (DETAIL, LIST, "/no/such/thing"):
        assert told(forewarm, path)["reason"]
    assert github.count() == 0
    assert outcome(forewarm) == "HIT"
