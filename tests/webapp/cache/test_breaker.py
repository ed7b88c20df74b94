"""The memory of a Redis that can't be used. Probes wait for the test, not for the clock."""

from __future__ import annotations

import queue
import threading

import pytest
import redis

from webapp.cache.breaker import Breaker

WAIT = 5.0  # seconds
LOST = redis.exceptions.ConnectionError("lost")


class Probe:
    """Each begins when it is asked for, and ends as the test says."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self._ends: queue.Queue[Exception | None] = queue.Queue()

    def __call__(self) -> None:
        self.begun.release()
        if error := self._ends.get(timeout=WAIT):
            raise error

    def end(self, error: Exception | None = None) -> None:
        self._ends.put(error)

    def begins(self) -> bool:
        return self.begun.acquire(timeout=WAIT)


@pytest.fixture
def probe() -> Probe:
    return Probe()


def until_closed(breaker: Breaker) -> bool:
    for _ in range(500):
        if not breaker.refused():
            return True
        threading.Event().wait(0.01)
    return False


def test_a_probe_that_gets_through_closes_it(probe: Probe) -> None:
    breaker = Breaker(probe, every=0.01)
    breaker.trip(LOST)
    assert breaker.refused()
    assert probe.begins()
    probe.end(LOST)
    assert probe.begins()
    assert breaker.refused()
    probe.end()
    assert until_closed(breaker)


def test_what_fails_while_a_probe_is_under_way_needs_another(probe: Probe) -> None:
    breaker = Breaker(probe, every=0.01)
    breaker.trip(LOST)
    assert probe.begins()
    breaker.trip(LOST)  # a purge was noted after the probe had looked for such
    probe.end()
    assert probe.begins()
    assert breaker.refused()
    probe.end()
    assert until_closed(breaker)


def test_once_ended_nobody_probes(probe: Probe) -> None:
    others = set(threading.enumerate())
    breaker = Breaker(probe, every=WAIT)
    breaker.trip(LOST)
    assert probe.begins()
    probing = set(threading.enumerate()) - others
    breaker.end()
    probe.end(LOST)
    for thread in probing:
        thread.join(WAIT / 2)
    assert [thread for thread in probing if thread.is_alive()] == []
