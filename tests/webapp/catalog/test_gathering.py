"""Natural batching: the first at once, those that come meanwhile together."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.load.callers import all_at_once
from tests.serving import serve
from tests.standin.process import StandIn
from tests.webapp.listed import names_of
from webapp.cache.keys import SERVICE
from webapp.catalog.gathering import Gathering
from webapp.errors import GitHubUnavailable, WaitedTooLong
from webapp.github.asker import Asker
from webapp.github.batch import Batch
from webapp.shares import Shares

ASKER = Asker(SERVICE)


class Source:
    """Batches that wait for a word; each name is missing."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.go = threading.Semaphore(0)
        self.failure: Exception | None = None

    def __call__(self, names: Sequence[str], asker: Asker, seconds: float) -> Batch:
        self.asked.append(list(names))
        assert self.go.acquire(timeout=10)
        if self.failure:
            raise self.failure
        return Batch(missing=dict.fromkeys(names, 1.0))

    def begun(self, count: int) -> None:
        """Wait until so many batches have begun."""
        deadline = time.monotonic() + 10
        while len(self.asked) < count:
            assert time.monotonic() < deadline
            time.sleep(0.001)


@pytest.fixture
def source() -> Source:
    return Source()


def test_the_first_goes_at_once_and_the_others_together(source: Source) -> None:
    gathering = Gathering(source, Shares(64))
    with ThreadPoolExecutor(20) as threads:
        first = threads.submit(gathering.ask, "a/0", ASKER)
        source.begun(1)
        others = [threads.submit(gathering.ask, f"a/{number}", ASKER) for number in range(1, 15)]
        source.go.release(2)
        assert list(first.result().missing) == ["a/0"]
        assert all(f"a/{place + 1}" in each.result().missing for place, each in enumerate(others))
    assert [len(batch) for batch in source.asked] == [1, 14]


def test_one_name_is_asked_for_once_however_many_want_it(source: Source) -> None:
    gathering = Gathering(source, Shares(64))
    with ThreadPoolExecutor(20) as threads:
        threads.submit(gathering.ask, "a/0", ASKER)
        source.begun(1)
        same = [threads.submit(gathering.ask, "a/1", ASKER) for _ in range(10)]
        source.go.release(2)
        assert all("a/1" in each.result().missing for each in same)
    assert source.asked == [["a/0"], ["a/1"]]


def test_who_comes_while_it_flies_is_asked_for_after_they_came(source: Source) -> None:
    """The answer under way may be from before a purge."""
    gathering = Gathering(source, Shares(64))
    with ThreadPoolExecutor(2) as threads:
        threads.submit(gathering.ask, "a/0", ASKER)
        source.begun(1)
        again = threads.submit(gathering.ask, "a/0", ASKER)
        source.go.release(2)
        again.result()
    assert source.asked == [["a/0"], ["a/0"]]


def test_a_failure_is_everybodys_and_not_the_next_ones(source: Source) -> None:
    gathering = Gathering(source, Shares(64))
    source.failure = GitHubUnavailable("away")
    source.go.release(2)
    with pytest.raises(GitHubUnavailable):
        gathering.ask("a/0", ASKER)
    source.failure = None
    assert "a/1" in gathering.ask("a/1", ASKER).missing


def test_where_threads_are_scarce_nobody_waits_long(source: Source) -> None:
    shares = Shares(4)
    gathering = Gathering(source, shares)
    shares._count(4)  # all are busy
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(gathering.ask, "a/0", ASKER)
        source.begun(1)
        began = time.monotonic()
        with pytest.raises(WaitedTooLong):
            gathering.ask("a/1", ASKER)
        assert time.monotonic() - began < 5
        source.go.release()
        first.result()
    source.go.release()
    shares._count(-4)
    assert "a/2" in gathering.ask("a/2", ASKER).missing


def test_100_concurrent_misses_in_one_process_are_three_calls_at_most(
    environ: dict[str, str], github: StandIn, tmp_path: Path
) -> None:
    github.create_org("many", repos=100)
    names = names_of(github, "many")
    with serve({**environ, "WEB_THREADS": "256"}, tmp_path / "server.log") as server:
        said = all_at_once(
            [f"{server.url}/api/repos/{name}" for name in names],
            "Authorization: Bearer fwk_a-key-for-tests-000001\r\n",
        )
    assert {each.status for each in said} == {200}
    assert len({each.body for each in said}) == 100
    assert github.count() <= 3
