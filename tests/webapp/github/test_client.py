"""Each way in which GitHub fails or refuses: what the caller gets, what is asked, what is kept."""

from __future__ import annotations

import time
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.serving import API_KEY, Forewarm, ForewarmFactory
from tests.standin.accounts import ALICE_TOKEN, SERVICE_TOKEN
from tests.standin.landmarks import (
    ALICE_PRIVATE,
    BLOCKED_REPO,
    EMPTY_REPO,
    HUGE_REPO,
    OLD_NAME,
    SERVICE_PRIVATE,
    SHARED_PRIVATE,
)
from tests.standin.process import StandIn
from tests.webapp.github.conftest import Rows
from webapp.cache.entry import Entry
from webapp.cache.keys import SERVICE, Scope, canonical_target, entry_key, token_scope
from webapp.github.session import USER_AGENT
from webapp.github.tries import POLICY, Tries
from webapp.policy import match
from webapp.signals import upstream_called

BASE_URL = "http://127.0.0.1:8000/api/v3"
LIST = "/orgs/pallets/repos"
DETAIL = "/repos/pallets/flask"
PATIENCE = 0.5  # seconds: the deadline where GitHub never answers
TRIED_AGAIN = {"500", "502", "503", "504", "an HTML 500", "an HTML 502", "a reset"}

UNREACHABLE: dict[str, dict[str, Any]] = {
    "500": {"kind": "status", "status": 500},
    "502": {"kind": "status", "status": 502},
    "503": {"kind": "status", "status": 503},
    "504": {"kind": "status", "status": 504},
    "an HTML 500": {"kind": "html", "status": 500},
    "an HTML 502": {"kind": "html", "status": 502},
    "a reset": {"kind": "reset"},
    "a black hole": {"kind": "black_hole"},
    "a truncated body": {"kind": "truncated"},
    "a wrong Content-Length": {"kind": "wrong_length"},
    "invalid JSON": {"kind": "invalid_json"},
}
SAID = {"500": 500, "502": 502, "503": 503, "504": 504, "an HTML 500": 500, "an HTML 502": 502}
"""The fwd-status of those where GitHub said anything."""

LIMITS: dict[str, dict[str, Any]] = {
    "primary": {"kind": "primary"},
    "primary as 429": {"kind": "primary", "status": 429},
    "secondary": {"kind": "secondary"},
    "secondary with Retry-After": {"kind": "secondary", "retry_after": 17},
    "429": {"kind": "too_many"},
    "429 with Retry-After": {"kind": "too_many", "retry_after": 17},
}
REFUSALS: dict[str, tuple[dict[str, Any], int]] = {
    "401": ({"kind": "unauthorized"}, 401),
    "a 403 that is no limit": ({"kind": "forbidden"}, 403),
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short deadline; the tries follow each other without a pause."""
    monkeypatch.setattr("webapp.github.client.DEADLINE", PATIENCE)
    hasty = Tries(policy=POLICY.new(backoff_factor=0.0, backoff_jitter=0.0))
    monkeypatch.setattr("webapp.github.session.Tries", lambda: hasty)


def tries(what: str) -> int:
    return 3 if what in TRIED_AGAIN else 1


def stored(forewarm: Forewarm, path: str, scope: Scope = SERVICE) -> Entry | None:
    """What Redis holds of a path."""
    target = canonical_target(path.partition("?")[0], path.partition("?")[2], "", "")
    key = entry_key(target, scope, BASE_URL)
    return forewarm.services.store.read(key, match(target.path).tags).entry


def purge(forewarm: Forewarm, path: str, *, hard: bool = False) -> None:
    """Make an answer known to be old: the next reader has to ask GitHub."""
    tag = match(path).tags[0]
    forewarm.services.purger.purge([tag], hard=hard, cause="operator")


def said_of(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.headers["X-Cache"]


# GitHub can't be reached


@pytest.mark.parametrize("what", UNREACHABLE)
def test_without_an_old_answer_it_is_a_502_and_nothing_is_kept(
    forewarm: Forewarm, github: StandIn, rows: Rows, what: str
) -> None:
    github.fault(**UNREACHABLE[what])
    began = time.monotonic()
    answer = forewarm.get(LIST)
    assert time.monotonic() - began < PATIENCE + 0.5
    assert said_of(answer) == (502, "ERROR")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json is not None
    assert set(answer.json) == {"message", "documentation_url", "status"}
    assert github.count(LIST) == tries(what)
    assert stored(forewarm, LIST) is None
    assert rows() == []


@pytest.mark.parametrize("what", UNREACHABLE)
def test_an_old_answer_is_grace_and_stays_as_it_was(
    forewarm: Forewarm, github: StandIn, rows: Rows, what: str
) -> None:
    first = forewarm.get(LIST)
    entry, archived = stored(forewarm, LIST), rows()
    purge(forewarm, LIST)
    assert first.json is not None
    github.change_repo(first.json[0]["full_name"], description="changed since")
    github.fault(**UNREACHABLE[what])
    github.forget()
    answer = forewarm.get(LIST)
    assert said_of(answer) == (200, "GRACE")
    assert answer.data == first.data
    assert answer.headers["Link"] == first.headers["Link"]
    assert answer.headers["Cache-Status"] == (
        "forewarm; fwd=stale" + (f"; fwd-status={SAID[what]}" if what in SAID else "")
    )
    assert github.count(LIST) == tries(what)
    assert stored(forewarm, LIST) == entry
    assert rows() == archived


@pytest.mark.parametrize("what", ["500", "a black hole", "a reset"])
def test_the_next_answer_is_served_when_github_is_back(
    forewarm: Forewarm, github: StandIn, what: str
) -> None:
    github.fault(**UNREACHABLE[what], count=tries(what))
    assert said_of(forewarm.get(LIST)) == (502, "ERROR")
    assert said_of(forewarm.get(LIST)) == (200, "MISS")


@pytest.mark.parametrize("what", sorted(TRIED_AGAIN))
def test_a_fault_that_passes_is_never_seen(
    forewarm: Forewarm, github: StandIn, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr("webapp.github.client.DEADLINE", 10.0)
    github.fault(**UNREACHABLE[what], count=2)
    assert said_of(forewarm.get(LIST)) == (200, "MISS")
    assert github.count(LIST) == 3


@pytest.mark.parametrize("what", ["500", "an HTML 502", "a black hole", "invalid JSON"])
def test_the_client_knows_whether_its_last_call_was_answered(
    forewarm: Forewarm, github: StandIn, what: str
) -> None:
    github.fault(**UNREACHABLE[what], count=tries(what))
    states = []
    for _ in range(2):
        forewarm.get(LIST)
        states.append(forewarm.services.client.state)
    assert states == ["down", "up"]


@pytest.mark.parametrize("what", ["500", "a reset", "invalid JSON"])
def test_a_write_is_tried_once(forewarm: Forewarm, github: StandIn, what: str) -> None:
    github.fault(**UNREACHABLE[what])
    path = f"/api/v3/repos/{SHARED_PRIVATE}/issues"
    answer = forewarm.request("POST", path, ALICE_TOKEN, json={"title": "one"})
    assert said_of(answer) == (502, "ERROR")
    assert len(github.requests("/repos/")) == 1


# GitHub has no budget for us


@pytest.mark.parametrize("what", LIMITS)
def test_a_limit_without_an_old_answer_is_githubs_primary_limit_and_never_stored(
    forewarm: Forewarm, github: StandIn, rows: Rows, what: str
) -> None:
    github.fault(**LIMITS[what])
    answer = forewarm.get(LIST)
    assert said_of(answer) == (403, "ERROR")
    assert answer.json is not None
    assert answer.json["message"].startswith("API rate limit exceeded")
    assert answer.headers["X-RateLimit-Remaining"] == "0"
    assert float(answer.headers["X-RateLimit-Reset"]) > time.time()
    seconds = int(answer.headers["Retry-After"])
    assert (seconds == 17) if "Retry-After" in what else (seconds >= 60)
    assert answer.headers["Cache-Control"] == "no-store"
    assert github.count(LIST) == 1
    assert stored(forewarm, LIST) is None
    assert rows() == []


@pytest.mark.parametrize("what", LIMITS)
def test_at_a_limit_an_old_answer_is_grace_and_stays_as_it_was(
    forewarm: Forewarm, github: StandIn, rows: Rows, what: str
) -> None:
    first = forewarm.get(LIST)
    entry, archived = stored(forewarm, LIST), rows()
    purge(forewarm, LIST)
    github.fault(**LIMITS[what])
    answer = forewarm.get(LIST)
    assert said_of(answer) == (200, "GRACE")
    assert answer.data == first.data
    assert answer.headers.get("X-RateLimit-Remaining") != "0"
    assert stored(forewarm, LIST) == entry
    assert rows() == archived


@pytest.mark.parametrize("what", LIMITS)
def test_while_a_limit_lasts_github_is_left_alone(
    forewarm: Forewarm, github: StandIn, what: str
) -> None:
    github.fault(**LIMITS[what], count=1)
    for path in (LIST, DETAIL, LIST):
        assert said_of(forewarm.get(path)) == (403, "ERROR")
    assert len(github.requests()) == 1


def test_an_exhausted_token_of_a_caller_leaves_the_service_alone(
    forewarm: Forewarm, github: StandIn
) -> None:
    github.use("alice", 5000)
    assert said_of(forewarm.get(LIST, ALICE_TOKEN)) == (403, "ERROR")
    assert said_of(forewarm.get(LIST)) == (200, "MISS")


# GitHub refuses: that is an answer


@pytest.mark.parametrize("what", REFUSALS)
def test_a_refusal_is_passed_on_and_not_stored(
    forewarm: Forewarm, github: StandIn, rows: Rows, what: str
) -> None:
    fault, status = REFUSALS[what]
    github.fault(**fault, count=1)
    assert said_of(forewarm.get(DETAIL)) == (status, "BYPASS")
    assert stored(forewarm, DETAIL) is None
    assert rows() == []
    assert said_of(forewarm.get(DETAIL)) == (200, "MISS")


@pytest.mark.parametrize("what", REFUSALS)
def test_a_refusal_ends_what_was_held_on_every_shelf(
    forewarm: Forewarm, github: StandIn, rows: Rows, what: str
) -> None:
    fault, status = REFUSALS[what]
    forewarm.get(DETAIL)
    purge(forewarm, DETAIL)
    github.fault(**fault)
    assert said_of(forewarm.get(DETAIL)) == (status, "BYPASS")
    assert stored(forewarm, DETAIL) is None
    assert rows() == []
    github.clear_faults()
    github.fault("status")
    assert said_of(forewarm.get(DETAIL)) == (502, "ERROR")


@pytest.mark.parametrize("what", REFUSALS)
def test_a_refusal_of_a_callers_token_ends_its_own_entry_alone(
    forewarm: Forewarm, github: StandIn, rows: Rows, what: str
) -> None:
    fault, status = REFUSALS[what]
    scope = token_scope(ALICE_TOKEN, forewarm.settings.secret_key.reveal())
    forewarm.get(DETAIL)
    forewarm.get(DETAIL, ALICE_TOKEN)
    assert stored(forewarm, DETAIL, scope)
    github.fault(**fault, token="alice")
    answer = forewarm.get(DETAIL, ALICE_TOKEN, Cache_Control="max-age=0")
    assert said_of(answer) == (status, "BYPASS")
    assert stored(forewarm, DETAIL, scope) is None
    assert stored(forewarm, DETAIL) is not None
    assert len(rows()) == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/repos/pallets/nothing", 404),
        (f"/repos/{ALICE_PRIVATE}", 404),
        (f"/repos/{BLOCKED_REPO}", 451),
        (f"/repos/{OLD_NAME}", 301),
    ],
)
def test_a_negative_answer_is_remembered_and_never_archived(
    forewarm: Forewarm, github: StandIn, rows: Rows, path: str, status: int
) -> None:
    assert said_of(forewarm.get(path)) == (status, "MISS")
    assert said_of(forewarm.get(path)) == (status, "NEGATIVE")
    assert github.count(path) == 1
    assert rows() == []


def test_what_is_gone_ends_the_archives_row(
    forewarm: Forewarm, github: StandIn, rows: Rows
) -> None:
    forewarm.get(f"/repos/{SERVICE_PRIVATE}")
    github.delete_repo(SERVICE_PRIVATE)
    purge(forewarm, f"/repos/{SERVICE_PRIVATE}")
    assert said_of(forewarm.get(f"/repos/{SERVICE_PRIVATE}")) == (404, "MISS")
    assert rows() == []


# Answers without a body, without validators, too large


def test_a_204_is_an_answer_without_a_body(forewarm: Forewarm, github: StandIn) -> None:
    path = f"/repos/{EMPTY_REPO}/contributors"
    first, second = forewarm.get(path), forewarm.get(path)
    assert [said_of(first), said_of(second)] == [(204, "MISS"), (204, "HIT")]
    assert first.data == second.data == b""
    assert "Content-Length" not in second.headers
    assert github.count(path) == 1


def test_what_has_no_validator_is_cached_but_not_archived(
    forewarm: Forewarm, github: StandIn, rows: Rows
) -> None:
    github.fault("no_etag")
    assert said_of(forewarm.get(DETAIL)) == (200, "MISS")
    assert said_of(forewarm.get(DETAIL)) == (200, "HIT")
    assert rows() == []
    purge(forewarm, DETAIL)
    assert said_of(forewarm.get(DETAIL)) == (200, "MISS")


def test_what_is_too_large_is_never_held(forewarm: Forewarm, github: StandIn, rows: Rows) -> None:
    path = f"/repos/{HUGE_REPO}/git/trees/main?recursive=1"
    first = forewarm.get(path)
    assert said_of(first) == (200, "BYPASS")
    assert len(first.data) > 2 * 1024 * 1024
    assert stored(forewarm, path) is None
    assert rows() == []


def test_headers_of_the_rate_limit_need_not_be_there(forewarm: Forewarm, github: StandIn) -> None:
    github.fault("no_rate_headers")
    assert said_of(forewarm.get(LIST)) == (200, "MISS")


# What GitHub is asked with


def test_a_call_names_us_and_asks_with_the_callers_eyes(
    forewarm: Forewarm, github: StandIn
) -> None:
    forewarm.get(DETAIL, ALICE_TOKEN, X_GitHub_Api_Version="2022-11-28")
    forewarm.get(DETAIL)
    forewarm.get(DETAIL, token="")
    calls = github.requests(DETAIL)
    assert [each.token for each in calls] == ["alice", "service", "anonymous"]
    assert {each.headers["user-agent"] for each in calls} == {USER_AGENT}
    assert [each.headers.get("x-github-api-version") for each in calls] == [
        "2022-11-28",
        None,
        None,
    ]
    assert "authorization" not in calls[2].headers


def test_nothing_else_of_a_callers_request_reaches_github(
    forewarm: Forewarm, github: StandIn
) -> None:
    forewarm.get(
        DETAIL,
        ALICE_TOKEN,
        Cookie="session=1",
        If_None_Match='W/"theirs"',
        If_Modified_Since="Mon, 01 Jan 2035 00:00:00 GMT",
        Range="bytes=0-1",
        X_Forwarded_For="10.0.0.1",
        Traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        User_Agent="theirs/1",
        X_Own="something",
    )
    (call,) = github.requests(DETAIL)
    assert set(call.headers) == {"host", "user-agent", "accept", "accept-encoding", "authorization"}


def test_a_key_of_ours_never_reaches_github(forewarm: Forewarm, github: StandIn) -> None:
    forewarm.get(DETAIL, API_KEY)
    forewarm.get(LIST, "fwk_unknown")
    assert [each.token for each in github.requests()] == ["service"]


def test_calls_are_announced_with_what_came_of_them(
    start_forewarm: ForewarmFactory, github: StandIn
) -> None:
    forewarm = start_forewarm()
    heard: list[tuple[str, int, bool, bool]] = []
    whose: set[tuple[str, str]] = set()

    def hear(_: object, **what: Any) -> None:
        whose.add((what["resource"], what["lane"]))
        heard.append((what["path"], what["status"], what["revalidated"], what["seconds"] > 0))

    with upstream_called.connected_to(hear):
        forewarm.get(DETAIL)
        purge(forewarm, DETAIL)
        forewarm.get(DETAIL)
        github.fault("status", status=503, count=3)
        forewarm.get(LIST)
        github.fault("reset", count=3)
        forewarm.get("/orgs/pallets")
    assert heard == [
        (DETAIL, 200, False, True),
        (DETAIL, 304, True, True),
        (LIST, 503, False, True),
        ("/orgs/pallets", 0, False, True),
    ]
    assert whose == {(name, "interactive") for name in ("repo", "repo_list", "org")}


def test_no_error_text_holds_a_token_or_a_url(
    forewarm: Forewarm, github: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    for what, fault in UNREACHABLE.items():
        if what != "a black hole":
            github.fault(**fault, count=1)
            forewarm.get(f"{LIST}?page={len(what)}")
    assert SERVICE_TOKEN not in caplog.text
    assert github.url not in "".join(
        each.getMessage() for each in caplog.records if each.name.startswith("webapp")
    )
