"""Flask with Flask-Caching's `@cached` on Redis: whole responses, packed as they came.

Its key tells codings and media types apart, as it must; nothing else is added to what the package
does by itself.
"""

from __future__ import annotations

import os

import requests
from flask import Flask, Response
from flask_caching import Cache

from benchmarks.peers.github import FRESH, asked, from_github, pooled

app = Flask(__name__)
cache = Cache(
    app,
    config={
        "CACHE_TYPE": "RedisCache",
        "CACHE_REDIS_URL": os.environ["REDIS_URL"],
        "CACHE_KEY_PREFIX": "peer:",
    },
)
session = pooled(requests.Session())


@app.get("/<path:_>")
@cache.cached(timeout=FRESH, make_cache_key=lambda *_, **__: asked().key)
def proxied(_: str) -> Response:
    """What GitHub said."""
    return from_github(session, asked())
