"""Exactly full pages: told by count and Link, and asked again in full."""

from __future__ import annotations

import orjson
import pytest

from tests.serving import API_KEY, Forewarm
from tests.standin.accounts import ALICE_TOKEN
from tests.standin.process import StandIn
from webapp.github.pages import exactly_full

NEXT = '<https://api.github.com/x?page=2>; rel="next"'
PREVIOUS = '<https://api.github.com/x?page=1>; rel="prev"'
PAGE = "/orgs/full-house/repos?sort=full_name"


@pytest.mark.parametrize(
    ("query", "items", "link", "full"),
    [
        ("", 30, "", True),
        ("page=2", 30, PREVIOUS, True),
        ("per_page=5", 5, "", True),
        ("per_page=1000", 100, "", True),
        ("", 29, "", False),
        ("per_page=100", 30, "", False),
        ("", 30, NEXT, False),
        ("per_page=0", 0, "", False),
        ("per_page=x", 30, "", True),
    ],
)
def test_a_page_is_exactly_full_by_count_and_link(
    query: str, items: int, link: str, full: bool
) -> None:
    assert exactly_full(query, orjson.dumps([{}] * items), link) is full


def test_what_is_no_list_is_no_page() -> None:
    assert not exactly_full("", b'{"total_count":30}', "")
    assert not exactly_full("", b"", "")


@pytest.mark.parametrize("token", [API_KEY, ALICE_TOKEN])
def test_a_list_that_grows_behind_a_full_page_is_seen(
    forewarm: Forewarm, github: StandIn, token: str
) -> None:
    github.create_org("full-house", repos=30)
    first = forewarm.get(PAGE, token)
    assert len(first.get_json()) == 30
    assert "Link" not in first.headers
    github.create_repo("full-house/zzz-the-last")
    again = forewarm.get(PAGE, token, Cache_Control="max-age=0")
    assert 'rel="next"' in again.headers["Link"]
    assert again.headers["ETag"] != first.headers["ETag"]
