"""The memory of an outage. Time is a counter."""

from __future__ import annotations

from webapp.github.outage import FAILURES, PAUSE, PAUSE_MAX, Outage


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def down(clock: Clock) -> Outage:
    outage = Outage(clock)
    for _ in range(FAILURES):
        assert not outage.refuses()
        outage.failed()
    return outage


def test_failures_in_a_row_open_it() -> None:
    outage = down(Clock())
    assert outage.refuses()
    assert outage.state == "down"


def test_an_answer_between_failures_keeps_it_closed() -> None:
    outage = Outage(Clock())
    for _ in range(10):
        outage.failed()
        outage.answered()
    assert not outage.refuses()
    assert outage.state == "up"


def test_one_caller_a_pause_finds_out() -> None:
    clock = Clock()
    outage = down(clock)
    clock.now += PAUSE
    assert [outage.refuses() for _ in range(3)] == [False, True, True]


def test_an_answer_closes_it() -> None:
    clock = Clock()
    outage = down(clock)
    clock.now += PAUSE
    assert not outage.refuses()
    outage.answered()
    assert not outage.refuses()


def test_the_pause_doubles_up_to_its_limit() -> None:
    clock = Clock()
    outage = down(clock)
    pauses = []
    for _ in range(8):
        began = clock.now
        while outage.refuses():
            clock.now += 0.5
        pauses.append(clock.now - began)
        outage.failed()
    assert PAUSE_MAX < 10  # seconds in which all recovers from any outage
    assert pauses == [1, 2, 4, PAUSE_MAX, PAUSE_MAX, PAUSE_MAX, PAUSE_MAX, PAUSE_MAX]
