"""One entry, one truth: GET, HEAD, 304, gzip and identity agree, near, from Redis, by Flask.

Ages, the words of Cache-Status about the shelf, and the budget are all that may differ.
"""

from __future__ import annotations

import gzip
import os
import time
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from tests.serving import API_KEY, Forewarm, ForewarmFactory
from tests.standin import landmarks
from tests.standin.process import StandIn

PATHS = {
    "list": "/orgs/pallets/repos",  # large, with Link
    "detail": "/repos/pallets/flask",
    "small": "/repos/pallets/flask/languages",  # not gzipped
    "missing": "/repos/pallets/nothing-of-that-name",
    "renamed": f"/repos/{landmarks.OLD_NAME}",
    "empty": f"/repos/{landmarks.EMPTY_REPO}/contributors",  # 204
}
MOVING = {"age", "cache-status"}
ALLOWANCE = "x-ratelimit-"  # what each process has heard of the budget, which no entry holds


@dataclass(frozen=True)
class Apps:
    """The same entries served three ways."""

    by: dict[str, Forewarm]
    plain: dict[str, TestResponse]
    """What each path's GET without any further header says."""


@pytest.fixture
def apps(start_forewarm: ForewarmFactory, github: StandIn) -> Apps:
    by = {
        "near": start_forewarm(HIT_SAMPLE="0"),
        "redis": start_forewarm(HIT_SAMPLE="0", NEAR_MB="0"),
        "flask": start_forewarm(HITPATH="off"),
    }
    plain = {}
    for name, path in PATHS.items():
        assert by["flask"].get(path).headers["X-Cache"] in {"MISS", "REVALIDATED"}
        plain[name] = by["flask"].get(path)
    near = by["near"].services.near
    deadline = time.monotonic() + 5
    while not near.listening():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return Apps(by, plain)


codings = st.lists(
    st.sampled_from(
        ["gzip", "gzip;q=0", "gzip;q=0.5", "br", "*", "*;q=0", "identity", "x-gzip", "deflate", ""]
    ),
    max_size=3,
).map(", ".join)
validators = st.lists(
    st.sampled_from(["mine", "mine, strong", '"other"', 'W/"other"', "*", ""]), max_size=3
)
dates = st.sampled_from(
    ["", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT", "nonsense", "mine"]
)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_every_way_to_an_entry_gives_the_same_bytes(apps: Apps) -> None:
    @settings(
        max_examples=2_000 if os.environ.get("FOREWARM_LONG") else 150,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        name=st.sampled_from(sorted(PATHS)),
        method=st.sampled_from(["GET", "HEAD"]),
        coding=codings,
        etags=validators,
        since=dates,
    )
    def agree(name: str, method: str, coding: str, etags: list[str], since: str) -> None:
        plain = apps.plain[name]
        etag = plain.headers["ETag"]
        named = {"mine": etag, "mine, strong": etag.removeprefix("W/")}
        headers = {
            "Accept_Encoding": coding,
            "If_None_Match": ", ".join(named.get(each, each) for each in etags),
            "If_Modified_Since": plain.headers.get("Last-Modified", "")
            if since == "mine"
            else since,
        }
        given_ = {key: value for key, value in headers.items() if value}
        answers = {
            way: app.request(method, f"/api/v3{PATHS[name]}", API_KEY, **given_)
            for way, app in apps.by.items()
        }
        first = answers["flask"]
        for answer in answers.values():
            assert answer.status_code == first.status_code
            assert answer.data == first.data
            assert steady(answer) == steady(first)
            assert answer.headers["X-Cache"] in {"HIT", "NEGATIVE"}
        judge(plain, first, method, headers)

    agree()


def steady(answer: TestResponse) -> list[tuple[str, str]]:
    named = ((name.lower(), value) for name, value in answer.headers.items())
    return sorted(
        each for each in named if each[0] not in MOVING and not each[0].startswith(ALLOWANCE)
    )


def judge(plain: TestResponse, answer: TestResponse, method: str, headers: dict[str, str]) -> None:
    """By RFC 9110, in other words than the code's."""
    own = plain.headers["ETag"].removeprefix("W/")
    asked = [each.strip().removeprefix("W/") for each in headers["If_None_Match"].split(",")]
    if plain.status_code == 200 and headers["If_None_Match"]:
        # "*" counts alone; in a list it is no entity tag.
        alone = headers["If_None_Match"].strip() == "*"
        assert (answer.status_code == 304) == (own in asked or alone)
    elif plain.status_code != 200:
        assert answer.status_code == plain.status_code
    for name in ("ETag", "Vary", "Cache-Groups", "Cache-Control", "Link"):
        assert answer.headers.get(name) == plain.headers.get(name)
    if answer.status_code == 304:
        assert "Last-Modified" not in answer.headers
        assert answer.data == b""
        assert "Content-Length" not in answer.headers
        return
    coded = answer.headers.get("Content-Encoding") == "gzip"
    if not headers["Accept_Encoding"]:
        assert not coded
    if method == "HEAD" or plain.status_code == 204:
        assert answer.data == b""
        return
    body = gzip.decompress(answer.data) if coded else answer.data
    assert body == plain.data
    assert int(answer.headers["Content-Length"]) == len(answer.data)


@pytest.mark.parametrize("way", ["near", "redis"])
def test_the_shelf_named_is_the_one_that_answered(apps: Apps, way: str) -> None:
    for _ in range(3):
        answer = apps.by[way].get(PATHS["detail"])
    assert f"detail={way}" in answer.headers["Cache-Status"]


def test_a_heads_length_is_its_gets(apps: Apps) -> None:
    for path in PATHS.values():
        for coding in ("gzip", "identity"):
            got = apps.by["near"].get(path, Accept_Encoding=coding)
            head = apps.by["near"].request(
                "HEAD", f"/api/v3{path}", API_KEY, Accept_Encoding=coding
            )
            assert head.headers.get("Content-Length") == got.headers.get("Content-Length")
