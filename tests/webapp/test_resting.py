"""Threads rest while hits alone are served, and are back at once when something else wants one."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.serving import serve
from tests.standin.process import StandIn
from webapp.resting import AWAKE, LOOK_EVERY, SERVER, WINDOW, Last, Resting

THREADS = 6
GRANIAN = {"SERVER_SOFTWARE": SERVER}


class Clock:
    """Runs until it is stopped: no window ends then, so nobody begins to rest."""

    def __init__(self) -> None:
        self.stopped = 0.0

    def __call__(self) -> float:
        return self.stopped or time.perf_counter()


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, f"no {what}"
        time.sleep(0.002)


@contextmanager
def serving(
    resting: Resting,
    environ: dict[str, str],
    threads: int = THREADS,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[None]:
    """So many threads that serve hits, as granian's do, until the end."""
    ended = threading.Event()

    def serve_hits() -> None:
        while not ended.wait(0.001):
            if resting.served(clock(), environ):
                Last([b""], resting)  # sent, and dropped

    started = [threading.Thread(target=serve_hits) for _ in range(threads)]
    for each in started:
        each.start()
    yield
    ended.set()
    for each in started:
        each.join(10)
    assert not any(each.is_alive() for each in started)


def test_while_hits_alone_are_served_all_but_a_few_threads_rest() -> None:
    resting = Resting()
    with serving(resting, GRANIAN):
        wait_for(lambda: resting.resting == THREADS - AWAKE, "rest")
        time.sleep(2 * LOOK_EVERY)  # beyond a look
        assert resting.resting == THREADS - AWAKE


def test_as_few_threads_as_stay_awake_never_rest() -> None:
    resting = Resting()
    with serving(resting, GRANIAN, threads=AWAKE):
        time.sleep(3 * WINDOW)
        assert resting.resting == 0


def test_who_goes_to_do_something_slower_wakes_another_first() -> None:
    clock = Clock()
    resting = Resting(clock)
    with serving(resting, GRANIAN, clock=clock):
        wait_for(lambda: resting.resting == THREADS - AWAKE, "rest")
        clock.stopped = time.perf_counter()
        resting.wanted()
        resting.wanted()
        assert resting.resting == THREADS - AWAKE - 2
        clock.stopped = 0.0


def test_slower_work_now_and_then_doesnt_keep_the_others_from_resting() -> None:
    resting, ended = Resting(), threading.Event()

    def now_and_then() -> None:
        while not ended.wait(WINDOW / 4):
            resting.wanted()

    slower = threading.Thread(target=now_and_then)
    with serving(resting, GRANIAN, threads=20):
        slower.start()
        wait_for(lambda: resting.resting >= 10, "rest of most")
        ended.set()
        slower.join()


def test_when_no_hits_are_served_any_more_nobody_rests() -> None:
    resting = Resting()
    with serving(resting, GRANIAN):
        wait_for(lambda: resting.resting == THREADS - AWAKE, "rest")
    assert resting.resting == 0


def test_whoever_is_wanted_for_nothing_leaves_no_debt() -> None:
    """Wanted while nobody rests: the next rest is a whole one."""
    resting = Resting()
    for _ in range(100):
        resting.wanted()
    with serving(resting, GRANIAN):
        wait_for(lambda: resting.resting == THREADS - AWAKE, "rest")


def test_threads_of_other_servers_never_rest() -> None:
    resting = Resting()
    with serving(resting, {"SERVER_SOFTWARE": "gunicorn/27.0.1"}):
        time.sleep(3 * WINDOW)
        assert resting.resting == 0


@pytest.mark.alone
def test_behind_a_storm_of_hits_slow_misses_and_hits_find_a_thread_each(
    environ: dict[str, str], github: StandIn, tmp_path: Path
) -> None:
    """As many slow misses as may wait, at once, out of the storm; hits go on beside them."""
    settings = {**environ, "ANONYMOUS_SCOPE": "service", "HIT_SAMPLE": "0"}
    slow, ended, hits = 1.0, threading.Event(), [0]
    with serve(settings, tmp_path / "server.log") as server:
        hit = f"{server.api}/repos/pallets/flask"
        requests.get(hit, timeout=10).raise_for_status()
        where = urlsplit(hit)

        def storm() -> None:
            with closing(http.client.HTTPConnection(where.netloc, timeout=10)) as line:
                while not ended.is_set():
                    line.request("GET", where.path)
                    answer = line.getresponse()
                    answer.read()
                    assert answer.headers["X-Cache"] == "HIT"
                    hits[0] += 1

        def miss(number: int) -> None:
            answer = requests.get(f"{server.api}/repos/pallets/flask/issues/{number}", timeout=10)
            took.append(answer.elapsed.total_seconds())

        storms = [threading.Thread(target=storm) for _ in range(24)]
        for each in storms:
            each.start()
        time.sleep(4 * WINDOW)
        github.latency(slow * 1000)
        took: list[float] = []
        misses = [threading.Thread(target=miss, args=(number,)) for number in range(8)]
        for each in misses:
            each.start()
        time.sleep(slow / 2)
        before = hits[0]
        wait_for(lambda: hits[0] > before + 100, "hits beside the misses")
        for each in misses:
            each.join(10)
        ended.set()
        for each in storms:
            each.join(10)
    assert len(took) == 8
    assert max(took) < 2 * slow
