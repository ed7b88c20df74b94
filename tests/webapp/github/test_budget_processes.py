"""Many processes on one ledger, by Redis's own clock: flat out, killed, paused."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from multiprocessing.queues import SimpleQueue

import pytest

from tests.webapp.github.budgets import CHILDREN, CREDENTIAL, Caller
from webapp.cache.connection import Connection
from webapp.errors import OutOfBudget
from webapp.github.budget import Lane, Rules
from webapp.secret import Secret

PROCESSES = 8
MINUTE = Rules(minute=3.0)  # a minute of 3 s, in sixtieths as ever
Moments = list[float]


@pytest.fixture
def caller(redis_url: str) -> Iterator[Caller]:
    connection = Connection(Secret(redis_url), size=4)
    yield Caller(connection, None, MINUTE)
    connection.close()


@contextmanager
def processes(
    number: int, target: Callable[..., None], *args: object
) -> Iterator[list[BaseProcess]]:
    """Children that end with the block."""
    started: list[BaseProcess] = [CHILDREN.Process(target=target, args=args) for _ in range(number)]
    for process in started:
        process.start()
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.join()


def _flat_out(
    url: str, lane: Lane, begin: float, seconds: float, out: SimpleQueue[Moments]
) -> None:
    """Calls that take no time, as many as are let in; when each was."""
    connection = Connection(Secret(url), size=1)
    caller = Caller(connection, None, MINUTE)
    granted: Moments = []
    time.sleep(max(0.0, begin - time.time()))  # together, not in the order of starting
    while (now := time.time()) < begin + seconds:
        try:
            caller.call(None, lane, points=0)
        except OutOfBudget as refused:
            time.sleep(min(0.01, max(0.0, refused.retry_at - now)))
        else:
            granted.append(time.time())
    connection.close()
    out.put(granted)


def _hold_all(url: str, out: SimpleQueue[int]) -> None:
    """Enter until refused, and never leave."""
    caller = Caller(Connection(Secret(url), size=1), None, Rules(lease=2.0))
    held = 0
    try:
        while True:
            caller.enter()
            held += 1
    except OutOfBudget:
        out.put(held)
    signal.pause()


def _pause(url: str) -> None:
    caller = Caller(Connection(Secret(url), size=1), None)
    caller.budget.refused(CREDENTIAL, {"Retry-After": "30"})


def most_in(moments: Moments, seconds: float) -> int:
    """In any span of so many seconds."""
    moments, most, first = sorted(moments), 0, 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def test_eight_processes_flat_out_keep_to_their_lanes_share(redis_url: str) -> None:
    out: SimpleQueue[Moments] = CHILDREN.SimpleQueue()
    begin, seconds = time.time() + 1.5, 6.0
    with processes(PROCESSES, _flat_out, redis_url, Lane.WARMING, begin, seconds, out):
        moments = [moment for _ in range(PROCESSES) for moment in out.get()]
    # A call is written down a little after it was let in, so a span is measured a little short.
    fullest = most_in(moments, MINUTE.minute - 0.02)
    print(f"{len(moments)} calls in {seconds} s, at most {fullest} a minute of 675 allowed")

    assert fullest <= 675
    assert len(moments) >= 0.85 * 675 * seconds / MINUTE.minute


def test_interactive_calls_are_let_in_while_warming_is_flat_out(
    redis_url: str, caller: Caller
) -> None:
    out: SimpleQueue[Moments] = CHILDREN.SimpleQueue()
    begin, seconds = time.time() + 1.5, 3.0
    took: list[float] = []
    with processes(4, _flat_out, redis_url, Lane.WARMING, begin, seconds, out):
        time.sleep(max(0.0, begin - time.time()))
        while time.time() < begin + seconds:
            started = time.perf_counter()
            caller.call(points=0)
            took.append(time.perf_counter() - started)
            time.sleep(0.02)
        for _ in range(4):
            out.get()
    took.sort()
    print(
        f"enter and leave: median {took[len(took) // 2] * 1e3:.2f} ms, worst {took[-1] * 1e3:.2f}"
    )

    assert len(took) > 50


def test_what_a_killed_process_held_comes_back(redis_url: str, caller: Caller) -> None:
    out: SimpleQueue[int] = CHILDREN.SimpleQueue()
    with processes(1, _hold_all, redis_url, out) as [process]:
        assert out.get() == 100
        assert process.pid
        os.kill(process.pid, signal.SIGKILL)
    refused = caller.refusal()
    assert refused
    assert refused.reason == "slots"
    entered, deadline = 0, time.monotonic() + 8
    while entered < 100 and time.monotonic() < deadline:
        try:
            caller.enter()
            entered += 1
        except OutOfBudget:
            time.sleep(0.02)

    assert entered == 100


def test_another_process_sees_a_pause_at_once(redis_url: str, caller: Caller) -> None:
    caller.call()
    with processes(1, _pause, redis_url) as [process]:
        process.join(10)
        refused = caller.refusal()

    assert refused
    assert refused.reason == "paused"
    assert time.time() + 25 < refused.retry_at < time.time() + 31


def test_every_key_expires(redis_url: str, caller: Caller) -> None:
    caller.call()
    caller.enter()
    caller.budget.refused(CREDENTIAL, {})
    caller.budget.pause("another", time.time() + 10)
    connection = Connection(Secret(redis_url), size=1)
    keys: list[bytes] = list(connection.scan_iter("*"))
    expiries = [connection.ttl(key) for key in keys]
    connection.close()

    assert all(key.startswith(b"fw:b:") for key in keys)
    assert len(keys) == 3
    assert all(0 < seconds <= 7200 for seconds in expiries)
