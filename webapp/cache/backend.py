"""Flask-Caching's Redis backend class, with our connection and a serializer that is never pickle.

It owns the connection and every expiry: entries, like everything else that Flask-Caching sets, get
their time to live from `_normalize_timeout`. Flask-Caching names it by CACHE_TYPE.
"""

from __future__ import annotations

import math
from functools import cached_property
from pathlib import Path
from typing import Any

import msgpack
from cachelib.serializers import RedisSerializer
from flask import Flask
from flask_caching.backends.rediscache import RedisCache

from webapp.cache.connection import Connection
from webapp.cache.entry import Entry, decode, encode

CACHE_TYPE = f"{__name__}.EntryBackend"
_LUA = Path(__file__).parent / "lua"
_PLAIN = b"m"


class EntrySerializer(RedisSerializer):
    """Entries in their own layout, plain values as msgpack; unknown bytes are None: a miss."""

    def dumps(self, value: Any, protocol: int = 0) -> bytes:  # noqa: ARG002 - cachelib's
        """Raises TypeError for what is neither an Entry nor plain data."""
        if isinstance(value, Entry):
            return encode(value)
        packed: bytes = msgpack.packb(value)
        return _PLAIN + packed

    def loads(self, value: bytes | None) -> Any:
        if value is None:
            return None
        if value[:1] == _PLAIN:
            try:
                return msgpack.unpackb(value[1:])
            except (ValueError, msgpack.exceptions.UnpackException):
                return None
        return decode(value)


class EntryBackend(RedisCache):
    """Flask-Caching's RedisCache over our Connection."""

    connection: Connection

    @classmethod
    def factory(
        cls,
        app: Flask,  # noqa: ARG003 - Flask-Caching's signature
        config: dict[str, Any],
        args: list[Any],
        kwargs: dict[str, Any],
    ) -> EntryBackend:
        """As Flask-Caching calls it: CACHE_REDIS_CLIENT is our Connection."""
        connection: Connection = config["CACHE_REDIS_CLIENT"]
        backend = cls(connection, *args, **kwargs)
        backend.connection = connection
        backend.serializer = EntrySerializer()
        return backend

    def milliseconds(self, timeout: float) -> int:
        """A time to live by the backend's own rule, which keeps at least a second."""
        return int(self._normalize_timeout(max(1, math.ceil(timeout)))) * 1000

    @cached_property
    def scripts(self) -> dict[str, Any]:
        """cache/lua/*.lua by name; each is sent by its hash, and loaded where Redis lost it."""
        return {
            path.stem: self.connection.register_script(path.read_text())
            for path in sorted(_LUA.glob("*.lua"))
        }
