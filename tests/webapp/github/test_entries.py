"""Answers become entries: periods by resource and by whose eyes, visibility, validators, links."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.cache.keys import PUBLIC, SERVICE, Scope, Target, canonical_target
from webapp.github.answer import Answer
from webapp.github.entries import Finisher, etag_of, is_known_public, nowhere, shows_private
from webapp.policy import DAY, DEFAULT_PERIODS, HOUR, MINUTE, Periods

API_URL = "https://api.github.test"
BASE_URL = "http://forewarm.test/api/v3"
ASKED_AT = 1_000_000.0
TOKEN = Scope("token", "token:0123")
SCOPES = {"service": SERVICE, "public": PUBLIC, "token": TOKEN}

PUBLIC_BODY = b'{"private": false, "visibility": "public"}'
PRIVATE_BODY = b'{"private": true, "visibility": "private"}'
SILENT_BODY = b'{"login": "pallets"}'


def target(path: str) -> Target:
    return canonical_target(path, "", "", "")


def finisher(periods: Periods = DEFAULT_PERIODS, jitter: float = 0.0) -> Finisher:
    return Finisher(API_URL, periods, lambda: jitter)


def answer(body: bytes | None = PUBLIC_BODY, status: int = 200, **headers: str) -> Answer:
    named = {"Content-Type": "application/json; charset=utf-8"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, body, ASKED_AT, upstream_status=status)


def periods_of(
    path: str,
    scope: Scope,
    given: Answer,
    periods: Periods = DEFAULT_PERIODS,
    jitter: float = 0.0,
) -> tuple[float, float, float]:
    """Seconds of fresh, stale and grace."""
    entry = finisher(periods, jitter).entry(given, target(path), scope, BASE_URL)
    assert entry.stored_at == ASKED_AT
    return (
        entry.fresh_until - ASKED_AT,
        entry.stale_until - entry.fresh_until,
        entry.grace_until - entry.stale_until,
    )


STALE, GRACE = 5 * MINUTE, 7 * DAY
USUAL = {
    "/user/orgs": 1 * HOUR,
    "/users/mitsuhiko/orgs": 1 * HOUR,
    "/organizations": 1 * HOUR,
    "/orgs/pallets": 1 * HOUR,
    "/users/mitsuhiko": 1 * HOUR,
    "/orgs/pallets/repos": 1 * HOUR,
    "/users/mitsuhiko/repos": 1 * HOUR,
    "/user/repos": 1 * HOUR,
    "/repos/pallets/flask": 3 * HOUR,
    "/repos/pallets/flask/languages": 3 * HOUR,
    "/repos/pallets/flask/releases/latest": 3 * HOUR,
    "/repos/pallets/flask/issues": 0.0,
    "/search/repositories": 0.0,
}


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("path", USUAL)
def test_what_is_known_public_has_its_resources_periods(path: str, scope: str) -> None:
    fresh = USUAL[path]
    stale = STALE if fresh else 0.0
    assert periods_of(path, SCOPES[scope], answer()) == (fresh, stale, GRACE)


@pytest.mark.parametrize("body", [PRIVATE_BODY, SILENT_BODY, b"[]", b""])
@pytest.mark.parametrize("path", USUAL)
def test_what_a_token_saw_and_is_not_known_public_is_trusted_for_minutes(
    path: str, body: bytes
) -> None:
    fresh = min(USUAL[path], 5 * MINUTE)
    assert periods_of(path, TOKEN, answer(body)) == (fresh, 0.0, HOUR - fresh)


@pytest.mark.parametrize("body", [PRIVATE_BODY, SILENT_BODY])
@pytest.mark.parametrize("path", [path for path in USUAL if "pallets" in path])
def test_what_an_owners_purge_can_name_keeps_its_grace_for_the_service(
    path: str, body: bytes
) -> None:
    assert periods_of(path, SERVICE, answer(body))[2] == GRACE


@pytest.mark.parametrize("path", ["/user/orgs", "/user/repos", "/organizations", "/search/code"])
def test_what_no_purge_can_name_is_no_grace_for_the_services_eyes(path: str) -> None:
    assert periods_of(path, SERVICE, answer(SILENT_BODY))[2] == 0.0
    assert periods_of(path, SERVICE, answer())[2] == GRACE
    assert periods_of(path, PUBLIC, answer(SILENT_BODY))[2] == GRACE


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("status", [404, 410, 451, 301])
def test_a_negative_answer_is_fresh_for_a_minute_and_then_dead(status: int, scope: str) -> None:
    given = answer(b"{}", status)
    assert periods_of("/repos/pallets/flask", SCOPES[scope], given) == (MINUTE, 0.0, 0.0)


def test_a_negative_answer_is_never_fresh_for_longer_than_its_resource() -> None:
    short = Periods({"repo": 20.0})
    assert periods_of("/repos/a/b", SERVICE, answer(b"{}", 404), short) == (20.0, 0.0, 0.0)


def test_settings_change_every_period() -> None:
    own = Periods({"repo": 10.0}, stale=20.0, grace=30.0, negative=5.0)
    assert periods_of("/repos/a/b", SERVICE, answer(), own) == (10.0, 20.0, 30.0)
    assert periods_of("/repos/a/b", SERVICE, answer(b"{}", 404), own) == (5.0, 0.0, 0.0)
    assert periods_of("/repos/a/b", TOKEN, answer(PRIVATE_BODY), own) == (10.0, 0.0, 20.0)


def test_a_grace_of_nothing_leaves_a_token_nothing() -> None:
    own = Periods({"repo": 10.0}, grace=0.0)
    assert periods_of("/repos/a/b", TOKEN, answer(PRIVATE_BODY), own) == (10.0, 0.0, 0.0)


@given(st.floats(0.0, 1.0, exclude_max=True), st.sampled_from(sorted(USUAL)))
def test_jitter_shortens_the_fresh_period_by_five_percent_at_most(jitter: float, path: str) -> None:
    fresh, stale, grace = periods_of(path, SERVICE, answer(), jitter=jitter)
    assert 0.95 * USUAL[path] - 1e-6 <= fresh <= USUAL[path] + 1e-6
    assert (stale, grace) == pytest.approx((STALE if USUAL[path] else 0.0, GRACE))


def test_jitter_is_drawn_anew_for_each_entry() -> None:
    drawn = iter([0.0, 0.5])
    made = Finisher(API_URL, DEFAULT_PERIODS, lambda: next(drawn))
    ends = [made.entry(answer(), target("/repos/a/b"), SERVICE, BASE_URL) for _ in "ab"]
    assert ends[0].fresh_until > ends[1].fresh_until


# What is stored


@pytest.mark.parametrize(
    ("given", "path", "storable"),
    [
        (answer(), "/repos/a/b", True),
        (answer(), "/repos/a/b/issues", True),
        (answer(b"", 204), "/repos/a/b/contributors", True),
        (answer(b"{}", 404), "/repos/a/b", True),
        (answer(b"{}", 410), "/repos/a/b", True),
        (answer(b"{}", 451), "/repos/a/b", True),
        (answer(b"{}", 301), "/repos/a/b", True),
        (answer(b"{}", 404), "/repos/a/b/issues/1", False),  # clients poll until it exists
        (answer(b"{}", 302), "/repos/a/b", False),
        (answer(b"{}", 307), "/repos/a/b", False),
        (answer(b"{}", 202), "/repos/a/b", False),
        (answer(b"{}", 401), "/repos/a/b", False),
        (answer(b"{}", 403), "/repos/a/b", False),
        (answer(b"{}", 422), "/repos/a/b", False),
        (answer(b"{}", 429), "/repos/a/b", False),
        (answer(None), "/repos/a/b", False),
        (answer(None, 404), "/repos/a/b", False),
        (answer(b"raw", Content_Type="application/vnd.github.raw"), "/repos/a/b/readme", False),
    ],
)
def test_whole_json_of_a_lasting_status_is_stored(given: Answer, path: str, storable: bool) -> None:
    assert finisher().storable(given, target(path)) is storable


def test_an_entry_has_our_links_and_etag_and_githubs_date_and_id() -> None:
    body = orjson.dumps({"url": f"{API_URL}/repos/a/b", "text": "x" * 2_000})
    given = answer(
        body,
        ETag='"githubs"',
        Last_Modified="Wed, 01 Jul 2026 10:00:00 GMT",
        Link=f'<{API_URL}/organizations/1/repos?page=2>; rel="next"',
        X_GitHub_Request_Id="AB:CD",
        X_RateLimit_Remaining="1",
        Set_Cookie="a=b",
        Date="now",
    )
    entry = finisher().entry(given, target("/orgs/a/repos"), SERVICE, BASE_URL)
    finished = body.replace(API_URL.encode(), BASE_URL.encode())
    assert entry.gzipped
    assert gzip.decompress(entry.body) == finished
    assert entry.link == f'<{BASE_URL}/orgs/a/repos?page=2>; rel="next"'
    assert entry.etag == etag_of(finished, entry.link)
    assert entry.etag.startswith('W/"')
    assert (entry.last_modified, entry.request_id) == ("Wed, 01 Jul 2026 10:00:00 GMT", "AB:CD")
    assert entry.headers == {}


@pytest.mark.parametrize(("scope", "kept"), [("service", ""), ("public", ""), ("token", '"x"')])
def test_githubs_etag_is_kept_where_no_archive_keeps_it(scope: str, kept: str) -> None:
    entry = finisher().entry(answer(ETag='"x"'), target("/repos/a/b"), SCOPES[scope], BASE_URL)
    assert entry.upstream_etag == kept


def test_a_redirect_leads_back_into_the_mirror() -> None:
    given = answer(b"{}", 301, Location=f"{API_URL}/repositories/1")
    entry = finisher().entry(given, target("/repos/a/b"), SERVICE, BASE_URL)
    assert entry.headers["Location"] == f"{BASE_URL}/repositories/1"


LINES = st.text(
    st.characters(codec="latin-1", exclude_characters="\n"), max_size=20
)  # as headers come


@given(st.binary(max_size=200), st.binary(max_size=200), LINES, LINES)
def test_our_etag_is_another_for_another_body_or_link(
    one: bytes, other: bytes, link: str, next_link: str
) -> None:
    same = (one, link) == (other, next_link)
    assert (etag_of(one, link) == etag_of(other, next_link)) is same


# What GitHub confirmed


def test_a_confirmed_entry_is_fresh_anew_and_keeps_the_rest() -> None:
    made = finisher()
    link = f'<{API_URL}/organizations/1/repos?page=2>; rel="next"'
    held = made.entry(answer(ETag='"a"', Link=link), target("/orgs/a/repos"), TOKEN, BASE_URL)
    said = replace(answer(b"", 304), asked_at=ASKED_AT + 9_000)
    confirmed = made.confirmed(held, said, target("/orgs/a/repos"), TOKEN)
    assert confirmed.fresh_until == ASKED_AT + 9_000 + HOUR
    dates = {"stored_at": 0.0, "fresh_until": 0.0, "stale_until": 0.0, "grace_until": 0.0}
    assert replace(confirmed, **dates) == replace(held, **dates)  # type: ignore[arg-type]


def test_a_confirmation_brings_a_new_etag_where_it_has_one() -> None:
    made = finisher()
    held = made.entry(answer(ETag='"a"'), target("/repos/a/b"), TOKEN, BASE_URL)
    said = answer(b"", 304, ETag='"b"', X_GitHub_Request_Id="new")
    confirmed = made.confirmed(held, said, target("/repos/a/b"), TOKEN)
    assert (confirmed.upstream_etag, confirmed.request_id) == ('"b"', "new")


# Visibility

SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5)
NAMES = st.sampled_from(["private", "visibility", "a", "b"])
VALUES = SCALARS | st.sampled_from(["public", "private", "internal"])
DOCUMENTS = st.recursive(
    VALUES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4)
)


def says_private(value: Any) -> bool:
    """By recursion, unlike the code."""
    if isinstance(value, dict):
        own = value.get("private") is True or value.get("visibility") in ("private", "internal")
        return own or any(map(says_private, value.values()))
    return isinstance(value, list) and any(map(says_private, value))


@given(DOCUMENTS)
def test_whatever_says_anywhere_that_it_is_private_shows_private(document: Any) -> None:
    assert shows_private(orjson.dumps(document)) is says_private(document)


@given(DOCUMENTS)
def test_what_says_at_its_top_that_it_is_private_is_not_known_public(document: Any) -> None:
    items = document if isinstance(document, list) else [document]
    known = is_known_public(orjson.dumps(document))
    if known:
        assert items
        assert all(each["private"] is False for each in items)
        assert not any(each.get("visibility") in ("private", "internal") for each in items)


@given(st.lists(st.sampled_from([PUBLIC_BODY, PRIVATE_BODY, SILENT_BODY]), max_size=5))
def test_a_list_is_known_public_exactly_if_all_its_items_are(items: list[bytes]) -> None:
    body = b"[" + b",".join(items) + b"]"
    assert is_known_public(body) is (bool(items) and set(items) == {PUBLIC_BODY})


@pytest.mark.parametrize(
    ("body", "known"),
    [
        (b'{"private": false}', True),  # GitHub Enterprise before 3.0 has no visibility
        (b'{"private": false, "visibility": "internal"}', False),
        (b'{"private": null}', False),
        (b'{"private": 0}', False),
        (b'{"visibility": "public"}', False),
        (b'{"private": "false"}', False),
        (b"[]", False),
        (b"", False),
        (b"not json", False),
        (b'"private"', False),
    ],
)
def test_only_an_answers_own_word_makes_it_known_public(body: bytes, known: bool) -> None:
    assert is_known_public(body) is known


def test_a_body_as_deep_as_its_author_likes_is_judged() -> None:
    depth = 1_000  # orjson reads 1024 levels
    body = b'{"a":' * depth + b'{"private": true}' + b"}" * depth
    assert shows_private(body)


def test_nowhere_is_githubs_own_404() -> None:
    given = nowhere(answer(PRIVATE_BODY))
    assert (given.status, given.asked_at, given.upstream_status) == (404, ASKED_AT, 200)
    assert orjson.loads(given.body or b"")["message"] == "Not Found"
    assert finisher().storable(given, target("/repos/a/b"))
