"""The catalog's requests: what is refused and how, who may ask, and what clients may keep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from script.embedded import Postgres, Valkey
from tests.serving import ADMIN_PASSWORD, API_KEY
from tests.standin.accounts import ALICE_TOKEN
from tests.standin.process import StandIn
from tests.webapp.catalog.conftest import Api, emptied, filled_with_lists
from tests.webapp.lasting import Applications, lasting_applications, recovered

SECRET_VALUE = "zz-the-value"


@pytest.fixture(scope="module")
def applications(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    with lasting_applications(valkey, postgres, standin, "catalog_views") as started:
        yield started


@pytest.fixture(scope="module")
def api(applications: Applications, standin: StandIn) -> Api:
    return filled_with_lists(Api(emptied(applications, standin)))


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        (f"/repos?sort={SECRET_VALUE}", "sort"),
        (f"/repos?order={SECRET_VALUE}", "order"),
        (f"/repos?visibility={SECRET_VALUE}", "visibility"),
        (f"/repos?archived={SECRET_VALUE}", "archived"),
        ("/repos?fork=yes", "fork"),
        ("/repos?fork=", "fork"),
        (f"/repos?{SECRET_VALUE}=1&limit=5", SECRET_VALUE),
        ("/repos?limit=0", "limit"),
        ("/repos?limit=-1", "limit"),
        ("/repos?limit=101", "limit"),
        ("/repos?limit=1000000000", "limit"),
        ("/repos?limit=" + "9" * 400, "limit"),
        ("/repos?limit=1e1", "limit"),
        ("/repos?limit=%2B5", "limit"),
        ("/repos?limit=", "limit"),
        (f"/repos?cursor={SECRET_VALUE}", "cursor"),
        ("/repos?cursor=00", "cursor"),
        ("/repos?cursor=" + "0" * 5_000, "cursor"),
        ("/repos?cursor=" + "0" * 19, "cursor"),
        ("/repos?q=" + "a" * 10_000, "q"),
        ("/repos?q=%25", "q"),
        ("/repos?q=***", "q"),
        ("/repos?q=a%00b", "q"),
        ("/repos?q=a%0Ab", "q"),
        (f"/repos?org={SECRET_VALUE}/x", "org"),
        ("/repos?org=%00", "org"),
        ("/repos?language=%00", "language"),
        ("/repos?topic=a%20b", "topic"),
        ("/orgs?limit=0", "limit"),
        ("/orgs?cursor=xyz", "cursor"),
        ("/orgs?q=a", "q"),
        ("/orgs/a%20b", "org"),
        ("/repos/pallets/..x%20y", "name"),
        ("/repos/pal%20lets/flask", "owner"),
        ("/repos/pallets/...", "name"),
        ("/repos/pallets/" + "x" * 101, "name"),
    ],
)
def test_what_doesnt_fit_is_a_400_that_names_the_parameter(
    api: Api, path: str, parameter: str
) -> None:
    answer = api.get(path)
    error = answer.get_json()
    assert (answer.status_code, error["status"]) == (400, "400")
    assert error["message"].startswith(f"{parameter}: ")
    assert error.keys() == {"message", "documentation_url", "status"}
    assert SECRET_VALUE not in error["message"].removeprefix(parameter)
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"names": ["pallets/flask"] * 10_000}, "names"),
        ({"names": None}, "names"),
        ({"names": "pallets/flask"}, "names"),
        ({"names": {"0": "pallets/flask"}}, "names"),
        ({"names": [None]}, "names.0"),
        ({"names": ["pallets/flask", 7]}, "names.1"),
        ({"names": [["pallets/flask"]]}, "names.0"),
        ({"names": ["flask"]}, "names.0"),
        ({"names": [SECRET_VALUE]}, "names.0"),
        ({"names": ["a/b/c"]}, "names.0"),
        ({"names": ["pallets/.."]}, "names.0"),
        ({"names": ["pallets/"]}, "names.0"),
        ({"names": ["pal lets/flask"]}, "names.0"),
        ({"names": ["pallets/fl\x00ask"]}, "names.0"),
        ({"names": ["pallets/flask\n"]}, "names.0"),
        ({"names": ["p/" + "x" * 10_000]}, "names.0"),
        ({"names": [], "more": SECRET_VALUE}, "more"),
        ({}, "names"),
        ([], "body"),
        ("names", "body"),
        ('{"names": []}', "body"),
        (None, "body"),
    ],
)
def test_a_look_up_that_doesnt_fit_names_what_doesnt(api: Api, body: Any, parameter: str) -> None:
    answer = api.forewarm.request(
        "POST", "/api/repos/lookup", API_KEY, json=body, Content_Type="application/json"
    )
    assert answer.status_code == 400
    assert answer.get_json()["message"].startswith(f"{parameter}: ")
    assert SECRET_VALUE not in answer.text


@pytest.mark.parametrize(
    "path", ["/orgs", "/orgs/pallets", "/repos?q=flask", "/repos/pallets/flask"]
)
def test_clients_keep_answers_and_ask_again_by_etag(api: Api, path: str) -> None:
    api.get(path)
    first = api.get(path)
    assert first.headers["Cache-Control"] == "private, no-cache"
    assert first.headers["Vary"] == "Authorization"
    again = api.get(path, If_None_Match=first.headers["ETag"])
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert api.get(path, If_None_Match='"other"').status_code == 200
    head = api.forewarm.request("HEAD", f"/api{path}", API_KEY)
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["ETag"] == first.headers["ETag"]


def test_a_look_up_has_an_etag_and_is_always_answered(api: Api) -> None:
    first = api.post_lookup({"names": ["pallets/flask"]})
    assert first.headers["ETag"]
    assert first.headers["Cache-Control"] == "private, no-cache"
    again = api.forewarm.request(
        "POST",
        "/api/repos/lookup",
        API_KEY,
        json={"names": ["pallets/flask"]},
        If_None_Match=first.headers["ETag"],
    )
    assert (again.status_code, again.data) == (200, first.data)


def test_one_repository_has_its_history(api: Api) -> None:
    found = api.get("/repos/PALLETS/Flask").get_json()
    (day,) = found.pop("history")
    assert found == api.look_up(["pallets/flask"])["items"][0]
    assert day == {
        "day": found["seen_at"][:10],
        "stars": found["stargazers_count"],
        "forks": found["forks_count"],
        "open_issues": found["open_issues_count"],
    }


def test_a_repository_that_isnt_there_is_a_404(api: Api) -> None:
    answer = api.get("/repos/pallets/nothing")
    assert (answer.status_code, answer.get_json()["message"]) == (404, "Not Found")


READS = ("/api/orgs", "/api/orgs/pallets", "/api/repos", "/api/repos/pallets/flask")


@pytest.mark.parametrize(
    ("token", "status"), [("", 401), (ALICE_TOKEN, 401), (API_KEY, 200), (ADMIN_PASSWORD, 200)]
)
def test_key_holders_and_the_administrator_may_read(
    api: Api, applications: Applications, token: str, status: int
) -> None:
    closed = applications(ADMIN_PASSWORD=ADMIN_PASSWORD)
    for path in READS:
        assert closed.request("GET", path, token).status_code == status
    body = {"names": ["pallets/flask"]}
    assert closed.request("POST", "/api/repos/lookup", token, json=body).status_code == status


def test_without_postgresql_one_repository_is_still_answered(
    api: Api, applications: Applications, postgres: Postgres
) -> None:
    api.forewarm.get("/repos/pallets/flask")
    other = Api(applications(DATABASE_POOL="2"))
    postgres.pause()
    try:
        assert other.get("/repos?q=never-asked").status_code == 503
        assert other.get("/orgs/psf?").status_code == 503
        refused = other.post_lookup({"names": ["pallets/flask"]})
        assert refused.status_code == 503
        assert refused.headers["Retry-After"]
        found = other.get("/repos/pallets/flask")
        assert (found.status_code, found.get_json()["history"]) == (200, [])
        assert other.get("/repos/pallets/nothing").status_code == 404
    finally:
        postgres.resume()
        recovered(other.forewarm)
