"""Whatever strangers' bytes are: parsers answer or refuse, by the error that says so, and end.

A short form; FOREWARM_LONG=1 tries 25 times as much. The entry decoder's is in
tests/webapp/cache/test_entry.py, the API's in tests/webapp/views/test_openapi.py.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from urllib.parse import parse_qsl

import orjson
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from webapp.cache.entry import Entry, decode
from webapp.cache.keys import SERVICE, Target, archive_key, canonical_target, entry_key
from webapp.cache.reply import accepts_gzip, not_modified
from webapp.callers import bearer
from webapp.catalog import cursors
from webapp.db.catalog_search import Place
from webapp.errors import RequestRefused
from webapp.github import events
from webapp.github.links import page_query, rewritten_body, rewritten_chunks, rewritten_link
from webapp.policy import match, refused

LONG = bool(os.environ.get("FOREWARM_LONG"))
EXAMPLES = 2_500 if LONG else 100
tried = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=not LONG,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)

API, BASE = "https://api.github.com", "https://forewarm.example/api/v3"
LATIN = st.text(st.characters(max_codepoint=255), max_size=60)  # as WSGI hands it over
QUERIES = st.one_of(LATIN, st.text("ab&;=+%20[]page_r130", max_size=40))
WORDS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40)
NAMES = (
    *("repository", "organization", "installation", "account", "owner", "login", "full_name"),
    *("name", "changes", "from", "sender", "action", "repositories"),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES) | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
ENTRY = Entry(200, 0.0, 9.0, 9.0, 9.0, 'W/"a"', last_modified="Mon, 01 Jan 2024 00:00:00 GMT")


def target(path: str, query: str, accept: str, version: str) -> Target | None:
    with suppress(RequestRefused):
        return canonical_target(path, query, accept, version)
    return None


@tried
@given(LATIN, QUERIES, WORDS, WORDS)
def test_a_target_is_canonical_or_refused(path: str, query: str, accept: str, version: str) -> None:
    found = target(f"/{path}", query, accept, version)
    if found is None:
        return
    again = target(found.path.encode().decode("latin-1"), found.query, found.media, version)
    assert again == found  # what GitHub is asked has the key that it was asked for
    assert not re.search(r"[\x00-\x20\x7f]", found.url)
    match(found.path)
    refused(found.path, service=True)


@tried
@given(st.lists(st.tuples(LATIN, QUERIES), min_size=2, max_size=2))
def test_two_targets_that_differ_for_github_never_share_a_key(
    asked: list[tuple[str, str]],
) -> None:
    first, second = (target(f"/{path}", query, "", "") for path, query in asked)
    if first is None or second is None:
        return
    same = first == second
    assert (entry_key(first, SERVICE, BASE) == entry_key(second, SERVICE, BASE)) == same
    assert (archive_key(first, SERVICE) == archive_key(second, SERVICE)) == same


@tried
@given(QUERIES)
def test_a_query_tells_github_what_the_client_said(query: str) -> None:
    found = target("/repos/a/b/issues", query, "", "")
    if found is not None:
        said = [pair for pair in parse_qsl(query, keep_blank_values=True)
                if pair not in {("page", "1"), ("per_page", "30")}]  # fmt: skip
        assert sorted(parse_qsl(found.query, keep_blank_values=True)) == sorted(said)


@tried
@given(st.binary(max_size=200))
def test_bytes_that_are_no_entry_are_a_miss(raw: bytes) -> None:
    for each in (raw, b"fw\x01" + raw, b"fw\x01\x00\x00\x00\x20" + raw):
        found = decode(each)
        assert found is None or isinstance(found, Entry)


@tried
@given(JSON, WORDS, WORDS)
def test_a_delivery_is_facts_or_refused(payload: object, event: str, kind: str) -> None:
    body = orjson.dumps(payload)
    with suppress(RequestRefused):
        events.parse(body, kind)
    with suppress(RequestRefused):
        events.parse(b"payload=" + body, events.FORM)
    with suppress(RequestRefused):
        named = events.word(event)
        parsed = events.parse(body, events.JSON)
        for each in (named, "repository", "push", "installation", "organization"):
            purges = events.purges(events.facts_of(each, events.action_of(parsed), parsed))
            assert not re.search(r"\s", "".join((*purges.hard, *purges.soft)))


@tried
@given(st.binary(max_size=60))
def test_a_delivery_of_any_bytes_is_refused_and_nothing_else(body: bytes) -> None:
    for kind in (events.JSON, events.FORM):
        with suppress(RequestRefused):
            events.parse(body, kind)


@tried
@given(st.from_regex(cursors.PATTERN, fullmatch=True), st.sampled_from(["stars", "name", "pushed"]))
def test_a_cursor_of_its_form_is_a_place(cursor: str, sort: str) -> None:
    if cursor:
        place = cursors.read(cursor, sort)  # type: ignore[arg-type]
        assert isinstance(place, Place)
        assert isinstance(cursors.written(place), str)


@tried
@given(LATIN, LATIN, LATIN)
def test_what_a_client_has_is_looked_up_in_any_words(etag: str, since: str, coding: str) -> None:
    not_modified(ENTRY, etag, since)
    accepts_gzip(coding)


@tried
@given(LATIN)
def test_a_credential_is_a_visible_word_or_refused(authorization: str) -> None:
    with suppress(RequestRefused):
        assert re.fullmatch(r"[\x21-\x7e]+", bearer(authorization))


@tried
@given(
    st.text('<>;,="relnxt \\', max_size=40) | LATIN,
    st.sampled_from(["", API, f"{API}/x?page=2", "https://api.github.com.evil.example/"]),
)
def test_a_link_leads_to_us_or_stays_as_it_was(link: str, url: str) -> None:
    whole = f'{link}<{url}>; rel="next"'
    page_query(whole, "next")
    found = rewritten_link(whole, API, BASE, "/repos/a/b")
    assert "forewarm.example.evil" not in found


@tried
@given(st.lists(st.sampled_from([b'"', b"\\", API.encode(), b"/x", b".evil", b"a", b"{"])),
       st.integers(1, 9))  # fmt: skip
def test_a_body_is_rewritten_alike_however_it_is_cut(parts: list[bytes], size: int) -> None:
    body = b"".join(parts)
    cut = [body[at : at + size] for at in range(0, len(body), size)]
    assert b"".join(rewritten_chunks(cut, API, BASE)) == rewritten_body(body, API, BASE)
