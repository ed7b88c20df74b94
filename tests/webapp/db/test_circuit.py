"""The moment for which a failure is remembered."""

from __future__ import annotations

import pytest

from webapp.db.circuit import Circuit


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuit(clock: Clock) -> Circuit:
    return Circuit(1.0, clock)


def test_it_admits_everyone_at_first(circuit: Circuit) -> None:
    assert [circuit.admits() for _ in range(3)] == [True] * 3


def test_after_a_failure_it_refuses(circuit: Circuit) -> None:
    circuit.failed()
    assert not circuit.admits()


def test_after_the_moment_it_admits_one(circuit: Circuit, clock: Clock) -> None:
    circuit.failed()
    clock.now += 1.0
    assert [circuit.admits() for _ in range(3)] == [True, False, False]


def test_a_trial_that_never_reports_back_does_not_close_it_for_ever(
    circuit: Circuit, clock: Clock
) -> None:
    circuit.failed()
    clock.now += 1.0
    circuit.admits()
    clock.now += 1.0
    assert circuit.admits()


def test_a_success_opens_it_to_everyone(circuit: Circuit) -> None:
    circuit.failed()
    circuit.succeeded()
    assert [circuit.admits() for _ in range(3)] == [True] * 3


def test_only_the_first_failure_of_a_row_is_news(circuit: Circuit) -> None:
    assert [circuit.failed() for _ in range(3)] == [True, False, False]


def test_only_the_success_that_ends_a_row_is_news(circuit: Circuit) -> None:
    circuit.failed()
    assert [circuit.succeeded() for _ in range(2)] == [True, False]
