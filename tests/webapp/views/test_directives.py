"""What a caller may say of caches, and what it is told: directives, validators, headers."""

from __future__ import annotations

import gzip
import re
import time
from collections.abc import Iterator

import pytest
import time_machine

from script.embedded import Postgres, Valkey
from tests.serving import API_KEY, Forewarm, ForewarmFactory
from tests.standin.accounts import ALICE_TOKEN
from tests.standin.process import StandIn
from tests.webapp.lasting import Applications, lasting_applications

DETAIL = "/repos/pallets/flask"
LIST = "/orgs/pallets/repos"


@pytest.fixture(scope="module")
def applications(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    with lasting_applications(valkey, postgres, standin, "directives") as made:
        yield made


@pytest.fixture(params=["on", "off"])
def start_forewarm(
    applications: Applications, standin: StandIn, request: pytest.FixtureRequest
) -> ForewarmFactory:
    """Nothing cached; with the hit path and, giving the same answers, without it."""
    applications.empty(standin)

    def start(**settings: str) -> Forewarm:
        return applications(HITPATH=request.param, HIT_SAMPLE="0", **settings)

    return start


@pytest.fixture
def forewarm(start_forewarm: ForewarmFactory) -> Forewarm:
    return start_forewarm()


def outcome(forewarm: Forewarm, path: str = DETAIL, **headers: str) -> str:
    return forewarm.get(path, **headers).headers["X-Cache"]


def past_its_period(forewarm: Forewarm, path: str = DETAIL) -> float:
    """Seconds until a moment after the (jittered) end of a cached answer's fresh period."""
    status = forewarm.get(path).headers["Cache-Status"]
    found = re.search(r"hit; ttl=(\d+)", status)
    assert found, status
    return float(found[1]) + 10


# Directives


@pytest.mark.parametrize(
    "control", ["max-age=0", "Max-Age=0", 'max-age="0"', "no-cache, max-age=0"]
)
def test_max_age_0_revalidates_for_free(forewarm: Forewarm, github: StandIn, control: str) -> None:
    first = forewarm.get(DETAIL)
    points = github.points()
    second = forewarm.get(DETAIL, Cache_Control=control)
    assert second.headers["X-Cache"] == "REVALIDATED"
    assert second.headers["Cache-Status"] == "forewarm; fwd=request; fwd-status=304; stored"
    assert second.data == first.data
    assert (github.count(DETAIL), github.points()) == (2, points)
    assert outcome(forewarm) == "HIT"


def test_max_age_0_brings_what_has_changed(forewarm: Forewarm, github: StandIn) -> None:
    forewarm.get(DETAIL)
    github.change_repo("pallets/flask", description="changed")
    answer = forewarm.get(DETAIL, Cache_Control="max-age=0")
    assert (answer.headers["X-Cache"], answer.get_json()["description"]) == ("MISS", "changed")


def test_max_age_takes_what_is_young_enough(forewarm: Forewarm) -> None:
    with time_machine.travel(time.time(), tick=True) as clock:
        forewarm.get(DETAIL)
        clock.shift(100)
        assert outcome(forewarm, Cache_Control="max-age=110") == "HIT"
        assert outcome(forewarm, Cache_Control="max-age=90") == "REVALIDATED"
        assert outcome(forewarm, Cache_Control="max-age=90") == "HIT"


def test_only_if_cached_never_asks_github(forewarm: Forewarm, github: StandIn) -> None:
    answer = forewarm.get(DETAIL, Cache_Control="only-if-cached")
    assert (answer.status_code, github.count()) == (504, 0)
    forewarm.get(DETAIL)
    assert outcome(forewarm, Cache_Control="only-if-cached") == "HIT"
    forewarm.request("POST", "/api/purge", json={"tags": ["repo:pallets/flask"]})
    assert forewarm.get(DETAIL, Cache_Control="only-if-cached").status_code == 504
    assert github.count() == 1


def test_only_if_cached_takes_what_is_stale_and_refreshes_nothing(
    forewarm: Forewarm, github: StandIn
) -> None:
    with time_machine.travel(time.time(), tick=True) as clock:
        forewarm.get(DETAIL)
        clock.shift(past_its_period(forewarm))
        assert outcome(forewarm, Cache_Control="only-if-cached") == "STALE"
    assert github.count() == 1


def test_no_cache_alone_is_ignored(forewarm: Forewarm, github: StandIn) -> None:
    forewarm.get(DETAIL)
    assert outcome(forewarm, Cache_Control="no-cache") == "HIT"
    assert outcome(forewarm, Cache_Control="no-cache", Pragma="no-cache") == "HIT"
    assert github.count() == 1


def test_no_cache_revalidates_where_it_is_honoured(start_forewarm: ForewarmFactory) -> None:
    forewarm = start_forewarm(HONOUR_NO_CACHE="true")
    forewarm.get(DETAIL)
    assert outcome(forewarm, Cache_Control="no-cache") == "REVALIDATED"


@pytest.mark.parametrize("digits", ["²", "-0", "0x0", "0.0", "+0", "", " 0"])
def test_what_only_looks_like_a_number_is_no_max_age(forewarm: Forewarm, digits: str) -> None:
    forewarm.get(DETAIL)
    assert outcome(forewarm, Cache_Control=f"max-age={digits}") == "HIT"


# Validators


def test_a_client_that_has_it_gets_a_304(forewarm: Forewarm, github: StandIn) -> None:
    etag = forewarm.get(DETAIL).headers["ETag"]
    strong = etag.removeprefix("W/")
    for tried in (etag, strong, f'"x", {etag}', f'"x",{strong} , "y"', "*", f"  {etag}  "):
        answer = forewarm.get(DETAIL, If_None_Match=tried)
        assert (answer.status_code, answer.data) == (304, b""), tried
        assert answer.headers["ETag"] == etag
        assert "Content-Length" not in answer.headers
    assert github.count() == 1


@pytest.mark.parametrize("tried", ['"x"', 'W/"x"', "x", '""', 'W/"x", "y"', '"*"'])
def test_a_client_that_has_something_else_gets_it_whole(forewarm: Forewarm, tried: str) -> None:
    forewarm.get(DETAIL)
    assert forewarm.get(DETAIL, If_None_Match=tried).status_code == 200


def test_the_date_counts_only_without_an_etag(forewarm: Forewarm) -> None:
    modified = forewarm.get(DETAIL).headers["Last-Modified"]
    assert forewarm.get(DETAIL, If_Modified_Since=modified).status_code == 304
    assert (
        forewarm.get(DETAIL, If_Modified_Since="Thu, 01 Jan 1970 00:00:00 GMT").status_code == 200
    )
    answer = forewarm.get(DETAIL, If_Modified_Since=modified, If_None_Match='"x"')
    assert answer.status_code == 200


def test_a_miss_too_is_a_304_for_a_client_that_has_it(forewarm: Forewarm) -> None:
    etag = forewarm.get(DETAIL).headers["ETag"]
    answer = forewarm.get(DETAIL, If_None_Match=etag, Cache_Control="max-age=0")
    assert (answer.status_code, answer.headers["X-Cache"]) == (304, "REVALIDATED")


def test_a_clients_validators_are_never_forwarded(forewarm: Forewarm, github: StandIn) -> None:
    for token in (API_KEY, ALICE_TOKEN):
        for path in (DETAIL, "/repos/pallets/flask/issues", "/no/such/thing"):
            forewarm.get(
                path,
                token,
                If_None_Match='"mine"',
                If_Modified_Since="Thu, 01 Jan 1970 00:00:00 GMT",
                If_Match='"mine"',
                If_Range='"mine"',
                Range="bytes=0-1",
            )
    seen = {name for each in github.requests() for name in each.headers}
    assert not seen & {"if-none-match", "if-modified-since", "if-match", "if-range", "range"}


def test_github_is_told_nothing_of_the_caller_but_what_it_wants(
    forewarm: Forewarm, github: StandIn
) -> None:
    forewarm.get(
        DETAIL,
        User_Agent="a caller's",
        Referer="http://internal.example/secret",
        X_Forwarded_For="10.0.0.1",
        Cookie="a=b",
        Traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        X_Custom="x",
    )
    (seen,) = github.requests()
    assert set(seen.headers) <= {
        "accept",
        "accept-encoding",
        "authorization",
        "connection",
        "host",
        "user-agent",
        "x-github-api-version",
    }
    assert seen.headers["user-agent"].startswith("Forewarm/")


def test_a_new_next_page_is_a_new_answer(forewarm: Forewarm, github: StandIn) -> None:
    github.create_org("growing", repos=30)
    first = forewarm.get("/orgs/growing/repos")
    assert "Link" not in first.headers
    github.add_repos("growing", 30)
    second = forewarm.get(
        "/orgs/growing/repos", If_None_Match=first.headers["ETag"], Cache_Control="max-age=0"
    )
    assert second.status_code == 200
    assert 'rel="next"' in second.headers["Link"]


# Form and headers


def test_gzip_and_identity_are_the_same_bytes(forewarm: Forewarm) -> None:
    plain = forewarm.get(LIST)
    packed = forewarm.get(LIST, Accept_Encoding="gzip, br")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert int(packed.headers["Content-Length"]) == len(packed.data)
    assert packed.headers["ETag"] == plain.headers["ETag"]


@pytest.mark.parametrize(
    "coding", ["", "identity", "br", "gzip;q=0", "*;q=0", "gzip;q=nan", "gzip;q=x"]
)
def test_who_does_not_want_gzip_gets_none(forewarm: Forewarm, coding: str) -> None:
    forewarm.get(LIST)
    assert "Content-Encoding" not in forewarm.get(LIST, Accept_Encoding=coding).headers


def test_age_is_the_time_since_github_said_so(forewarm: Forewarm) -> None:
    with time_machine.travel(time.time(), tick=True) as clock:
        assert forewarm.get(DETAIL).headers["Age"] == "0"
        clock.shift(100)
        assert 100 <= int(forewarm.get(DETAIL).headers["Age"]) <= 102
        clock.shift(100)
        revalidated = forewarm.get(DETAIL, Cache_Control="max-age=0")
        assert revalidated.headers["Age"] == "0"


def test_each_answer_says_what_it_varies_on_and_what_purges_it(forewarm: Forewarm) -> None:
    for _ in range(2):
        headers = forewarm.get(DETAIL).headers
        assert headers["Vary"] == "Accept, Authorization, Accept-Encoding, X-GitHub-Api-Version"
        assert headers["Cache-Control"] == "private, max-age=60"
        assert headers["Cache-Groups"] == '"repo:pallets/flask", "owner:pallets", "all"'


TOKEN = r"[A-Za-z*][A-Za-z0-9:/!#$%&'*+.^_`|~-]*"
ITEM = rf'(-?\d{{1,15}}|{TOKEN}|"[ -!#-\[\]-~]*"|\?[01])'
CACHE_STATUS = re.compile(rf"forewarm(; *[a-z][a-z0-9-]*(={ITEM})?)*")
FORWARDED = {"bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial"}


def test_cache_status_is_what_rfc_9211_says(forewarm: Forewarm, github: StandIn) -> None:
    seen = []
    with time_machine.travel(time.time(), tick=True) as clock:
        for path in (DETAIL, "/repos/pallets/flask/issues", "/user", "/no", "/repos/a/nothing"):
            for control in ("", "max-age=0", "only-if-cached"):
                answer = forewarm.get(path, Cache_Control=control)
                seen.append(answer)
        clock.shift(past_its_period(forewarm))
        seen.append(forewarm.get(DETAIL))
        github.fault("status", status=503)
        forewarm.request("POST", "/api/purge", json={"tags": ["repo:pallets/flask"]})
        seen.append(forewarm.get(DETAIL))
        seen.append(forewarm.get("/repos/pallets/unknown"))
    seen.append(forewarm.request("PUT", f"/api/v3/user/starred{DETAIL[6:]}", ALICE_TOKEN))
    said = [each.headers["Cache-Status"] for each in seen]
    for each in said:
        assert CACHE_STATUS.fullmatch(each), each
        names = [part.strip().partition("=")[0] for part in each.split(";")[1:]]
        assert len(names) == len(set(names))
        assert not ("hit" in names and "fwd" in names), each
        if forwarded := re.search(r"fwd=([a-z-]+)", each):
            assert forwarded[1] in FORWARDED
    outcomes = {each.headers["X-Cache"] for each in seen}
    assert outcomes >= {"HIT", "MISS", "REVALIDATED", "STALE", "GRACE", "ERROR", "NEGATIVE"}
    assert outcomes >= {"BYPASS"}


def test_what_was_true_of_one_answer_only_is_never_replayed(
    forewarm: Forewarm, github: StandIn
) -> None:
    github.switch(set_cookies=["a=b"])
    for path in (DETAIL, "/no/such/thing", "/repos/pallets/no-such-repository"):
        for _ in range(2):
            headers = forewarm.get(path).headers
            assert "Set-Cookie" not in headers
            assert headers.get("X-RateLimit-Remaining") != "0"
            assert headers.get("Date") is None  # the server's own


# Negative answers and redirects


def test_a_negative_answer_is_remembered_for_a_minute(forewarm: Forewarm, github: StandIn) -> None:
    path = "/repos/pallets/not-yet"
    with time_machine.travel(time.time(), tick=True) as clock:
        assert outcome(forewarm, path) == "MISS"
        clock.shift(50)
        assert outcome(forewarm, path) == "NEGATIVE"
        clock.shift(12)
        assert outcome(forewarm, path) == "MISS"
    assert github.count(path) == 2


def test_a_451_is_negative_too(forewarm: Forewarm) -> None:
    path = "/repos/initech/blocked"
    assert forewarm.get(path).status_code == 451
    assert outcome(forewarm, path) == "NEGATIVE"


def test_what_is_created_is_found_after_any_purge(forewarm: Forewarm, github: StandIn) -> None:
    path = "/repos/pallets/brand-new"
    assert forewarm.get(path).status_code == 404
    github.create_repo("pallets/brand-new")
    forewarm.request("POST", "/api/purge", json={"tags": ["owner:pallets"]})
    assert forewarm.get(path).status_code == 200


def test_a_404_of_what_clients_poll_is_never_remembered(
    forewarm: Forewarm, github: StandIn
) -> None:
    path = "/repos/pallets/flask/issues/99999"
    for _ in range(2):
        answer = forewarm.get(path)
        assert (answer.status_code, answer.headers["X-Cache"]) == (404, "BYPASS")
    assert github.count(path) == 2


def test_a_rename_leads_on_inside_the_mirror(forewarm: Forewarm, github: StandIn) -> None:
    for expected in ("MISS", "NEGATIVE"):
        answer = forewarm.get("/repos/initech/old-name")
        assert (answer.status_code, answer.headers["X-Cache"]) == (301, expected)
        location = answer.headers["Location"]
        assert location.startswith("http://127.0.0.1:8000/api/v3/")
        assert github.url.encode() not in answer.data
    followed = forewarm.get(location.removeprefix("http://127.0.0.1:8000/api/v3"))
    assert followed.get_json()["full_name"] == "initech/new-name"


def test_no_other_redirect_is_stored(forewarm: Forewarm, github: StandIn) -> None:
    path = "/repos/pallets/flask/tarball"
    for _ in range(2):
        answer = forewarm.get(path)
        assert (answer.status_code, answer.headers["X-Cache"]) == (302, "BYPASS")
    assert github.count(path) == 2
