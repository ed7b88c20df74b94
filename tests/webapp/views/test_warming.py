"""/api/watches and /api/warming: the contract's shapes, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from werkzeug.test import TestResponse

from script.embedded import Postgres, Valkey
from tests.serving import API_KEY, Forewarm
from tests.standin.process import StandIn
from tests.webapp.lasting import Applications, lasting_applications


@pytest.fixture(scope="module")
def applications(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    with lasting_applications(valkey, postgres, standin, "warming_api") as made:
        yield made


@pytest.fixture
def forewarm(applications: Applications, github: StandIn) -> Forewarm:
    made = applications(WATCH="psf/requests")
    with psycopg.connect(applications.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("truncate watches, warming_runs restart identity")
    made.services.watches._again()
    return made


def post(forewarm: Forewarm, path: str, **body: object) -> TestResponse:
    return forewarm.request("POST", path, json=body)


def listed(forewarm: Forewarm) -> list[tuple[str, str, str]]:
    items = forewarm.request("GET", "/api/watches").get_json()["items"]
    return [(each["name"], each["kind"], each["source"]) for each in items]


def test_a_watch_is_added_and_listed(forewarm: Forewarm) -> None:
    answer = post(forewarm, "/api/watches", name="Pallets")
    assert answer.status_code == 201
    assert answer.get_json()["name"] == "pallets"
    assert listed(forewarm) == [("pallets", "owner", "api"), ("psf/requests", "repo", "env")]


@pytest.mark.parametrize("name", ["pallets", "pallets/flask"])
def test_a_watch_is_removed(forewarm: Forewarm, name: str) -> None:
    post(forewarm, "/api/watches", name=name)
    answer = forewarm.request("DELETE", f"/api/watches/{name}", Content_Type="application/json")
    assert (answer.status_code, answer.data) == (204, b"")
    assert listed(forewarm) == [("psf/requests", "repo", "env")]


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/api/watches/nobody", 404, "nobody is not watched"),
        ("/api/watches/psf/requests", 409, "WATCH"),
    ],
)
def test_what_cannot_be_removed_says_why(
    forewarm: Forewarm, path: str, status: int, says: str
) -> None:
    answer = forewarm.request("DELETE", path, Content_Type="application/json")
    assert answer.status_code == status
    assert says in answer.get_json()["message"]


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "a b"}, {"name": 7}, {"name": "a/.."}])
def test_a_watch_that_cannot_be_names_the_parameter(
    forewarm: Forewarm, body: dict[str, object]
) -> None:
    answer = post(forewarm, "/api/watches", **body)
    assert answer.status_code == 400
    assert answer.get_json()["message"].startswith("name")


def test_a_run_is_begun_and_looked_at(forewarm: Forewarm) -> None:
    answer = post(forewarm, "/api/warming", names=["pallets"])
    assert (answer.status_code, answer.get_json()) == (202, {"run": 1})
    assert forewarm.request("GET", "/api/warming/1").get_json() == {
        "run": 1,
        "state": "queued",
        "done": 0,
        "total": 0,
        "points": 0,
        "saved": 0,
        "failures": 0,
    }


def test_without_names_all_watches_are_warmed(forewarm: Forewarm) -> None:
    assert post(forewarm, "/api/warming").status_code == 202
    forewarm.services.warming.turn(1)
    item = forewarm.request("GET", "/api/warming").get_json()["items"][0]
    assert (item["state"], item["done"], item["total"]) == ("done", 1, 1)


def test_a_run_is_paused_resumed_and_cancelled(forewarm: Forewarm) -> None:
    post(forewarm, "/api/warming")
    states = [
        post(forewarm, f"/api/warming/1/{act}").get_json()["state"]
        for act in ("pause", "resume", "cancel")
    ]
    assert states == ["paused", "queued", "cancelled"]


def test_what_a_run_cannot_do_says_its_state(forewarm: Forewarm) -> None:
    post(forewarm, "/api/warming")
    post(forewarm, "/api/warming/1/cancel")
    answer = post(forewarm, "/api/warming/1/resume")
    assert (answer.status_code, answer.get_json()["message"]) == (409, "Run 1 is cancelled.")


@pytest.mark.parametrize("path", ["/api/warming/99", "/api/warming/99/cancel", "/api/warming/x"])
def test_a_run_that_is_not_there_is_a_404(forewarm: Forewarm, path: str) -> None:
    method = "POST" if path.endswith("cancel") else "GET"
    assert forewarm.request(method, path, Content_Type="application/json").status_code == 404


def test_a_name_that_cannot_be_is_refused_for_a_run_too(forewarm: Forewarm) -> None:
    answer = post(forewarm, "/api/warming", names=["pallets", "a b"])
    assert answer.status_code == 400
    assert answer.get_json()["message"].startswith("names.1")


def test_an_api_key_reads_and_changes_nothing(forewarm: Forewarm) -> None:
    assert forewarm.request("GET", "/api/watches", API_KEY).status_code == 200
    assert forewarm.request("POST", "/api/watches", API_KEY, json={"name": "a"}).status_code == 403
