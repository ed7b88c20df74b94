"""Remembers that Redis can't be used, and finds out off the request's path when it can again.

What counts as that is a named list; any other error of redis-py is a bug of ours.

A probe that gets through closes it only if nothing failed meanwhile: a purge that was refused may
have been noted just after the probe had looked for such, and Redis would be trusted without it.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

import redis

from webapp.lasting import lasting

log = logging.getLogger(__name__)

PROBE_EVERY = 0.25  # seconds

UNREACHABLE = (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError)
"""Nothing gets through: the breaker opens."""
REFUSES_WRITES = (
    redis.exceptions.ReadOnlyError,
    redis.exceptions.ClusterDownError,
    redis.exceptions.NoPermissionError,
)
"""It takes no writes, so it takes no purges: not to be trusted with reads either."""
REFUSING = ("BUSY", "MISCONF", "NOREPLICAS")
"""The same, and a script that won't end, by the first word of a ResponseError."""


def takes_nothing(error: redis.exceptions.RedisError) -> bool:
    """Whether a server that says so can't be used at all for now."""
    if isinstance(error, (*UNREACHABLE, *REFUSES_WRITES)):
        return True
    return isinstance(error, redis.exceptions.ResponseError) and str(error).startswith(REFUSING)


class Breaker:
    """Remembers that the other side is down, until `probe` gets through in a thread of its own."""

    def __init__(self, probe: Callable[[], object], every: float = PROBE_EVERY) -> None:
        """`probe` raises a RedisError while the other side is down."""
        self.open = False
        self._trips = 0
        self._probe = probe
        self._every = every
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._pid = 0

    def end(self) -> None:
        """No more is probed."""
        self._ended.set()

    def trip(self, error: Exception) -> None:
        """Open, and start one probe; what is open stays so until another probe has got through."""
        with self._lock:
            self._trips += 1
            if self.refused():
                return
            self.open, self._pid = True, os.getpid()
        log.warning("Redis is unavailable (%s); serving without it", type(error).__name__)
        lasting(self._until_back, "redis-probe")

    def refused(self) -> bool:
        """Whether to refuse at once. After a fork the parent's probe is gone: try anew."""
        return self.open and self._pid == os.getpid()

    def _until_back(self) -> None:
        while True:
            trips = self._trips
            try:
                self._probe()
            except redis.exceptions.RedisError as error:
                if not takes_nothing(error):
                    # A bug, perhaps; but who stops probing serves without Redis for ever.
                    log.error("probing Redis: %s", error)  # noqa: TRY400 - one line a probe
                if self._ended.wait(self._every):
                    return
            else:
                if self._closed(trips):
                    break
        log.warning("Redis is back")

    def _closed(self, trips: int) -> bool:
        with self._lock:
            self.open = self._trips != trips
            return not self.open
