"""A store on the session's Valkey, by way of Flask-Caching as in the application."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask_caching import Cache

from webapp.cache.backend import CACHE_TYPE, EntryBackend
from webapp.cache.connection import Connection
from webapp.cache.store import Store
from webapp.secret import Secret


@pytest.fixture
def store(redis_url: str) -> Iterator[Store]:
    connection = Connection(Secret(redis_url), size=4)
    caching = Cache()
    caching.init_app(
        Flask(__name__), config={"CACHE_TYPE": CACHE_TYPE, "CACHE_REDIS_CLIENT": connection}
    )
    backend = caching.app.extensions["cache"][caching]
    assert isinstance(backend, EntryBackend)
    yield Store(backend, longest=10_000)
    connection.close()
