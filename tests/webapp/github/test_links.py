"""Links point back to us: exactly the JSON strings that start with the API's URL, and headers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.github.links import (
    page_query,
    rewritten_body,
    rewritten_chunks,
    rewritten_link,
    rewritten_location,
)

API = "https://api.github.com"
BASE = "https://forewarm.example.com/api/v3"


def rewritten(value: Any) -> Any:
    return json.loads(rewritten_body(json.dumps(value).encode(), API, BASE))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (f"{API}/repos/a/b", f"{BASE}/repos/a/b"),
        (f"{API}/repos/a/b{{/sha}}", f"{BASE}/repos/a/b{{/sha}}"),
        (API, BASE),
        (f"{API}?x=1", f"{BASE}?x=1"),
        ("https://api.github.com.evil.example/", "https://api.github.com.evil.example/"),
        ("https://github.com/a/b", "https://github.com/a/b"),
        (f"see {API}/repos", f"see {API}/repos"),
        (f'say "{API}/repos"', f'say "{API}/repos"'),
        (f'\\"{API}/repos', f'\\"{API}/repos'),
    ],
)
def test_a_string_is_rewritten_only_where_it_starts_with_the_api(url: str, expected: str) -> None:
    assert rewritten({"url": url}) == {"url": expected}
    assert rewritten([url, [url]]) == [expected, [expected]]


texts = st.lists(st.sampled_from([API, '"', "\\", "/repos", " ", ",", "é", "x"]), max_size=8).map(
    "".join
)


def replaced(value: Any) -> Any:
    """The same, by parsing: slow and plain."""
    if isinstance(value, dict):
        return {replaced(key): replaced(each) for key, each in value.items()}
    if isinstance(value, list):
        return [replaced(each) for each in value]
    if isinstance(value, str) and (value == API or value.startswith((f"{API}/", f"{API}?"))):
        return BASE + value[len(API) :]
    return value


values = st.recursive(
    texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(values)
def test_rewriting_bytes_equals_rewriting_parsed_json(value: Any) -> None:
    assert rewritten(value) == replaced(value)


@given(values, st.lists(st.integers(1, 40), max_size=20))
def test_a_stream_is_rewritten_however_it_is_cut(value: Any, cuts: list[int]) -> None:
    body = json.dumps(value).encode()
    chunks, rest = [], body
    for cut in cuts:
        chunks.append(rest[:cut])
        rest = rest[cut:]
    assert b"".join(rewritten_chunks([*chunks, rest], API, BASE)) == rewritten_body(body, API, BASE)


def test_a_link_header_keeps_the_asked_path_and_takes_the_targets_query() -> None:
    link = (
        f'<{API}/organizations/1/repos?page=2>; rel="next", '
        f'<{API}/organizations/1/repos?page=5>; rel="last"'
    )
    assert rewritten_link(link, API, BASE, "/orgs/pallets/repos") == (
        f'<{BASE}/orgs/pallets/repos?page=2>; rel="next", '
        f'<{BASE}/orgs/pallets/repos?page=5>; rel="last"'
    )


def test_githubs_documented_link_header_is_rewritten_whole() -> None:
    link = (
        '<https://api.github.com/repositories/1300192/issues?page=2>; rel="prev", '
        '<https://api.github.com/repositories/1300192/issues?page=4>; rel="next", '
        '<https://api.github.com/repositories/1300192/issues?page=515>; rel="last", '
        '<https://api.github.com/repositories/1300192/issues?page=1>; rel="first"'
    )
    made = rewritten_link(link, API, BASE, "/repos/octocat/spoon-knife/issues")
    assert made.count(f"<{BASE}/repos/octocat/spoon-knife/issues?page=") == 4
    assert API not in made


def test_a_link_to_elsewhere_stays() -> None:
    link = '<https://docs.github.com/x>; rel="deprecation"'
    assert rewritten_link(link, API, BASE, "/x") == link


def test_a_location_inside_the_api_stays_inside_the_mirror() -> None:
    assert rewritten_location(f"{API}/repositories/1", API, BASE) == f"{BASE}/repositories/1"
    elsewhere = "https://codeload.github.com/x"
    assert rewritten_location(elsewhere, API, BASE) == elsewhere


def test_the_next_pages_query_is_found_among_others() -> None:
    link = f'<{BASE}/x?page=1>; rel="prev", <{BASE}/x?page=3&per_page=100>; rel="next"'
    assert page_query(link, "next") == "page=3&per_page=100"


def test_a_last_page_has_no_next() -> None:
    assert page_query(f'<{BASE}/x?page=1>; rel="first"', "next") == page_query("", "next") == ""
