"""Credentials that GitHub answered 401: not asked with for a while, by any process.

Kept in one sorted set in Redis, by the time of the last refusal; a process that can't reach Redis
goes by what it met itself, and tells the others later.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from webapp.cache.connection import Connection
from webapp.errors import StoreUnavailable

KEY = "fw:aside"
PERIOD = 600.0  # seconds


@dataclass(frozen=True, slots=True)
class SetAside:
    """A credential's id, and when (Unix seconds) it was refused last and is tried again."""

    id: str
    refused_at: float
    until: float


class SetAsides:
    """Who is set aside. Thread-safe."""

    def __init__(self, redis: Connection, clock: Callable[[], float]) -> None:
        self._redis = redis
        self._clock = clock
        self._known: dict[str, float] = {}
        self._untold: set[str] = set()
        self._lock = threading.Lock()

    def present(self) -> dict[str, float]:
        """Id -> time of the last refusal, of those set aside now."""
        since = self._clock() - PERIOD
        try:
            found: Any = self._redis.zrangebyscore(KEY, f"({since}", "+inf", withscores=True)
            shared = {member.decode(): float(score) for member, score in found}
            with self._lock:
                untold = {id_: self._known[id_] for id_ in self._untold if id_ in self._known}
                self._known = shared | untold
            for id_, at in untold.items():
                self._tell(id_, at)
        except StoreUnavailable:
            pass
        with self._lock:
            return {id_: at for id_, at in self._known.items() if at > since}

    def add(self, id_: str) -> bool:
        """Set aside; False where it was already."""
        now = self._clock()
        with self._lock:
            new = self._known.get(id_, 0.0) <= now - PERIOD
            self._known[id_] = now
            self._untold.add(id_)
        try:
            return self._tell(id_, now)
        except StoreUnavailable:
            return new

    def remove(self, id_: str) -> None:
        """It works again. Costs nothing where it isn't known to be set aside."""
        if id_ not in self._known:
            return
        with self._lock:
            self._known.pop(id_, None)
            self._untold.discard(id_)
        try:
            self._redis.zrem(KEY, id_)
        except StoreUnavailable:
            return  # it ends by itself

    def _tell(self, id_: str, at: float) -> bool:
        # One by one, so that each passes the breaker; in between they are right too.
        self._redis.zremrangebyscore(KEY, "-inf", self._clock() - PERIOD)
        added = self._redis.zadd(KEY, {id_: at})
        self._redis.pexpire(KEY, int(PERIOD * 1000))
        with self._lock:
            self._untold.discard(id_)
        return bool(added)
