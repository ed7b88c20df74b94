"""Writes pass through with the caller's own token, and purge what they changed for everybody."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from werkzeug.test import TestResponse

from script.embedded import Postgres, Valkey
from tests.serving import API_KEY, Forewarm, ForewarmFactory
from tests.standin.accounts import ALICE_TOKEN, BOB_TOKEN, SERVICE_TOKEN
from tests.standin.process import StandIn
from tests.webapp.lasting import Applications, lasting_applications

SHARED = "/repos/initech/shared"
LIST = "/orgs/initech/repos"
LISTS = (LIST, "/user/repos")


@pytest.fixture(scope="module")
def applications(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    with lasting_applications(valkey, postgres, standin, "mutations") as made:
        yield made


@pytest.fixture
def start_forewarm(applications: Applications, standin: StandIn) -> ForewarmFactory:
    applications.empty(standin)
    return applications


@pytest.fixture
def forewarm(start_forewarm: ForewarmFactory) -> Forewarm:
    return start_forewarm()


def write(
    forewarm: Forewarm, method: str, path: str, token: str = SERVICE_TOKEN, **body: object
) -> TestResponse:
    """A write with a token of one's own, as JSON."""
    return forewarm.request(method, f"/api/v3{path}", token, json=body)


def outcomes(forewarm: Forewarm, *paths: str, token: str = API_KEY) -> list[str]:
    return [forewarm.get(path, token).headers["X-Cache"] for path in paths]


def test_a_change_is_seen_at_once_by_everybody(forewarm: Forewarm) -> None:
    tokens = (API_KEY, ALICE_TOKEN, BOB_TOKEN)
    for token in tokens:
        forewarm.get(SHARED, token)
    answer = write(forewarm, "PATCH", SHARED, ALICE_TOKEN, description="changed")
    assert (answer.status_code, answer.headers["X-Cache"]) == (200, "BYPASS")
    for token in tokens:
        seen = forewarm.get(SHARED, token)
        assert seen.get_json()["description"] == "changed"
        assert seen.headers["X-Cache"] in {"MISS", "REVALIDATED"}


def test_a_change_revalidates_its_owners_lists(forewarm: Forewarm) -> None:
    assert outcomes(forewarm, *LISTS) == ["MISS", "MISS"]
    write(forewarm, "PATCH", SHARED, ALICE_TOKEN, description="changed")
    assert "HIT" not in outcomes(forewarm, *LISTS)
    assert "changed" in forewarm.get(LIST).text


def test_a_change_leaves_others_alone(forewarm: Forewarm) -> None:
    others = ("/repos/initech/website", "/repos/pallets/flask", "/orgs/pallets/repos")
    outcomes(forewarm, *others)
    write(forewarm, "PATCH", SHARED, ALICE_TOKEN, description="changed")
    assert outcomes(forewarm, *others) == ["HIT", "HIT", "HIT"]


def test_what_was_deleted_is_not_even_grace(forewarm: Forewarm, github: StandIn) -> None:
    paths = (SHARED, f"{SHARED}/languages", f"{SHARED}/topics")
    outcomes(forewarm, *paths)
    assert write(forewarm, "DELETE", SHARED).status_code == 204
    github.fault("status", status=503)
    assert [forewarm.get(path).status_code for path in paths] == [502, 502, 502]


def test_what_turned_private_is_not_even_grace(forewarm: Forewarm, github: StandIn) -> None:
    path = "/repos/initech/website"
    outcomes(forewarm, path)
    forewarm.get(path, token="")
    assert write(forewarm, "PATCH", path, private=True).status_code == 200
    assert forewarm.get(path, token="").status_code == 404
    github.fault("status", status=503)
    assert forewarm.get(path).status_code == 502


def test_what_was_changed_softly_is_grace_while_github_is_down(
    forewarm: Forewarm, github: StandIn
) -> None:
    forewarm.get(f"{SHARED}/topics")
    write(forewarm, "PUT", f"{SHARED}/topics", ALICE_TOKEN, names=["a"])
    github.fault("status", status=503)
    assert outcomes(forewarm, f"{SHARED}/topics") == ["GRACE"]


@pytest.mark.parametrize(
    ("method", "path", "body", "changed"),
    [
        ("POST", "/issues", {"title": "odd"}, SHARED),
        ("POST", "/releases", {"tag_name": "v1"}, f"{SHARED}/releases"),
        ("PUT", "/topics", {"names": ["a"]}, f"{SHARED}/topics"),
        ("PATCH", "/", {"description": "x"}, SHARED),
    ],
)
def test_each_kind_of_write_purges_its_repository(
    forewarm: Forewarm, method: str, path: str, body: dict[str, object], changed: str
) -> None:
    outcomes(forewarm, changed)
    answer = write(forewarm, method, (SHARED + path).rstrip("/"), ALICE_TOKEN, **body)
    assert answer.status_code < 300
    assert outcomes(forewarm, changed) != ["HIT"]


def test_a_star_purges_what_it_counts(forewarm: Forewarm) -> None:
    before = forewarm.get("/repos/pallets/flask").get_json()["stargazers_count"]
    assert write(forewarm, "PUT", "/user/starred/Pallets/Flask", ALICE_TOKEN).status_code == 204
    after = forewarm.get("/repos/pallets/flask").get_json()["stargazers_count"]
    assert after == before + 1


def test_a_created_repository_is_in_the_list_and_found(forewarm: Forewarm) -> None:
    assert forewarm.get("/repos/initech/newborn").status_code == 404
    forewarm.get(f"{LIST}?per_page=100")
    assert write(forewarm, "POST", LIST, name="newborn").status_code == 201
    assert forewarm.get("/repos/initech/newborn").status_code == 200
    assert "newborn" in forewarm.get(f"{LIST}?per_page=100").text


def test_a_write_spelled_in_other_letters_purges_the_same(forewarm: Forewarm) -> None:
    forewarm.get(SHARED)
    write(forewarm, "PATCH", "/repos/Initech/SHARED", ALICE_TOKEN, description="changed")
    assert forewarm.get(SHARED).get_json()["description"] == "changed"


def test_a_write_answers_with_links_into_the_mirror(forewarm: Forewarm, github: StandIn) -> None:
    answer = write(forewarm, "POST", f"{SHARED}/issues", ALICE_TOKEN, title="odd")
    assert answer.get_json()["url"].startswith("http://127.0.0.1:8000/api/v3/repos/initech/shared/")
    assert github.url.encode() not in answer.data
    assert answer.headers["Cache-Status"] == "forewarm; fwd=method; fwd-status=201"


def test_a_write_is_sent_once_as_it_was_written(forewarm: Forewarm, github: StandIn) -> None:
    body = b'{"title":  "exactly \\u00e4s it is"}'
    forewarm.app.test_client().post(
        f"/api/v3{SHARED}/issues",
        data=body,
        headers={
            "Host": "127.0.0.1",
            "Authorization": f"Bearer {ALICE_TOKEN}",
            "Content-Type": "application/json; charset=utf-8",
            "X-GitHub-Api-Version": "2022-11-28",
            "Cookie": "a=b",
            "If-None-Match": "x",
        },
    )
    (seen,) = github.requests()
    assert (seen.method, seen.token) == ("POST", "alice")
    assert seen.headers["content-type"] == "application/json; charset=utf-8"
    assert seen.headers["content-length"] == str(len(body))
    assert seen.headers["x-github-api-version"] == "2022-11-28"
    assert not {"cookie", "if-none-match"} & set(seen.headers)


@pytest.mark.parametrize("kind", ["reset", "truncated", "status"])
def test_a_write_that_may_have_been_done_is_never_tried_again(
    forewarm: Forewarm, github: StandIn, kind: str
) -> None:
    forewarm.get(SHARED)
    github.fault(kind, path=f"{SHARED}/issues")
    assert write(forewarm, "POST", f"{SHARED}/issues", ALICE_TOKEN, title="x").status_code == 502
    assert github.count(f"{SHARED}/issues") == 1
    assert outcomes(forewarm, SHARED) != ["HIT"]


@pytest.mark.parametrize("token", [API_KEY, ""])
def test_a_write_without_a_token_of_ones_own_is_refused_and_purges_nothing(
    forewarm: Forewarm, github: StandIn, token: str
) -> None:
    forewarm.get(SHARED)
    github.forget()
    assert write(forewarm, "PATCH", SHARED, token, description="x").status_code == 403
    assert github.count() == 0
    assert outcomes(forewarm, SHARED) == ["HIT"]


def test_githubs_refusal_of_a_write_is_passed_on(forewarm: Forewarm) -> None:
    answer = write(forewarm, "POST", f"{SHARED}/issues", ALICE_TOKEN)
    assert answer.status_code == 422
    answer = write(forewarm, "DELETE", SHARED, BOB_TOKEN)
    assert answer.status_code in {403, 404}


@pytest.mark.parametrize("_turn", range(20))
def test_a_writer_reads_its_own_write_with_the_near_shelf_on(
    start_forewarm: ForewarmFactory, _turn: int
) -> None:
    forewarm = start_forewarm(NEAR_MB="64")
    for _ in range(3):
        forewarm.get(SHARED)  # into the near shelf
    write(forewarm, "PATCH", SHARED, ALICE_TOKEN, description=f"turn {_turn}")
    assert forewarm.get(SHARED).get_json()["description"] == f"turn {_turn}"
