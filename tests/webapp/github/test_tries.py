"""Tries: how often, how long between, and when no more. Time is a counter."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
import requests

from webapp.github.tries import Tries


class Clock:
    """Monotonic time that only sleeping and answering move."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def answering(
    *outcomes: int | Exception, clock: Clock, takes: float = 0.0
) -> Callable[..., requests.Response]:
    """Sends that end as listed, one after another."""
    left = list(outcomes)

    def once(_: float) -> requests.Response:
        clock.now += takes
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        response = requests.Response()
        response.status_code = outcome
        response.raw = io.BytesIO()
        return response

    return once


def send(clock: Clock, *outcomes: int | Exception, method: str = "GET", takes: float = 0.0) -> int:
    tries = Tries(clock, clock.sleep)
    return tries.send(
        method, answering(*outcomes, clock=clock, takes=takes), clock.now + 10
    ).status_code


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_is_tried_three_times(status: int) -> None:
    clock = Clock()
    assert send(clock, status, status, 200) == 200
    assert len(clock.slept) == 2


def test_the_third_failure_is_the_answer() -> None:
    clock = Clock()
    assert send(clock, 502, 503, 504) == 504


@pytest.mark.parametrize("status", [200, 301, 304, 401, 403, 404, 422, 429, 501])
def test_any_other_status_is_the_answer_at_once(status: int) -> None:
    clock = Clock()
    assert send(clock, status) == status
    assert clock.slept == []


def test_a_connection_error_is_tried_again() -> None:
    clock = Clock()
    assert send(clock, requests.ConnectionError(), 200) == 200


def test_the_last_connection_error_is_raised() -> None:
    clock = Clock()
    with pytest.raises(requests.ConnectionError):
        send(clock, *(requests.ConnectionError() for _ in range(3)))


@pytest.mark.parametrize("error", [requests.ReadTimeout(), requests.ConnectTimeout()])
def test_a_timeout_is_not_tried_again(error: Exception) -> None:
    clock = Clock()
    with pytest.raises(requests.Timeout):
        send(clock, error)
    assert clock.slept == []


def test_a_write_is_sent_once() -> None:
    clock = Clock()
    assert send(clock, 502, method="POST") == 502
    assert clock.slept == []


def test_the_waits_grow_exponentially_with_jitter() -> None:
    waits: list[list[float]] = []
    for _ in range(200):
        clock = Clock()
        send(clock, 502, 502, 200)
        waits.append(clock.slept)
    first, second = zip(*waits, strict=True)
    assert 0.2 <= min(first) <= max(first) <= 0.3
    assert 0.4 <= min(second) <= max(second) <= 0.5
    assert len(set(first)) > 150


def test_no_try_begins_after_the_deadline() -> None:
    clock = Clock()
    assert send(clock, 502, 502, 200, takes=9.9) == 502
    assert clock.slept == []
