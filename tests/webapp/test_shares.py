"""Shares of threads: never more than theirs inside, and nobody waits where threads are scarce."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import TYPE_CHECKING, Any

import pytest

from webapp.errors import WaitedTooLong
from webapp.shares import Shares

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

BRIEFLY = 0.1  # seconds, for these tests
MARGIN = 0.3  # seconds
SIZES = (1, 2, 3, 4, 5, 8, 16, 17)


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webapp.shares.BRIEFLY", BRIEFLY)
    monkeypatch.setattr("webapp.shares.LOOK_EVERY", 0.01)


def half(threads: int) -> int:
    return max(1, threads // 2)


def quarter(threads: int) -> int:
    return max(1, threads // 4)


PLACES: dict[str, tuple[Callable[[Shares], AbstractContextManager[None]], Callable[[int], int]]] = {
    "fetching": (Shares.fetching, half),
    "reading a body": (Shares.reading_body, quarter),
}


class Busy:
    """Makes threads of a process look busy, by answers that aren't sent yet."""

    def __init__(self, shares: Shares) -> None:
        self._answer = shares.counting(lambda environ, start_response: [b""])
        self._open: list[Any] = []

    def more(self, number: int) -> None:
        for _ in range(number):
            self._open.append(self._answer({}, lambda *_: lambda _: None))

    def fewer(self, number: int) -> None:
        for _ in range(number):
            self._open.pop().close()


# Places


@pytest.mark.parametrize("threads", SIZES)
@pytest.mark.parametrize("place", PLACES)
def test_exactly_its_share_of_threads_has_a_place(place: str, threads: int) -> None:
    enter, share = PLACES[place]
    shares = Shares(threads)
    with ExitStack() as inside:
        for _ in range(share(threads)):
            inside.enter_context(enter(shares))
        with pytest.raises(WaitedTooLong), enter(shares):
            pass
    with enter(shares):
        pass


@pytest.mark.parametrize("threads", SIZES)
@pytest.mark.parametrize("place", PLACES)
def test_never_more_than_its_share_is_inside(place: str, threads: int) -> None:
    enter, share = PLACES[place]
    shares, start, lock = Shares(threads), threading.Barrier(2 * threads + 2), threading.Lock()
    inside, most, entered = 0, 0, 0

    def work() -> None:
        nonlocal inside, most, entered
        start.wait()
        for _ in range(40):
            with suppress(WaitedTooLong), enter(shares):
                with lock:
                    inside += 1
                    entered += 1
                    most = max(most, inside)
                with lock:
                    inside -= 1

    workers = [threading.Thread(target=work) for _ in range(2 * threads + 2)]
    for each in workers:
        each.start()
    for each in workers:
        each.join(20)
    assert 0 < most <= share(threads)
    assert entered > 0
    assert inside == 0


@pytest.mark.parametrize("place", PLACES)
def test_an_error_inside_gives_the_place_back(place: str) -> None:
    enter, share = PLACES[place]
    shares = Shares(4)
    for _ in range(share(4) + 1):
        with pytest.raises(KeyError), enter(shares):
            raise KeyError


# Waiting for a place


def test_who_waits_for_a_place_gets_the_first_that_is_free() -> None:
    shares = Shares(2)
    arrived, leave, got = threading.Event(), threading.Event(), threading.Event()

    def first() -> None:
        with shares.fetching():
            arrived.set()
            leave.wait(5)

    def second() -> None:
        leave.set()
        with shares.fetching():
            got.set()

    holder = threading.Thread(target=first)
    holder.start()
    assert arrived.wait(5)
    waiter = threading.Thread(target=second)
    waiter.start()
    assert got.wait(5)
    holder.join(5)
    waiter.join(5)


def test_a_wait_for_a_place_is_brief() -> None:
    shares = Shares(16)
    with ExitStack() as inside:
        for _ in range(8):
            inside.enter_context(shares.fetching())
        began = time.monotonic()
        with pytest.raises(WaitedTooLong), shares.fetching():
            pass
        assert BRIEFLY <= time.monotonic() - began < BRIEFLY + MARGIN


def test_nobody_waits_for_a_place_where_threads_are_scarce() -> None:
    shares = Shares(16)
    Busy(shares).more(13)
    with ExitStack() as inside:
        for _ in range(8):
            inside.enter_context(shares.fetching())
        began = time.monotonic()
        with pytest.raises(WaitedTooLong), shares.fetching():
            pass
        assert time.monotonic() - began < BRIEFLY


def test_nobody_waits_to_read_a_body() -> None:
    shares = Shares(4)
    with shares.reading_body():
        began = time.monotonic()
        with pytest.raises(WaitedTooLong), shares.reading_body():
            pass
        assert time.monotonic() - began < BRIEFLY


# Who is busy


@pytest.mark.parametrize("threads", SIZES)
def test_it_is_roomy_while_a_quarter_is_free(threads: int) -> None:
    shares = Shares(threads)
    busy = Busy(shares)
    for number in range(threads + 1):
        assert shares.roomy is (threads - number >= quarter(threads))
        busy.more(1)
    busy.fewer(threads + 1)
    assert shares.roomy


def test_a_thread_is_busy_until_its_answer_is_sent() -> None:
    shares = Shares(1)
    body = shares.counting(lambda environ, start_response: iter([b"a", b"b"]))({}, _started)
    assert [shares.roomy, b"".join(body), shares.roomy] == [False, b"ab", False]
    body.close()  # type: ignore[attr-defined]
    assert shares.roomy


def test_an_application_that_fails_leaves_no_thread_busy() -> None:
    def failing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        raise KeyError

    shares = Shares(1)
    for _ in range(3):
        with pytest.raises(KeyError):
            shares.counting(failing)({}, _started)
    assert shares.roomy


def _started(*_: Any) -> Callable[[bytes], object]:
    return lambda _: None


# Following another's fetch


def test_a_follower_goes_on_as_soon_as_it_landed() -> None:
    looks = iter([False, False, True])
    assert Shares(4).wait(lambda _: next(looks), 5.0)


def test_a_follower_that_came_late_finds_it_landed() -> None:
    assert Shares(4).wait(lambda _: True, 0.0)


def test_a_follower_waits_to_the_end_while_it_is_roomy() -> None:
    began = time.monotonic()
    assert not Shares(4).wait(threading.Event().wait, 3 * BRIEFLY)
    assert 3 * BRIEFLY <= time.monotonic() - began < 3 * BRIEFLY + MARGIN


def test_a_follower_gives_up_soon_where_threads_are_scarce() -> None:
    shares = Shares(4)
    Busy(shares).more(4)
    began = time.monotonic()
    assert not shares.wait(threading.Event().wait, 30.0)
    assert BRIEFLY <= time.monotonic() - began < BRIEFLY + MARGIN


def test_a_follower_gives_up_when_threads_become_scarce_while_it_waits() -> None:
    shares = Shares(4)
    busy, looks = Busy(shares), 0

    def landed(seconds: float) -> bool:
        nonlocal looks
        looks += 1
        if looks == 20:  # a moment after BRIEFLY
            busy.more(4)
        return threading.Event().wait(seconds)

    began = time.monotonic()
    assert not shares.wait(landed, 30.0)
    assert BRIEFLY < time.monotonic() - began < 20 * 0.01 + MARGIN


def test_what_lands_in_the_brief_wait_is_taken_however_scarce_threads_are() -> None:
    shares = Shares(4)
    Busy(shares).more(4)
    assert shares.wait(lambda _: True, 30.0)
