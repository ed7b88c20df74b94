"""GET /api/jobs, and operators' hands on dead letters, each with its audit row."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dramatiq import Message

from script.embedded import Postgres, Valkey
from tests.serving import API_KEY, Forewarm
from tests.standin.process import StandIn
from tests.webapp.lasting import Applications, lasting_applications
from webapp.db.audit import Act
from webapp.jobs import NAMESPACE, WORKER_HEARTBEAT

PASSWORD = "a password for jobs"


@pytest.fixture(scope="module")
def applications(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    with lasting_applications(valkey, postgres, standin, "jobs") as made:
        yield made


@pytest.fixture
def forewarm(applications: Applications, standin: StandIn) -> Forewarm:
    applications.empty(standin)
    made = applications(ADMIN_PASSWORD=PASSWORD)
    with made.services.jobs.reached() as client:
        client.flushdb()
    return made


def dead(forewarm: Forewarm, id_: str) -> None:
    """A dead letter as Dramatiq leaves it."""
    message: Message[object] = Message(
        queue_name="upkeep",
        actor_name="fail",
        args=("pallets",),
        kwargs={},
        options={"redis_message_id": id_, "retries": 4, "error": "ValueError: always"},
        message_id=f"job-{id_}",
    )
    with forewarm.services.jobs.reached() as client:
        client.hset(f"{NAMESPACE}:upkeep.XQ.msgs", id_, message.encode())
        client.zadd(f"{NAMESPACE}:upkeep.XQ", {id_: 1_000})


def acts(forewarm: Forewarm, number: int = 1) -> list[Act]:
    return forewarm.services.audit.latest(number)


def post(forewarm: Forewarm, path: str, token: str = PASSWORD) -> tuple[int, object]:
    response = forewarm.request("POST", path, token, json={})
    return response.status_code, response.get_json()


def test_an_api_key_may_read_what_is_in_the_queues(forewarm: Forewarm) -> None:
    dead(forewarm, "one")
    forewarm.services.jobs.enqueue("nobody", "warming")
    found = forewarm.request("GET", "/api/jobs", API_KEY).get_json()
    assert [each["id"] for each in found["dead"]] == ["one"]
    queues = {each["queue"]: each for each in found["queues"]}
    assert (queues["warming"]["waiting"], queues["upkeep"]["dead"]) == (1, 1)
    assert found["workers"] == []


def test_what_jobs_were_given_is_for_administrators(forewarm: Forewarm) -> None:
    dead(forewarm, "one")
    for token, args in ((API_KEY, []), (PASSWORD, ["pallets"])):
        (letter,) = forewarm.request("GET", "/api/jobs", token).get_json()["dead"]
        assert letter["args"] == args


def test_its_verdicts_say_what_is_missing(forewarm: Forewarm) -> None:
    found = forewarm.request("GET", "/api/jobs", API_KEY).get_json()
    assert {each["name"]: each["state"] for each in found["verdicts"]} == {
        "Workers": "fail",
        "Scheduler": "fail",
        "Waiting": "ok",
        "Dead letters": "ok",
    }


def test_a_heartbeat_makes_a_verdict_good(forewarm: Forewarm) -> None:
    found = forewarm.request("GET", "/api/jobs", API_KEY).get_json()
    with forewarm.services.jobs.reached() as client:
        client.set(WORKER_HEARTBEAT, found["as_of"])
    found = forewarm.request("GET", "/api/jobs", API_KEY).get_json()
    assert found["verdicts"][0]["state"] == "ok"


@pytest.mark.parametrize(("hand", "left"), [("retry", 1), ("delete", 0)])
def test_a_dead_letter_is_taken_and_the_act_noted(forewarm: Forewarm, hand: str, left: int) -> None:
    dead(forewarm, "one")
    assert post(forewarm, f"/api/jobs/one/{hand}") == (200, {"jobs": 1})
    assert forewarm.services.queues.dead() == []
    assert sum(each.waiting for each in forewarm.services.queues.state().queues) == left
    (act,) = acts(forewarm)
    assert (act.who, act.target) == ("admin", "job-one")
    assert act.what == {"retry": "job retried", "delete": "job deleted"}[hand]
    assert act.detail == "upkeep fail, ValueError: always"


def test_all_dead_letters_are_retried_by_one_act(forewarm: Forewarm) -> None:
    for name in "abc":
        dead(forewarm, name)
    assert post(forewarm, "/api/jobs/all/retry") == (200, {"jobs": 3})
    assert [(each.what, each.detail) for each in acts(forewarm)] == [
        ("jobs retried", "3 dead letters")
    ]


def test_a_dead_letter_that_is_gone_is_a_404_without_a_row(forewarm: Forewarm) -> None:
    before = acts(forewarm)
    status, _ = post(forewarm, "/api/jobs/none/retry")
    assert status == 404
    assert acts(forewarm) == before


def test_an_api_key_may_not_retry(forewarm: Forewarm) -> None:
    dead(forewarm, "one")
    assert post(forewarm, "/api/jobs/one/retry", API_KEY)[0] == 403
    assert len(forewarm.services.queues.dead()) == 1


def test_a_purge_is_noted(forewarm: Forewarm) -> None:
    response = forewarm.request(
        "POST", "/api/purge", PASSWORD, json={"tags": ["repo:o/r"], "hard": True}
    )
    assert response.status_code == 200
    assert [(each.what, each.target) for each in acts(forewarm)] == [
        ("cache purged hard", "repo:o/r")
    ]


@pytest.mark.parametrize("before", ["nan", "inf", "-inf", "-1"])
def test_a_moment_that_is_none_is_refused_and_the_queues_are_not_taken_for_away(
    forewarm: Forewarm, before: str
) -> None:
    assert forewarm.request("GET", f"/api/jobs?before={before}", API_KEY).status_code == 400
    assert forewarm.request("GET", "/api/jobs", API_KEY).status_code == 200


def test_an_unknown_period_is_refused(forewarm: Forewarm) -> None:
    assert forewarm.request("GET", "/api/jobs?period=2h", API_KEY).status_code == 400
