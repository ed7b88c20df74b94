"""One shared fetch over real stores: flights in a process, leases across processes, streams alone.

GitHub is an origin that holds each call until the test releases it, so that every race is played
in the order that the test's name tells.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from script.embedded import Postgres, Valkey
from tests.serving import API_KEY, Forewarm, ForewarmFactory, serve
from tests.standin.process import StandIn
from tests.webapp.github.origin import Asked, Hangup, Origin, Slow, head, reply
from tests.webapp.lasting import fresh_applications, lasting_environ
from webapp.cache.keys import SERVICE, canonical_target
from webapp.cache.store import Lease
from webapp.errors import GitHubUnavailable, WaitedTooLong
from webapp.fetching import Wish
from webapp.github.asker import Asker
from webapp.github.tries import POLICY, Tries
from webapp.outcome import Outcome
from webapp.serve import Directives, Served

BASE_URL = "http://127.0.0.1:8000/api/v3"
DETAIL = "/repos/pallets/flask"
OTHER = "/repos/pallets/flask/issues"
TAG = "repo:pallets/flask"
FILE = "/repos/pallets/flask/contents/file"
READERS = 8
SOON = 0.4  # seconds in which nothing that waits for a period could happen


@pytest.fixture(scope="module")
def lasting(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[dict[str, str]]:
    with lasting_environ(valkey, postgres, standin, "fetching") as environ:
        yield environ


@pytest.fixture
def start_forewarm(lasting: dict[str, str], standin: StandIn) -> Iterator[ForewarmFactory]:
    with fresh_applications(lasting, standin) as applications:
        yield applications


@pytest.fixture(autouse=True)
def single_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call is one that a test releases."""
    once = Tries(policy=POLICY.new(total=0))
    monkeypatch.setattr("webapp.github.session.Tries", lambda: once)


@pytest.fixture
def slow() -> Iterator[tuple[Origin, Slow]]:
    answering = Slow()
    with Origin(answering) as origin:
        yield origin, answering


@pytest.fixture
def github(slow: tuple[Origin, Slow]) -> Slow:
    return slow[1]


@pytest.fixture
def forewarm(start_forewarm: ForewarmFactory, slow: tuple[Origin, Slow]) -> Forewarm:
    return start_forewarm(GITHUB_API_URL=slow[0].url)


@pytest.fixture
def neighbour(
    start_forewarm: ForewarmFactory, forewarm: Forewarm, slow: tuple[Origin, Slow]
) -> Forewarm:
    """Another process, as far as flights and leases can tell."""
    return start_forewarm(GITHUB_API_URL=slow[0].url, WEB_THREADS="17")


def wish(path: str = DETAIL) -> Wish:
    return Wish.of(canonical_target(path, "", "", ""), Asker(SERVICE), BASE_URL)


def version(number: int) -> bytes:
    return reply(b'{"version": %d}' % number, ETag=f'"{number}"')


def body(served: Served) -> bytes:
    if served.entry:
        return served.entry.identity()
    assert served.answer is not None
    return b"".join(served.answer.chunks())


class Reader:
    """A request of its own thread."""

    def __init__(self, forewarm: Forewarm, path: str = DETAIL) -> None:
        self._result: Served | Exception | None = None
        self._thread = threading.Thread(target=self._read, args=(forewarm, path))
        self._thread.start()

    def _read(self, forewarm: Forewarm, path: str) -> None:
        try:
            self._result = forewarm.services.ladder.serve(wish(path), Directives())
        except (GitHubUnavailable, WaitedTooLong) as error:
            self._result = error

    def result(self) -> Served:
        self._thread.join(20)
        if isinstance(self._result, Exception):
            raise self._result
        assert self._result is not None
        return self._result


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def count_calls(owner: object, method: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often a method was called from now on; the call itself goes on as ever."""
    original, calls = getattr(owner, method), itertools.count()
    last = 0

    def counted(*args: object) -> object:
        nonlocal last
        last = next(calls) + 1
        return original(*args)

    monkeypatch.setattr(owner, method, counted)
    return lambda: last


@pytest.fixture
def boarded(forewarm: Forewarm, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Waits until so many readers follow another's flight."""
    followers = count_calls(forewarm.services.shares, "wait", monkeypatch)
    return lambda number: wait_until(lambda: followers() >= number)


def purge(forewarm: Forewarm, *, hard: bool = False) -> None:
    forewarm.services.purger.purge([TAG], hard=hard, cause="operator")


def leased(forewarm: Forewarm) -> Lease:
    """The right to fetch, held by somebody who never will."""
    lease, _ = forewarm.services.store.acquire(wish().key, wish().tags)
    assert lease is not None
    return lease


# In one process


@pytest.mark.parametrize("path", [DETAIL, OTHER])
def test_however_many_ask_at_once_there_is_one_call(
    forewarm: Forewarm, github: Slow, boarded: Callable[[int], None], path: str
) -> None:
    readers = [Reader(forewarm, path) for _ in range(READERS)]
    boarded(READERS - 1)
    github.release(0, version(1))
    results = [each.result() for each in readers]
    outcomes = sorted(each.outcome for each in results)
    assert outcomes == [Outcome.COALESCED] * (READERS - 1) + [Outcome.MISS]
    assert {body(each) for each in results} == {b'{"version": 1}'}
    assert github.calls == 1


def test_who_came_after_a_purge_doesnt_take_the_fetch_from_before_it(
    forewarm: Forewarm, github: Slow
) -> None:
    early = Reader(forewarm)
    github.wait_for_call()
    purge(forewarm)
    late = Reader(forewarm)
    github.release(0, version(1))
    github.wait_for_call()
    github.release(1, version(2))
    assert body(early.result()) == b'{"version": 1}'
    assert body(late.result()) == b'{"version": 2}'
    assert github.calls == 2


def test_that_github_cant_be_reached_is_everybodys_verdict(
    forewarm: Forewarm, github: Slow, boarded: Callable[[int], None]
) -> None:
    readers = [Reader(forewarm) for _ in range(READERS)]
    boarded(READERS - 1)
    github.release(0, reply(b"{}", "500 Oops"))
    for each in readers:
        with pytest.raises(GitHubUnavailable):
            each.result()
    assert github.calls == 1


def test_after_a_failure_the_next_reader_asks_anew(forewarm: Forewarm, github: Slow) -> None:
    first = Reader(forewarm)
    github.wait_for_call()
    github.release(0, reply(b"{}", "500 Oops"))
    with pytest.raises(GitHubUnavailable):
        first.result()
    second = Reader(forewarm)
    github.wait_for_call()
    github.release(1, version(1))
    assert second.result().outcome is Outcome.MISS


def test_a_refusal_is_shared_but_not_kept(
    forewarm: Forewarm, github: Slow, boarded: Callable[[int], None]
) -> None:
    readers = [Reader(forewarm) for _ in range(READERS)]
    boarded(READERS - 1)
    github.release(0, reply(b'{"message": "Forbidden"}', "403 Forbidden"))
    answers = [each.result().answer for each in readers]
    assert {answer.status for answer in answers if answer} == {403}
    assert github.calls == 1
    assert forewarm.services.store.read(wish().key, wish().tags).entry is None


def test_a_stream_is_each_readers_own(
    forewarm: Forewarm, github: Slow, boarded: Callable[[int], None]
) -> None:
    readers = [Reader(forewarm, FILE) for _ in range(4)]
    boarded(3)
    for number in range(4):
        github.wait_for_call()
        github.release(number, reply(b"plain %d" % number, Content_Type="text/plain"))
    bodies = {body(each.result()) for each in readers}
    assert bodies == {b"plain 0", b"plain 1", b"plain 2", b"plain 3"}


def test_a_follower_waits_no_longer_than_it_may(
    forewarm: Forewarm, github: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.fetching.FOLLOW", 0.2)
    leader = Reader(forewarm)
    github.wait_for_call()
    with pytest.raises(WaitedTooLong):
        Reader(forewarm).result()
    github.release(0, version(1))
    assert leader.result().outcome is Outcome.MISS


# Purges while GitHub is asked


def test_what_was_fetched_before_a_hard_purge_is_served_but_not_stored(
    forewarm: Forewarm, github: Slow
) -> None:
    reader = Reader(forewarm)
    github.wait_for_call()
    purge(forewarm, hard=True)
    github.release(0, version(1))
    assert "stored" not in reader.result().cache_status
    assert forewarm.services.store.read(wish().key, wish().tags).entry is None


def test_what_was_fetched_before_a_soft_purge_is_stored_as_purged(
    forewarm: Forewarm, github: Slow
) -> None:
    reader = Reader(forewarm)
    github.wait_for_call()
    purge(forewarm)
    github.release(0, version(1))
    assert "stored" in reader.result().cache_status
    again = Reader(forewarm)
    github.wait_for_call()
    github.release(1, head("304 Not Modified", ETag='"1"'))
    assert again.result().outcome is Outcome.REVALIDATED


# Across processes


@pytest.mark.parametrize("path", [DETAIL, OTHER])
def test_another_process_takes_the_fill_that_it_waited_for(
    forewarm: Forewarm,
    neighbour: Forewarm,
    github: Slow,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
) -> None:
    leader = Reader(forewarm, path)
    github.wait_for_call()
    looks = count_calls(neighbour.services.store, "read", monkeypatch)
    follower = Reader(neighbour, path)
    wait_until(lambda: looks() >= 2)  # on arrival, and once behind the lease
    github.release(0, version(1))
    assert leader.result().outcome is Outcome.MISS
    assert follower.result().outcome is Outcome.COALESCED
    assert body(follower.result()) == b'{"version": 1}'
    assert github.calls == 1


def test_a_lease_from_before_a_purge_is_taken_over(
    forewarm: Forewarm, neighbour: Forewarm, github: Slow
) -> None:
    early = Reader(forewarm)
    github.wait_for_call()
    purge(forewarm)
    late = Reader(neighbour)
    github.wait_for_call()
    github.release(1, version(2))
    assert body(late.result()) == b'{"version": 2}'
    github.release(0, version(1))
    assert "stored" not in early.result().cache_status
    entry = forewarm.services.store.read(wish().key, wish().tags).entry
    assert entry is not None
    assert entry.identity() == b'{"version": 2}'


def test_a_dead_holders_lease_ends_by_itself(
    forewarm: Forewarm, github: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.cache.store.LEASE", 0.3)
    leased(forewarm)
    began = time.monotonic()
    reader = Reader(forewarm)
    github.wait_for_call()
    assert 0.2 < time.monotonic() - began < 0.3 + SOON
    github.release(0, version(1))
    assert reader.result().outcome is Outcome.MISS


def test_a_lease_is_renewed_while_its_fetch_lasts(
    forewarm: Forewarm, neighbour: Forewarm, github: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.cache.store.LEASE", 0.3)
    monkeypatch.setattr("webapp.cache.flight.RENEW_EVERY", 0.05)
    leader = Reader(forewarm)
    github.wait_for_call()
    follower = Reader(neighbour)
    assert not github.calls > 1
    ends = time.monotonic() + 3 * 0.3
    wait_until(lambda: time.monotonic() > ends or github.calls > 1)
    assert github.calls == 1
    github.release(0, version(1))
    assert leader.result().outcome is Outcome.MISS
    assert follower.result().outcome is Outcome.COALESCED


def test_who_waits_for_another_process_too_long_is_told_so(
    forewarm: Forewarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.fetching.FOLLOW", 0.2)
    leased(forewarm)
    with pytest.raises(WaitedTooLong):
        Reader(forewarm).result()


def test_a_failed_fetch_leaves_no_lease(
    forewarm: Forewarm, neighbour: Forewarm, github: Slow
) -> None:
    reader = Reader(forewarm)
    github.wait_for_call()
    github.release(0, reply(b"{}", "500 Oops"))
    with pytest.raises(GitHubUnavailable):
        reader.result()
    forewarm.services.store.release(leased(neighbour))


# Without Redis


def test_without_redis_all_who_wait_take_one_call_that_began_after_they_came(
    start_forewarm: ForewarmFactory, slow: tuple[Origin, Slow], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody tells of purges: the call that was on its way when they came may be too old."""
    origin, github = slow
    alone = start_forewarm(GITHUB_API_URL=origin.url, REDIS_URL="redis://127.0.0.1:1/0")
    followers = count_calls(alone.services.shares, "wait", monkeypatch)
    leader = Reader(alone)
    github.wait_for_call()
    others = [Reader(alone) for _ in range(READERS - 1)]
    wait_until(lambda: followers() >= READERS - 1)
    github.release(0, version(1))
    assert body(leader.result()) == b'{"version": 1}'
    github.release(1, version(2))
    assert {body(each.result()) for each in others} == {b'{"version": 2}'}
    assert github.calls == 2


# Streams


def test_slow_streams_leave_threads_for_hits(
    lasting: dict[str, str], start_forewarm: ForewarmFactory, tmp_path: Path
) -> None:
    """Sixteen threads, sixteen downloads that GitHub sends slowly: a hit is answered at once."""
    with Origin(lambda _: []) as origin, ExitStack() as downloads:

        def answering(asked: Asked) -> Iterator[bytes]:
            if asked.target == DETAIL:
                yield version(1)
                return
            yield head(Content_Type="text/plain", Content_Length="1000000") + b"x" * 1000
            origin.over.wait(30)
            raise Hangup

        origin.answering = answering
        environ = {**lasting, "GITHUB_API_URL": origin.url}
        server = downloads.enter_context(serve(environ, tmp_path / "server.log"))
        own = {"Authorization": f"Bearer {API_KEY}"}
        warm = f"{server.api}{DETAIL}"
        assert requests.get(warm, headers=own, timeout=5).headers["X-Cache"] == "MISS"

        def download(number: int) -> int:
            answer = downloads.enter_context(
                requests.get(
                    f"{server.api}{FILE}{number}", headers=own, stream=True, timeout=(5, 10)
                )
            )
            return answer.status_code

        assert [download(number) for number in range(8)] == [200] * 8
        statuses: list[int] = []
        later = [
            threading.Thread(target=lambda each=number: statuses.append(download(each)))
            for number in range(8, 16)
        ]
        for each in later:
            each.start()
        for each in later:
            each.join(20)
        assert statuses == [503] * 8
        began = time.monotonic()
        assert requests.get(warm, headers=own, timeout=5).headers["X-Cache"] == "HIT"
        assert time.monotonic() - began < SOON


def test_a_stream_gives_its_place_back_at_its_end_or_when_nobody_wants_it(
    forewarm: Forewarm, github: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.shares.BRIEFLY", 0.0)
    half = forewarm.settings.web_threads // 2
    for number in range(3 * half):
        github.release(number, reply(b"plain", Content_Type="text/plain"))
    open_streams = [Reader(forewarm, f"{FILE}{number}").result() for number in range(half)]
    with pytest.raises(WaitedTooLong):
        Reader(forewarm, FILE).result()
    for number, served in enumerate(open_streams):
        assert served.answer is not None
        if number % 2:
            assert body(served) == b"plain"
        served.answer.close()
    for number in range(half):
        assert body(Reader(forewarm, f"{FILE}{number}").result()) == b"plain"


def test_a_limit_that_streams_gives_its_place_back_where_grace_is_served(
    forewarm: Forewarm, github: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.shares.BRIEFLY", 0.0)
    github.release(0, version(1))
    Reader(forewarm).result()
    page = reply(b"<html>", "429 Too Many Requests", Content_Type="text/html")
    for number in range(1, forewarm.settings.web_threads):
        purge(forewarm)
        github.release(number, page)
        assert Reader(forewarm).result().outcome is Outcome.GRACE
