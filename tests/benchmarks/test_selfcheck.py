"""No subject is measured that isn't what it is said to be."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.bodies import DETAIL
from benchmarks.peers.packages import path_of
from benchmarks.selfcheck import SelfCheckError, check
from benchmarks.serving import KEY, Ground
from benchmarks.subjects import (
    CACHED_GRANIAN,
    KINDS,
    NGINX,
    NO_CACHE,
    REQUESTS_CACHE,
    VARNISH,
    Subject,
    running,
)
from script.embedded import Valkey
from tests.standin.process import StandIn

PEERS = (VARNISH, NGINX, CACHED_GRANIAN, REQUESTS_CACHE)
THERE = [name for name in PEERS if not KINDS[name].needs or path_of(KINDS[name].needs)]


@pytest.fixture
def ground(github: StandIn, redis_url: str, valkey: Valkey, tmp_path: Path) -> Ground:
    """As a benchmark's, on the tests' stores; peers need no PostgreSQL."""
    github.limits(secondary=False)
    return Ground({"REDIS_URL": redis_url}, github, valkey, b"", tmp_path)


@pytest.fixture
def github_itself(github: StandIn) -> Iterator[Subject]:
    """A subject that surely caches nothing: GitHub, which knows the benchmarks' key here."""
    github.add_token("benchmarks", account="forewarm-bot", token=KEY)
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        yield Subject("GitHub", github.url, process, ours=False)


def test_who_asks_github_again_is_no_cache(ground: Ground, github_itself: Subject) -> None:
    with pytest.raises(SelfCheckError, match="wasn't a hit"):
        check(ground, github_itself, DETAIL)


def test_who_need_not_cache_may_ask_github_again(ground: Ground, github_itself: Subject) -> None:
    wire = check(ground, github_itself, DETAIL, caches=False)
    assert wire["gzip"] < wire["identity"]


def test_who_refuses_is_not_measured(ground: Ground, github_itself: Subject) -> None:
    with pytest.raises(SelfCheckError, match="status 404"):
        check(ground, github_itself, "/repos/pallets/nothing", caches=False)


def test_the_peers_answer_as_github_does_from_their_caches(ground: Ground) -> None:
    with running(ground, [*THERE, NO_CACHE]) as subjects:
        for name in THERE:
            check(ground, subjects[name], DETAIL)
        check(ground, subjects[NO_CACHE], DETAIL, caches=False)
