"""Small facts about the App that all processes share through Redis; never a secret.

While Redis is down each process goes by what it noted itself. While it is up Redis alone counts, so
that what one process drops is gone for all.
"""

from __future__ import annotations

import logging
import threading
from typing import Any

import orjson

from webapp.cache.connection import Connection
from webapp.errors import CredentialRefused, ForewarmError, GitHubUnavailable, StoreUnavailable
from webapp.github.app.api import Clock

log = logging.getLogger(__name__)

OWN_MAX = 1_000  # facts that a process keeps for itself
REFUSED_FOR = 60.0  # seconds until what was refused is asked again
UNAVAILABLE_FOR = 2.0  # seconds: who waited for the one who failed fails with it, not after it


class Notes:
    """Facts by name, each until its time has passed. Thread-safe."""

    def __init__(self, redis: Connection, namespace: str, clock: Clock) -> None:
        self._redis = redis
        self._namespace = namespace
        self._clock = clock
        self._own: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Any:
        """The fact, None where none is noted or its time has passed."""
        try:
            raw = self._redis.get(self._key(name))
        except StoreUnavailable:
            raw = self._own.get(name)
        if raw is None:
            return None
        try:
            fact, until = orjson.loads(raw)
        except (orjson.JSONDecodeError, TypeError, ValueError):
            return None
        return fact if self._clock() < until else None

    def put(self, name: str, fact: Any, seconds: float) -> None:
        """Note JSON data for so many seconds."""
        raw = orjson.dumps([fact, self._clock() + seconds])
        with self._lock:
            self._own.pop(name, None)
            self._own[name] = raw
            if len(self._own) > OWN_MAX:
                del self._own[next(iter(self._own))]
        try:
            self._redis.set(self._key(name), raw, px=max(1, int(seconds * 1000)))
        except StoreUnavailable as error:
            log.debug("not shared: %s", error)

    def drop(self, name: str) -> None:
        """Forget a fact."""
        with self._lock:
            self._own.pop(name, None)
        try:
            self._redis.delete(self._key(name))
        except StoreUnavailable as error:
            log.debug("not dropped: %s", error)

    def put_failure(self, name: str, error: ForewarmError) -> None:
        """Note that GitHub refused, or couldn't be reached."""
        if isinstance(error, CredentialRefused):
            self.put(f"failure:{name}", [error.reason, str(error)], REFUSED_FOR)
        else:
            self.put(f"failure:{name}", ["", str(error)], UNAVAILABLE_FOR)

    def raise_failure(self, name: str) -> None:
        """Raise CredentialRefused or GitHubUnavailable where one of them was noted just now."""
        noted = self.get(f"failure:{name}")
        if noted is None:
            return
        reason, message = noted
        if reason:
            raise CredentialRefused(reason, message)
        raise GitHubUnavailable(message)

    def _key(self, name: str) -> str:
        return f"{self._namespace}:{name}"
