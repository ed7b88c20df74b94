"""The connection to Redis: it fails fast, fails once, and comes back by itself, caught up.

A request never waits for Redis longer than TIMEOUT, and only those in flight when it fails wait at
all: the first failure opens the breaker, every later command is refused at once, and a probe off
the request's path closes it again. What goes wrong is StoreUnavailable, over a named list; any
other error of redis-py is a bug of ours and is seen as one.

No command is sent before `catch_up` has run for this Redis: every new connection compares the
server's run id, and another one (a restart, a failover) may have forgotten purges.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty
from typing import Any, cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from webapp.errors import StoreUnavailable
from webapp.secret import Secret

log = logging.getLogger(__name__)

TIMEOUT = 0.25  # seconds, for connecting and for an answer; redis-py's own would be minutes
POOL_WAIT = 0.05  # seconds for a free connection
PROBE_EVERY = 0.25  # seconds

UNREACHABLE = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError)
"""Nothing gets through: the breaker opens."""
REFUSES_WRITES = (
    redis.exceptions.OutOfMemoryError,
    redis.exceptions.ReadOnlyError,
    redis.exceptions.ClusterDownError,
    redis.exceptions.NoPermissionError,
)
"""This command was refused; others, reads above all, may still be served."""

CatchUp = Callable[[redis.Redis, str], None]
"""Given a plain client and the server's run id: replay what it may have missed. Raises one of
UNREACHABLE or REFUSES_WRITES where that can't be done now."""


class _Unknown(redis.exceptions.ConnectionError):
    """The server at the other end is not the one that was caught up."""


class Breaker:
    """Remembers that the other side is down, until `probe` gets through in a thread of its own."""

    def __init__(self, probe: Callable[[], object], every: float = PROBE_EVERY) -> None:
        """`probe` raises one of UNREACHABLE or REFUSES_WRITES while the other side is down."""
        self.open = False
        self._probe = probe
        self._every = every
        self._lock = threading.Lock()
        self._pid = 0

    def trip(self, error: Exception) -> None:
        """Open, and start one probe; what is open stays as it is."""
        with self._lock:
            if self.refused():
                return
            self.open, self._pid = True, os.getpid()
        log.warning("Redis is unavailable (%s); serving without it", type(error).__name__)
        threading.Thread(target=self._until_back, name="redis-probe", daemon=True).start()

    def refused(self) -> bool:
        """Whether to refuse at once. After a fork the parent's probe is gone: try anew."""
        return self.open and self._pid == os.getpid()

    def _until_back(self) -> None:
        while True:
            try:
                self._probe()
            except (*UNREACHABLE, *REFUSES_WRITES):
                time.sleep(self._every)
            else:
                break
        self.open = False
        log.warning("Redis is back")


class _Pool(redis.BlockingConnectionPool):
    """A pool that tells "all in use" from "can't be reached": the first is no outage."""

    def get_connection(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().get_connection(*args, **kwargs)  # type: ignore[no-untyped-call]
        except redis.exceptions.ConnectionError as error:
            if isinstance(error.__cause__ or error.__context__, Empty):
                raise StoreUnavailable("every connection to Redis is in use") from None
            raise


def _limits(timeout: float) -> dict[str, Any]:
    return {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": Retry(NoBackoff(), 0),
        "socket_keepalive": True,
    }


def plain_connection(url: Secret, timeout: float = TIMEOUT) -> redis.Redis:
    """A client of one connection without breaker or catching up, for probes and listeners."""
    return redis.Redis.from_url(url.reveal(), max_connections=1, **_limits(timeout))


class Connection(redis.Redis):
    """redis-py's client behind the breaker; raises StoreUnavailable."""

    def __init__(self, url: Secret, *, size: int) -> None:
        """`size` is the most connections this process opens (REDIS_POOL)."""
        super().__init__(
            connection_pool=_Pool.from_url(
                url.reveal(),
                max_connections=size,
                timeout=POOL_WAIT,
                redis_connect_func=self._connected,
                **_limits(TIMEOUT),
            )
        )
        self.breaker = Breaker(self._establish)
        self.catch_up: CatchUp = lambda _client, _run_id: None
        self._plain = plain_connection(url)
        self._known = ""
        self._establishing = threading.Lock()
        self._readers: deque[Any] = deque()
        self._readers_left = max(1, size // 2)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if self.breaker.refused():
            raise StoreUnavailable("Redis is unavailable")
        try:
            if not self._known:
                self._establish()
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except UNREACHABLE as error:
            self.breaker.trip(error)
            raise StoreUnavailable("Redis is unavailable") from error
        except REFUSES_WRITES as error:
            raise StoreUnavailable(f"Redis refuses: {type(error).__name__}") from error

    def read_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """MGET as the hit path needs it: straight to a connection kept for reading.

        redis-py's own way there costs more than Redis does; it is taken when no reader is free,
        and when one turns out to be closed.
        """
        if self._known and not self.breaker.open:
            reader = self._reader()
            if reader is not None:
                try:
                    reader.send_packed_command([_packed_mget(keys)], check_health=False)
                    found: list[bytes | None] = reader.read_response()
                except UNREACHABLE:
                    self._drop_readers(reader)
                else:
                    self._readers.append(reader)
                    return found
        return cast("list[bytes | None]", self.mget(keys))

    def _reader(self) -> Any:
        try:
            return self._readers.pop()
        except IndexError:
            pass
        with self._establishing:
            if not self._readers_left:
                return None
            self._readers_left -= 1
        pool = self.connection_pool
        return pool.connection_class(**pool.connection_kwargs)  # connects when first used

    def _drop_readers(self, failed: Any) -> None:
        """What closed one has closed them all."""
        dropped = [failed]
        while self._readers:
            with suppress(IndexError):
                dropped.append(self._readers.pop())
        for reader in dropped:
            reader.disconnect()
        with self._establishing:
            self._readers_left += len(dropped)

    def __repr__(self) -> str:
        # redis-py's own shows the pool, its settings, and so this again.
        return "<Connection to Redis>"

    def close(self) -> None:
        """Close every connection."""
        super().close()
        self.connection_pool.disconnect()
        self._plain.close()
        while self._readers:
            self._readers.pop().disconnect()

    def _establish(self) -> None:
        """Catch the server up, then trust it."""
        with self._establishing:
            run_id = str(self._plain.info("server")["run_id"])
            self.catch_up(self._plain, run_id)
            self._known = run_id

    def _connected(self, connection: Any) -> None:
        # Each new connection of the pool: is the server still the one that was caught up?
        connection.on_connect()
        connection.send_command("INFO", "server")
        if f"run_id:{self._known}\r\n".encode() not in connection.read_response():
            raise _Unknown("another Redis server")


def _packed_mget(keys: Sequence[str]) -> bytes:
    """RESP: an array of bulk strings."""
    parts = [b"*%d\r\n$4\r\nMGET\r\n" % (len(keys) + 1)]
    for key in keys:
        raw = key.encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)
