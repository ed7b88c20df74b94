"""Flask with requests-cache on Redis behind it: GitHub's answers are kept, and answered unpacked.

So they are gzipped each time for who takes gzip, at the level that Flask's compressing extensions
use. `ignored_parameters` is empty, for answers that vary on Authorization never hit otherwise; it
writes the token to Redis, which is why only a benchmark may do so.
"""

from __future__ import annotations

import gzip
import os

import redis
from flask import Flask, Response
from requests_cache import CachedSession
from requests_cache.backends.redis import RedisCache

from benchmarks.peers.github import FRESH, GITHUB, HEADERS, KEPT, asked, pooled

GZIP_LEVEL = 6
SMALLEST = 500  # bytes that are worth packing

app = Flask(__name__)
session = CachedSession(
    backend=RedisCache("peer-requests", connection=redis.Redis.from_url(os.environ["REDIS_URL"])),
    expire_after=FRESH,
    ignored_parameters=[],
)
pooled(session)


@app.get("/<path:_>")
def proxied(_: str) -> Response:
    """What GitHub said."""
    want = asked()
    answer = session.get(GITHUB + want.target, headers=HEADERS, timeout=30)
    kept = {
        name: answer.headers[name]
        for name in KEPT
        if name in answer.headers and name != "Content-Encoding"
    }
    body = answer.content
    if want.coding == "gzip" and len(body) >= SMALLEST:
        kept["Content-Encoding"] = "gzip"
        body = gzip.compress(body, GZIP_LEVEL, mtime=0)
    return Response(body, answer.status_code, kept)
