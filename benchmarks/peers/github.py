"""How the Flask peers ask GitHub, and answer what it said: over kept-alive connections, gzipped for
who takes gzip, as GitHub packed it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import requests
from flask import Response, request
from requests.adapters import HTTPAdapter

GITHUB = os.environ["GITHUB_API_URL"]
FRESH = int(os.environ["FRESH"])
HEADERS = {"Authorization": f"Bearer {os.environ['GITHUB_TOKEN']}"}
CONNECTIONS = 64
KEPT = ("Content-Type", "Content-Encoding", "ETag", "Link", "Last-Modified")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the caller wants of GitHub: path and query, and the coding it takes."""

    target: str
    coding: str

    @property
    def key(self) -> str:
        """One an answer."""
        return f"{self.coding} {request.headers.get('Accept', '')} {self.target}"


def asked() -> Asked:
    """By the request under way."""
    query = request.query_string.decode()
    takes_gzip = "gzip" in request.headers.get("Accept-Encoding", "")
    return Asked(
        f"{request.path}?{query}" if query else request.path, "gzip" if takes_gzip else "identity"
    )


def pooled(session: requests.Session) -> requests.Session:
    """With a connection for each thread."""
    session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=CONNECTIONS))
    return session


def from_github(session: requests.Session, want: Asked) -> Response:
    """GitHub's answer as it came, its body still packed."""
    answer = session.get(
        GITHUB + want.target,
        headers={**HEADERS, "Accept-Encoding": want.coding},
        stream=True,
        timeout=30,
    )
    body = answer.raw.read(decode_content=False)
    kept = {name: answer.headers[name] for name in KEPT if name in answer.headers}
    return Response(body, answer.status_code, kept)
