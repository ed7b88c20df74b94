"""One connection that reads entries, past redis-py's own way: two system calls a read.

redis-py opens it, with all it does for one (address, TLS, AUTH, SELECT, the run id); what is then
written and read here is MGET and its answer. redis-py's own way there costs more than Redis does:
it packs and looks for health, and a socket with a timeout is polled before each call, with the GIL
let go and taken again each time.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from typing import Any

import hiredis
import redis

CHUNK = 65_536  # bytes read at once


class Reader:
    """Not thread-safe: one thread at a time holds it."""

    def __init__(self, connection: Any, timeout: float, *, server: str = "") -> None:
        """`connection` is redis-py's, opened by the first read; `timeout` in seconds. `server` is
        the run id known when it was made: what it leads to is that one or a later one."""
        self.server = server
        self._connection = connection
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._replies = hiredis.Reader()

    def read_many(self, keys: Sequence[str]) -> list[bytes | None] | None:
        """MGET; None for anything but an answer to it. Raises redis-py's errors; after any, and
        after None, it is to be closed."""
        line = self._socket or self._open()
        try:
            line.sendall(_mget(keys))
            reply = self._reply(line)
        except (TimeoutError, BlockingIOError) as error:
            raise redis.exceptions.TimeoutError("no answer to a read in time") from error
        except (OSError, hiredis.ProtocolError) as error:
            raise redis.exceptions.ConnectionError("the line of a read is broken") from error
        if type(reply) is not list or len(reply) != len(keys):
            return None
        return reply

    def _open(self) -> socket.socket:
        self._connection.connect()
        line: socket.socket = self._connection._get_socket()  # none is public
        if type(line) is socket.socket:
            # The kernel keeps the time instead. Not under TLS: Python would ask on and on there.
            seconds, part = divmod(self._timeout, 1)
            limit = struct.pack("ll", int(seconds), int(part * 1e6))
            line.settimeout(None)
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        self._socket = line
        return line

    def _reply(self, line: socket.socket) -> Any:
        replies, receive = self._replies, line.recv
        while True:
            received = receive(CHUNK)
            if not received:
                raise ConnectionResetError("closed by Redis")
            replies.feed(received)
            reply = replies.gets()
            if reply is not False:
                return reply

    def close(self) -> None:
        """Give the line back."""
        self._connection.disconnect()


def _mget(keys: Sequence[str]) -> bytes:
    """RESP: an array of bulk strings."""
    parts = [b"*%d\r\n$4\r\nMGET\r\n" % (len(keys) + 1)]
    for key in keys:
        raw = key.encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)
