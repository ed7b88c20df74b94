"""Redis goes away and comes back; no minute is spent twice, no pause forgotten."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from script.embedded import Valkey
from tests.webapp.github.budgets import CREDENTIAL, Caller, told
from webapp.cache.connection import Connection
from webapp.errors import OutOfBudget
from webapp.github.budget import Budget, Lane, Slot
from webapp.secret import Secret

DEADLINE = 5.0  # seconds


@pytest.fixture
def connection(valkey: Valkey, redis_url: str) -> Iterator[Connection]:
    connection = Connection(Secret(redis_url), size=4)
    yield connection
    valkey.resume()
    valkey.start()
    deadline = time.monotonic() + DEADLINE
    while connection.breaker.open and time.monotonic() < deadline:  # its probe uses it still
        time.sleep(0.02)
    connection.close()


@pytest.fixture
def caller(connection: Connection) -> Caller:
    return Caller(connection, None)


@pytest.fixture
def other(connection: Connection) -> Caller:
    """Another process, but for its interpreter: it shares nothing but Redis."""
    return Caller(connection, None)


def until_shared(caller: Caller, credential: str = CREDENTIAL) -> Slot:
    """Enter until it is Redis that lets in."""
    deadline = time.monotonic() + DEADLINE
    while (slot := caller.enter(credential=credential, points=0, weight=0)).local:
        caller.leave(slot, points=0)
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return slot


def outage(valkey: Valkey, caller: Caller) -> None:
    valkey.kill()
    slot = caller.enter(credential="another")
    assert slot.local


def test_without_redis_calls_go_on_by_a_ledger_of_our_own(valkey: Valkey, caller: Caller) -> None:
    caller.call()
    outage(valkey, caller)
    began = time.perf_counter()
    for _ in range(50):
        caller.call(points=0)

    assert time.perf_counter() - began < 0.5


def test_redis_is_used_again_when_it_is_back(valkey: Valkey, caller: Caller) -> None:
    outage(valkey, caller)
    valkey.start()

    assert not until_shared(caller).local


@pytest.mark.parametrize(("lane", "most"), [(Lane.INTERACTIVE, 112), (Lane.WARMING, 84)])
def test_without_redis_a_process_takes_its_share(
    valkey: Valkey, connection: Connection, lane: Lane, most: int
) -> None:
    caller = Caller(connection, None)
    caller.budget = Budget(connection)
    outage(valkey, caller)

    assert caller.calls_until_refused(lane)[0] == most


def test_without_redis_the_share_is_of_what_was_left(
    valkey: Valkey, connection: Connection, other: Caller
) -> None:
    caller = Caller(connection, None)
    caller.budget = Budget(connection)
    assert other.calls_until_refused(Lane.INTERACTIVE, 500)[0] == 500
    caller.call()
    outage(valkey, caller)

    number, refused = caller.calls_until_refused(Lane.INTERACTIVE)

    assert number == (900 - 501) // 8
    assert refused
    assert refused.reason == "minute"


def test_the_hour_known_before_holds_without_redis(valkey: Valkey, caller: Caller) -> None:
    caller.call(told(3, int(time.time()) + 1000))
    outage(valkey, caller)
    for _ in range(3):
        caller.call()

    with pytest.raises(OutOfBudget, match="hour"):
        caller.enter()


def test_the_hour_is_learnt_without_redis_and_after(valkey: Valkey, caller: Caller) -> None:
    reset = int(time.time()) + 1000
    caller.call(told(100, reset))
    outage(valkey, caller)
    caller.call(told(60, reset))
    assert caller.remaining() == 60
    valkey.start()
    caller.leave(until_shared(caller), told(50, reset), points=0)

    assert caller.remaining() == 50


def test_a_pause_known_before_holds_without_redis(
    valkey: Valkey, caller: Caller, other: Caller
) -> None:
    caller.call()
    other.budget.refused(CREDENTIAL, {"Retry-After": "30"})
    assert caller.refusal()
    outage(valkey, caller)

    with pytest.raises(OutOfBudget, match="paused"):
        caller.enter()


@pytest.mark.parametrize("forgets", [False, True])
def test_a_pause_begun_without_redis_is_everybodys_after(
    valkey: Valkey, caller: Caller, other: Caller, forgets: bool
) -> None:
    caller.call()
    (valkey.kill if forgets else valkey.pause)()
    caller.call(credential="another")
    caller.budget.refused(CREDENTIAL, {"Retry-After": "30"})
    (valkey.start if forgets else valkey.resume)()
    until_shared(caller, "another")
    assert caller.refusal()

    refused = other.refusal()

    assert refused
    assert refused.reason == "paused"


def test_points_spent_without_redis_count_after(valkey: Valkey, caller: Caller) -> None:
    outage(valkey, caller)
    for _ in range(100):
        caller.call(points=0)
    valkey.start()
    until_shared(caller)

    assert caller.calls_until_refused(Lane.INTERACTIVE)[0] == 800


def test_points_spent_without_redis_are_carried_once(valkey: Valkey, caller: Caller) -> None:
    caller.call(points=0)
    outage(valkey, caller)
    for _ in range(100):
        caller.call(points=0)
    valkey.start()
    until_shared(caller)
    threads = [
        threading.Thread(target=lambda: caller.leave(until_shared(caller), points=0))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert caller.calls_until_refused(Lane.INTERACTIVE)[0] >= 900 - 101 - 32


def test_a_redis_that_forgot_is_told_what_the_minute_holds(
    connection: Connection, caller: Caller, other: Caller
) -> None:
    for one in (caller, other):
        assert one.calls_until_refused(Lane.INTERACTIVE, 300)[0] == 300
    connection.flushdb()
    caller.call(points=0)
    other.call(points=0)

    assert caller.calls_until_refused(Lane.INTERACTIVE)[0] == 298


def test_a_redis_that_forgot_is_told_of_a_pause(
    connection: Connection, caller: Caller, other: Caller
) -> None:
    caller.call()
    caller.budget.refused(CREDENTIAL, {"Retry-After": "30"})
    connection.flushdb()
    assert caller.refusal()

    assert other.refusal()


def test_a_slot_entered_before_is_left_without_redis(valkey: Valkey, caller: Caller) -> None:
    reset = int(time.time()) + 1000
    slot = caller.enter()
    outage(valkey, caller)
    caller.leave(slot, told(40, reset))

    assert caller.remaining() == 40


def test_a_slot_entered_without_redis_is_left_when_it_is_back(
    valkey: Valkey, caller: Caller
) -> None:
    outage(valkey, caller)
    slot = caller.enter(weight=100)
    valkey.start()
    caller.leave(until_shared(caller), points=0)
    caller.leave(slot, points=0)

    assert caller.calls_until_refused(Lane.INTERACTIVE)[0] == 800


def test_everything_else_answers_without_redis(valkey: Valkey, caller: Caller) -> None:
    outage(valkey, caller)
    caller.budget.pause(CREDENTIAL, time.time() + 10)

    assert caller.budget.paused_until(CREDENTIAL) > time.time()
    assert caller.budget.forecast(CREDENTIAL, "core") is None
    assert caller.budget.choose([CREDENTIAL, "b"], "core", Lane.INTERACTIVE) == "b"


def test_slots_that_redis_evicted_leave_no_points_in_flight(
    connection: Connection, caller: Caller
) -> None:
    for _ in range(10):
        caller.enter()
    connection.delete(f"fw:b:{CREDENTIAL}:slots")
    caller.call(points=0)

    assert caller.remaining() == 5000
