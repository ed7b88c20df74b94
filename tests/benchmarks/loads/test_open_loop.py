"""The generator of fixed rates counts what callers would have waited, and nothing that is wrong."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from benchmarks.loads.open_loop import Generator
from benchmarks.loads.wrk import LoadError

RATE, SECONDS, CONNECTIONS = 200.0, 1.0, 4
STALLS_AT, STALL = 40, 0.3
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@contextmanager
def server(answer: bytes, stalls_at: int = -1) -> Iterator[str]:
    """One thread that answers all connections in turn, and stalls once at a request; its URL."""
    listening = socket.create_server(("127.0.0.1", 0))
    ended, answered = threading.Event(), 0

    def run() -> None:
        nonlocal answered
        with selectors.DefaultSelector() as selector:
            selector.register(listening, selectors.EVENT_READ)
            while not ended.is_set():
                for key, _ in selector.select(0.05):
                    assert isinstance(key.fileobj, socket.socket)
                    if key.fileobj is listening:
                        selector.register(listening.accept()[0], selectors.EVENT_READ)
                    elif key.fileobj.recv(65_536):
                        answered += 1
                        if answered == stalls_at:
                            time.sleep(STALL)
                        key.fileobj.sendall(answer)
                    else:
                        selector.unregister(key.fileobj)
                        key.fileobj.close()
            for key in list(selector.get_map().values()):
                assert isinstance(key.fileobj, socket.socket)
                key.fileobj.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        ended.set()
        thread.join()


@pytest.fixture
def generators() -> Iterator[list[Generator]]:
    made: list[Generator] = []
    yield made
    for each in made:
        each.close()


def test_a_stall_is_felt_by_all_that_were_due_meanwhile(generators: list[Generator]) -> None:
    """A closed loop would have seen it on its four connections only."""
    with server(OK, stalls_at=STALLS_AT) as url:
        generators.append(Generator(url, CONNECTIONS, {}))
        generators[0].run(RATE, SECONDS)
    due_meanwhile = RATE * STALL
    late = [each for each in generators[0].took if each > STALL / 3]
    assert len(late) >= due_meanwhile / 2


def test_every_request_that_was_due_is_counted_once(generators: list[Generator]) -> None:
    with server(OK) as url:
        generators.append(Generator(url, CONNECTIONS, {}))
        generators[0].run(RATE, SECONDS / 4)
    assert len(generators[0].took) == RATE * SECONDS / 4


def test_an_error_is_no_answer(generators: list[Generator]) -> None:
    with server(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n") as url:
        generators.append(Generator(url, CONNECTIONS, {}))
        with pytest.raises(LoadError, match="503"):
            generators[0].run(RATE, SECONDS / 10)


def test_an_unchanged_answer_has_no_body_to_wait_for(generators: list[Generator]) -> None:
    with server(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 10000\r\n\r\n") as url:
        generators.append(Generator(url, CONNECTIONS, {}))
        generators[0].run(RATE, SECONDS / 10)
    assert max(generators[0].took) < SECONDS
