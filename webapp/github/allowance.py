"""What clients are told of the rate limit: X-RateLimit-*, the limit answer, /rate_limit. GitHub's
shapes, our ledger's figures.

An answer that isn't the limit answer never says Remaining 0: go-github would stop asking at all
and never reach what we hold (why.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import orjson
from requests.structures import CaseInsensitiveDict

from webapp.cache.reply import Headers
from webapp.github.answer import Answer
from webapp.github.limits import Limits

DOCUMENTATION = "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api"
RESOURCES = ("core", "search", "graphql")
SCOPES_MAX = 10_000
UNKNOWN: Headers = []  # one for all: the hit path looks whether it is the same as before


class Allowances:
    """The limits of each scope as this process last heard of them; `headers` is on the hit path."""

    def __init__(self) -> None:
        self._headers: dict[str, Headers] = {}
        self._heard_at: dict[str, float] = {}

    def headers(self, scope: str) -> Headers:
        """X-RateLimit-* for an answer that is no limit; none where nothing is known yet."""
        return self._headers.get(scope, UNKNOWN)

    def hear(self, scope: str, limits: Limits, now: float) -> None:
        """Remember a scope's core limits."""
        if len(self._headers) > SCOPES_MAX:
            self._headers.clear()
            self._heard_at.clear()
        self._headers[scope] = _headers(limits, max(1, limits.remaining))
        self._heard_at[scope] = now

    def heard_at(self, scope: str) -> float:
        """When, in Unix seconds; 0 for never."""
        return self._heard_at.get(scope, 0.0)


def limit_answer(limits: Limits, retry_at: float, now: float, upstream_status: int = 0) -> Answer:
    """GitHub's primary limit, which every client understands: 403, Remaining 0, and when to
    come back."""
    seconds = max(1, math.ceil(retry_at - now))
    told = Limits(limits.limit, 0, limits.limit, math.ceil(retry_at), limits.resource)
    body = {
        "message": "API rate limit exceeded. Forewarm has no budget left to ask GitHub with.",
        "documentation_url": DOCUMENTATION,
        "status": "403",
    }
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Retry-After": str(seconds),
        **dict(_headers(told, 0)),
    }
    return Answer(
        status=403,
        headers=CaseInsensitiveDict(headers),
        body=orjson.dumps(body),
        asked_at=now,
        upstream_status=upstream_status,
    )


def rate_limit_body(limits: Mapping[str, Limits]) -> dict[str, object]:
    """GET /rate_limit's body; `limits` by resource, core among them."""
    resources = {
        name: {
            "limit": each.limit,
            "used": each.used,
            "remaining": each.remaining,
            "reset": each.reset,
        }
        for name, each in limits.items()
    }
    return {"resources": resources, "rate": resources["core"]}


def _headers(limits: Limits, remaining: int) -> Headers:
    return [
        ("X-RateLimit-Limit", str(limits.limit)),
        ("X-RateLimit-Remaining", str(remaining)),
        ("X-RateLimit-Used", str(limits.used)),
        ("X-RateLimit-Reset", str(limits.reset)),
        ("X-RateLimit-Resource", limits.resource),
    ]
