"""The connection to Redis: it fails fast, fails once, and comes back by itself, caught up.

A request never waits for Redis longer than TIMEOUT, and only those in flight when it fails wait at
all: the first failure opens the breaker, every later command is refused at once, and a probe off
the request's path closes it again. What goes wrong is StoreUnavailable, over a named list; any
other error of redis-py is a bug of ours and is seen as one.

No command is sent before `catch_up` has run for this Redis: every new connection compares the
server's run id, and another one (a restart, a failover) may have forgotten purges.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn, cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from webapp.cache.breaker import Breaker, takes_nothing
from webapp.cache.reader import Reader
from webapp.errors import StoreUnavailable
from webapp.secret import Secret

TIMEOUT = 0.25  # seconds, for connecting and for an answer; redis-py's own would be minutes
POOL_WAIT = 1.0  # seconds for a free connection: busy is no outage, and GitHub is farther
POOL_LOOK = 0.05  # seconds between looks whether it is an outage

CatchUp = Callable[[redis.Redis, str], None]
"""Given a plain client and the server's run id: replay what it may have missed. Raises a
RedisError where that can't be done now."""


class _Unknown(redis.exceptions.ConnectionError):
    """The server at the other end is not the one that was caught up."""


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
            connection_pool=redis.ConnectionPool.from_url(
                url.reveal(),
                max_connections=size - size // 2,
                redis_connect_func=self._connected,
                **_limits(TIMEOUT),
            )
        )
        self.breaker = Breaker(self._establish)
        self.catch_up: CatchUp = lambda _client, _run_id: None
        self._plain = plain_connection(url)
        self._known = ""
        # A part of them reads for the hit path, the others do everything.
        self._readers_most = size // 2
        self._places_most = size - self._readers_most
        self.start_afresh()
        _connections.add(self)

    def start_afresh(self) -> None:
        """Without connections and locks, as in a new process."""
        self._establishing = threading.Lock()
        self._places = threading.Semaphore(self._places_most)
        self._readers: deque[Reader] = deque()
        self._readers_left = self._readers_most
        self._readers_lock = threading.Lock()

    def execute_command(self, *args: Any, **options: Any) -> Any:
        self._take_place()
        try:
            if not self._known:
                self._establish_once()
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except redis.exceptions.RedisError as error:
            self._raise_judged(error)
        finally:
            self._places.release()

    def _raise_judged(self, error: redis.exceptions.RedisError) -> NoReturn:
        if isinstance(error, redis.exceptions.OutOfMemoryError):
            raise StoreUnavailable("Redis is full") from error
        if not takes_nothing(error):
            raise error
        self.distrust(error)
        raise StoreUnavailable("Redis is unavailable") from error

    def distrust(self, error: Exception) -> None:
        """Serve nothing from it until it is caught up anew."""
        self.breaker.trip(error)

    def _take_place(self) -> None:
        # Whoever waits here for those who find it down isn't to find that out once more.
        deadline = time.monotonic() + POOL_WAIT
        self._check()
        while not self._places.acquire(timeout=POOL_LOOK):
            self._check()
            if time.monotonic() > deadline:
                raise StoreUnavailable("every connection to Redis is in use")
        if self.breaker.refused():
            self._places.release()
            self._check()

    def _check(self) -> None:
        if self.breaker.refused():
            raise StoreUnavailable("Redis is unavailable")

    def read_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """MGET as the hit path needs it: straight to a connection kept for reading.

        redis-py's own way is taken when no reader is free, and when one turns out to be closed or
        is answered anything else: it knows what each error of Redis means.
        """
        reader = self._reader() if self._known and not self.breaker.refused() else None
        if reader is not None:
            try:
                found = reader.read_many(keys)
            except redis.exceptions.ConnectionError:
                found = None
            except redis.exceptions.RedisError as error:
                self._drop_readers(reader)
                self._raise_judged(error)
            if found is not None:
                self._readers.append(reader)
                return found
            self._drop_readers(reader)
        return cast("list[bytes | None]", self.mget(keys))

    def _reader(self) -> Reader | None:
        try:
            reader = self._readers.pop()
        except IndexError:
            with self._readers_lock:
                if not self._readers_left:
                    return None
                self._readers_left -= 1
        else:
            if reader.server == self._known:
                return reader
            # It was in use while another server was caught up, and leads to the one before.
            reader.close()
        pool = self.connection_pool
        line = pool.connection_class(**pool.connection_kwargs)
        return Reader(line, TIMEOUT, server=self._known)

    def _drop_readers(self, *failed: Reader) -> None:
        """What closed one has closed them all."""
        dropped = list(failed)
        while self._readers:
            with suppress(IndexError):
                dropped.append(self._readers.pop())
        for reader in dropped:
            reader.close()
        with self._readers_lock:
            self._readers_left += len(dropped)

    def __repr__(self) -> str:
        # redis-py's own shows the pool, its settings, and so this again.
        return "<Connection to Redis>"

    def close(self) -> None:
        """Close every connection, and look for a lost Redis no longer."""
        self.breaker.end()
        super().close()
        self.connection_pool.disconnect()
        self._plain.close()
        self._drop_readers()

    def _establish_once(self) -> None:
        """At the start: one thread does it, or finds that it can't be done, for all."""
        with self._establishing:
            self._check()
            if self._known:
                return
            try:
                self._catch_up()
            except redis.exceptions.RedisError as error:
                full = isinstance(error, redis.exceptions.OutOfMemoryError)
                if not full and not takes_nothing(error):
                    raise
                self.distrust(error)
                raise StoreUnavailable("Redis is unavailable") from error

    def _establish(self) -> None:
        with self._establishing:
            self._catch_up()

    def _catch_up(self) -> None:
        """Catch the server up, then trust it."""
        try:
            run_id = str(self._plain.info("server")["run_id"])
            self.catch_up(self._plain, run_id)
        finally:
            self._plain.connection_pool.disconnect()  # small plans count each that is kept open
        if run_id != self._known:
            # None may still lead to the server before, a demoted primary for example. Those in use
            # now are closed when they are given back, readers when they are taken again.
            self._drop_readers()
            self.connection_pool.update_active_connections_for_reconnect()
            self.connection_pool.disconnect(inuse_connections=False)
        self._known = run_id

    def _connected(self, connection: Any) -> None:
        # Each new connection of the pool: is the server still the one that was caught up?
        connection.on_connect()
        connection.send_command("INFO", "server")
        if f"run_id:{self._known}\r\n".encode() not in connection.read_response():
            raise _Unknown("another Redis server")


_connections: weakref.WeakSet[Connection] = weakref.WeakSet()


def _forget_in_child() -> None:
    """A parent's sockets are its own, and its locks may be held by threads that a fork leaves."""
    for connection in _connections:
        connection.start_afresh()


os.register_at_fork(after_in_child=_forget_in_child)
