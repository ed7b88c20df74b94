"""An entry as an answer: content coding, conditionals, Cache-Status."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.webapp.cache.test_entry import ENTRY
from webapp.cache.entry import packed_body
from webapp.cache.reply import (
    accepts_gzip,
    cache_groups,
    cache_status_forwarded,
    cache_status_hit,
    coded_body,
    headers_of,
    not_modified,
)
from webapp.outcome import Outcome

BODY = b'{"name":"flask"}' * 200
PACKED, _ = packed_body(BODY)
LARGE = replace(ENTRY, body=PACKED, gzipped=True)
MODIFIED = "Wed, 21 Oct 2015 07:28:00 GMT"
LATER = "Wed, 21 Oct 2015 07:28:01 GMT"
EARLIER = "Wed, 21 Oct 2015 07:27:59 GMT"


@pytest.mark.parametrize(
    ("accept_encoding", "welcome"),
    [
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("br, GZIP;q=0.5", True),
        ("*", True),
        ("x-gzip", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("*, gzip;q=0", False),
        ("gzip;q=nonsense", False),
    ],
)
def test_gzip_goes_to_those_who_want_it(accept_encoding: str, welcome: bool) -> None:
    assert accepts_gzip(accept_encoding) is welcome
    body, headers = coded_body(LARGE, accept_encoding)
    assert (("Content-Encoding", "gzip") in headers) is welcome
    assert body == (PACKED if welcome else BODY)
    assert ("Content-Length", str(len(body))) in headers


@pytest.mark.parametrize(
    ("if_none_match", "if_modified_since", "same"),
    [
        ('W/"1"', "", True),
        ('"1"', "", True),
        ('"0", W/"1"', "", True),
        ("*", "", True),
        ('"2"', "", False),
        ('"2"', LATER, False),
        ("", MODIFIED, True),
        ("", LATER, True),
        ("", EARLIER, False),
        ("", "yesterday", False),
        ("", "", False),
    ],
)
def test_a_client_that_has_it_gets_304(
    if_none_match: str, if_modified_since: str, same: bool
) -> None:
    entry = replace(ENTRY, last_modified=MODIFIED)
    assert not_modified(entry, if_none_match, if_modified_since) is same


def test_only_a_200_becomes_a_304() -> None:
    assert not not_modified(replace(ENTRY, status=404), "*", "")


def test_age_is_true_and_never_negative() -> None:
    def age(now: float) -> str:
        return dict(headers_of(ENTRY, Outcome.HIT, "", "", now))["Age"]

    assert [age(990), age(1000), age(1059.9)] == ["0", "0", "59"]


def test_cache_status_says_how_long_it_stays_fresh() -> None:
    assert cache_status_hit(ENTRY, "redis", 1000) == "forewarm; hit; ttl=100; detail=redis"
    assert cache_status_hit(ENTRY, "near", 1110) == "forewarm; hit; ttl=-10; detail=near"


def test_cache_status_says_why_it_went_forward() -> None:
    assert cache_status_forwarded("miss", 200, stored=True) == (
        "forewarm; fwd=miss; fwd-status=200; stored"
    )
    assert cache_status_forwarded("stale", 304, stored=True, collapsed=True) == (
        "forewarm; fwd=stale; fwd-status=304; stored; collapsed"
    )
    assert cache_status_forwarded("method") == "forewarm; fwd=method"


def test_cache_groups_are_quoted_strings() -> None:
    assert cache_groups(("repo:a/b", "all")) == '"repo:a/b", "all"'
