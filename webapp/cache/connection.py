"""The connection to Redis: it fails fast, fails once, and comes back by itself.

A request never waits for Redis longer than TIMEOUT, and only those in flight when it fails wait at
all: the first failure opens the breaker, every later command is refused at once, and a probe off
the request's path closes it again. What goes wrong is StoreUnavailable, over a named list; any
other error of redis-py is a bug of ours and is seen as one.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from queue import Empty
from typing import Any

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


class Breaker:
    """Remembers that the other side is down, until `probe` gets through in a thread of its own."""

    def __init__(self, probe: Callable[[], object], every: float = PROBE_EVERY) -> None:
        """`probe` raises one of UNREACHABLE while the other side is down."""
        self.open = False
        self._probe = probe
        self._every = every
        self._lock = threading.Lock()
        self._pid = 0

    def trip(self, error: Exception) -> None:
        """Open, and start one probe; what is open stays as it is."""
        with self._lock:
            if self.open and self._pid == os.getpid():
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
            except UNREACHABLE:
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


class Connection(redis.Redis):
    """redis-py's client behind the breaker; raises StoreUnavailable."""

    def __init__(self, url: Secret, *, size: int) -> None:
        """`size` is the most connections this process opens (REDIS_POOL)."""
        limits: dict[str, Any] = {
            "socket_timeout": TIMEOUT,
            "socket_connect_timeout": TIMEOUT,
            "retry": Retry(NoBackoff(), 0),
            "socket_keepalive": True,
        }
        pool = _Pool.from_url(url.reveal(), max_connections=size, timeout=POOL_WAIT, **limits)
        super().__init__(connection_pool=pool)
        probing = redis.Redis.from_url(url.reveal(), max_connections=1, **limits)
        self.breaker = Breaker(probing.ping)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if self.breaker.refused():
            raise StoreUnavailable("Redis is unavailable")
        try:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except UNREACHABLE as error:
            self.breaker.trip(error)
            raise StoreUnavailable("Redis is unavailable") from error
        except REFUSES_WRITES as error:
            raise StoreUnavailable(f"Redis refuses: {type(error).__name__}") from error
