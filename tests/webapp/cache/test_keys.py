"""Keys: what GitHub would answer alike is one entry, everything else is not."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.cache.keys import (
    JSON_MEDIA,
    PUBLIC,
    SERVICE,
    archive_key,
    canonical_media,
    canonical_path,
    canonical_query,
    canonical_target,
    entry_key,
    token_scope,
)
from webapp.errors import RequestRefused

BASE = "http://127.0.0.1:8000/api/v3"
SEGMENTS = st.text(
    st.characters(codec="utf-8", exclude_characters="/\\", exclude_categories=["Cc", "Cs"]),
    max_size=8,
)


def key(path: str, query: str = "", accept: str = "", version: str = "") -> str:
    return entry_key(canonical_target(path, query, accept, version), SERVICE, BASE)


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("/repos/Pallets/Flask", "/repos/pallets/flask"),
        ("/repos/Pallets/Flask/contents/README.md", "/repos/pallets/flask/contents/README.md"),
        ("/orgs/PSF/repos", "/orgs/psf/repos"),
        ("/users/Bob", "/users/bob"),
        ("/user/starred/A/B", "/user/starred/a/b"),
        ("/search/repositories", "/search/repositories"),
        ("/", "/"),
    ],
)
def test_only_owner_and_repository_fold_case(raw: str, canonical: str) -> None:
    assert canonical_path(raw) == canonical


@pytest.mark.parametrize(
    "raw",
    ["/repos/../user", "/./user", "/repos/a/b/..", "/a\x00b", "/a\nb", "/a\x7f", "/a\\..\\b"],
)
def test_a_path_that_two_might_read_differently_is_refused(raw: str) -> None:
    with pytest.raises(RequestRefused):
        canonical_path(raw)


def test_a_path_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(RequestRefused):
        canonical_path("/repos/\xff/b")


def test_too_long_a_path_is_414() -> None:
    with pytest.raises(RequestRefused) as refusal:
        canonical_path("/" + "a" * 100_000)
    assert refusal.value.status == 414


@given(st.lists(SEGMENTS, min_size=1, max_size=5))
def test_a_canonical_path_stays_as_it_is(segments: list[str]) -> None:
    try:
        once = canonical_path("/" + "/".join(segments).encode().decode("latin-1"))
    except RequestRefused:
        return
    assert canonical_path(once.encode().decode("latin-1")) == once


def test_the_wire_form_of_a_path_has_no_query_of_its_own() -> None:
    target = canonical_target("/repos/a/b/contents/what?#.md", "ref=x", "", "")
    assert target.url == "/repos/a/b/contents/what%3F%23.md?ref=x"


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("", ""),
        ("page=1", ""),
        ("per_page=30&page=1", ""),
        ("b=2&a=1", "a=1&b=2"),
        ("labels=x&labels=a", "labels=x&labels=a"),
        ("q=a+b&flag", "flag=&q=a+b"),
        ("page=2", "page=2"),
    ],
)
def test_a_query_is_sorted_and_without_defaults(raw: str, canonical: str) -> None:
    assert canonical_query(raw) == canonical


@given(st.lists(st.tuples(st.text("abc", min_size=1), st.text("xy1 &=%")), max_size=6))
def test_a_canonical_query_stays_as_it_is(pairs: list[tuple[str, str]]) -> None:
    once = canonical_query(urlencode(pairs))
    assert canonical_query(once) == once


def test_a_token_in_the_query_is_refused_without_repeating_it() -> None:
    with pytest.raises(RequestRefused) as refusal:
        canonical_query("access_token=ghp_secret")
    assert "ghp_secret" not in str(refusal.value)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "application/json",
        "application/vnd.github+json",
        "application/vnd.github.v3+json",
        "application/json;q=0.9, */*;q=0.8",
    ],
)
def test_the_synonyms_of_plain_json_are_one(accept: str) -> None:
    assert canonical_media(accept) == JSON_MEDIA


def test_another_media_type_is_another_key() -> None:
    assert key("/repos/a/b/readme", accept="application/vnd.github.raw+json") != key(
        "/repos/a/b/readme"
    )


def test_another_version_scope_or_base_is_another_key() -> None:
    target = canonical_target("/repos/a/b", "", "", "")
    versioned = canonical_target("/repos/a/b", "", "", "2022-11-28")
    keys = {
        entry_key(target, SERVICE, BASE),
        entry_key(target, PUBLIC, BASE),
        entry_key(target, token_scope("ghp_a", "secret"), BASE),
        entry_key(target, token_scope("ghp_b", "secret"), BASE),
        entry_key(target, token_scope("ghp_a", "other secret"), BASE),
        entry_key(target, SERVICE, "https://forewarm.example.com/api/v3"),
        entry_key(versioned, SERVICE, BASE),
    }
    assert len(keys) == 7


def test_a_key_has_the_contracts_form_and_never_the_token() -> None:
    scope = token_scope("ghp_verysecret", "secret")
    made = entry_key(canonical_target("/repos/a/b", "", "", ""), scope, BASE)
    prefix, kind, schema, *rest = made.split(":")
    assert (prefix, kind, schema, len(rest[-1])) == ("fw", "e", "1", 32)
    assert "ghp_verysecret" not in made


def test_the_archive_knows_no_base_url() -> None:
    target = canonical_target("/repos/a/b", "", "", "")
    assert archive_key(target, SERVICE).startswith("service:")
