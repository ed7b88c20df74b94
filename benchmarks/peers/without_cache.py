"""Flask without a cache: each request asks GitHub."""

from __future__ import annotations

import requests
from flask import Flask, Response

from benchmarks.peers.github import asked, from_github, pooled

app = Flask(__name__)
session = pooled(requests.Session())


@app.get("/<path:_>")
def proxied(_: str) -> Response:
    """What GitHub says."""
    return from_github(session, asked())
