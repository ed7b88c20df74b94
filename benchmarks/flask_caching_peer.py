"""The peer: the same body from Flask with Flask-Caching's `@cached` on the same Redis."""

from __future__ import annotations

import os
from pathlib import Path

from flask import Flask, Response
from flask_caching import Cache

app = Flask(__name__)
cache = Cache(app, config={"CACHE_TYPE": "RedisCache", "CACHE_REDIS_URL": os.environ["REDIS_URL"]})
BODY = Path(os.environ["BODY_FILE"]).read_bytes()


@app.get("/repos/<owner>/<name>")
@cache.cached(timeout=3600)
def repository(owner: str, name: str) -> Response:  # noqa: ARG001 - its key is the path
    """Ten kilobytes of JSON, made once an hour."""
    return Response(BODY, content_type="application/json; charset=utf-8")
