"""The reader's own talk with Redis: answers, refusals, silence, pieces, a line cut off."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import pytest
import redis

from webapp.cache.reader import CHUNK, Reader

TIMEOUT = 0.2


class Line:
    """What a reader needs of a connection of redis-py: one end of a pair of sockets."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end

    def connect(self) -> None:
        """It is."""

    def _get_socket(self) -> socket.socket:
        return self._end

    def disconnect(self) -> None:
        self._end.close()


@contextmanager
def reader_of(answer: Callable[[socket.socket], None]) -> Iterator[Reader]:
    """A reader whose other side says that once it is asked."""
    with ExitStack() as stack:
        mine, theirs = (stack.enter_context(each) for each in socket.socketpair())

        def serve() -> None:
            theirs.recv(CHUNK)
            answer(theirs)

        server = threading.Thread(target=serve)
        server.start()
        yield Reader(Line(mine), TIMEOUT)
        server.join()


def says(*parts: bytes) -> Callable[[socket.socket], None]:
    def answer(line: socket.socket) -> None:
        for part in parts:
            line.sendall(part)

    return answer


@contextmanager
def reader_at(url: str) -> Iterator[Reader]:
    pool = redis.ConnectionPool.from_url(url)
    reader = Reader(pool.connection_class(**pool.connection_kwargs), TIMEOUT)
    yield reader
    reader.close()


@pytest.mark.parametrize("size", [0, 10, CHUNK - 1, 3 * CHUNK])
def test_values_come_back_whole_and_in_order_and_what_is_not_there_is_none(
    redis_url: str, size: int
) -> None:
    with redis.Redis.from_url(redis_url) as client, reader_at(redis_url) as reader:
        client.mset({"one": b"x" * size, "zwölf": b"\r\n$-1\r\n"})
        for _ in range(3):
            found = reader.read_many(["one", "none", "zwölf"])
            assert found == [b"x" * size, None, b"\r\n$-1\r\n"]


@pytest.mark.parametrize(
    "parts", [(b"-LOADING Redis is loading\r\n",), (b"+OK\r\n",), (b"*1\r\n$1\r\na\r\n",)]
)
def test_anything_but_an_answer_to_the_question_is_none(parts: Sequence[bytes]) -> None:
    with reader_of(says(*parts)) as reader:
        assert reader.read_many(["one", "two"]) is None


@pytest.mark.parametrize("parts", [(), (b"*2\r\n$1\r\na",)])
def test_silence_is_a_timeout(parts: Sequence[bytes]) -> None:
    with reader_of(says(*parts)) as reader, pytest.raises(redis.exceptions.TimeoutError):
        reader.read_many(["one", "two"])


@pytest.mark.parametrize("last", [b"", b"*2\r\n$1\r\na", b"no RESP at all\r\n"])
def test_a_line_cut_off_or_garbled_is_a_connection_error(last: bytes) -> None:
    def answer(line: socket.socket) -> None:
        line.sendall(last)
        line.shutdown(socket.SHUT_RDWR)

    with reader_of(answer) as reader, pytest.raises(redis.exceptions.ConnectionError):
        reader.read_many(["one", "two"])
