"""The response headers that GitHub sends, in its order."""

from __future__ import annotations

from collections.abc import Mapping

from tests.standin.accounts import Token
from tests.standin.switches import Switches

Headers = list[tuple[str, str]]
VERSIONS = ("2022-11-28", "2026-03-10")
VARY = "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding"
EXPOSED = (
    "ETag, Link, Location, Retry-After, X-GitHub-OTP, X-RateLimit-Limit, X-RateLimit-Remaining, "
    "X-RateLimit-Used, X-RateLimit-Resource, X-RateLimit-Reset, X-OAuth-Scopes, "
    "X-Accepted-OAuth-Scopes, X-Poll-Interval, X-GitHub-Media-Type, X-GitHub-Request-Id"
)
CONSTANT: Headers = [
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Expose-Headers", EXPOSED),
    ("Referrer-Policy", "origin-when-cross-origin, strict-origin-when-cross-origin"),
    ("Strict-Transport-Security", "max-age=31536000; includeSubdomains; preload"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "deny"),
    ("X-XSS-Protection", "0"),
    ("Content-Security-Policy", "default-src 'none'"),
]


def cache_control(request: Mapping[str, str]) -> str:
    """Of a 200 or 304 to a safe request."""
    scope = "private" if "authorization" in request else "public"
    return f"{scope}, max-age=60, s-maxage=60"


def media_type(request: Mapping[str, str]) -> str:
    """X-GitHub-Media-Type for what was asked."""
    accept = request.get("accept", "")
    if "raw" in accept:
        return "github.v3; param=raw"
    return "github.v3; format=json" if "json" in accept else "github.v3"


def scopes(token: Token | None) -> Headers:
    """Classic tokens are told what they may; others are not."""
    if token is None or token.kind != "classic":
        return []
    return [("X-OAuth-Scopes", ", ".join(token.scopes)), ("X-Accepted-OAuth-Scopes", "repo")]


def about(request: Mapping[str, str], seq: int) -> Headers:
    """What was understood, and the id to ask support about."""
    return [
        ("X-GitHub-Media-Type", media_type(request)),
        ("X-GitHub-Api-Version-Selected", request.get("x-github-api-version", VERSIONS[0])),
        ("X-GitHub-Request-Id", f"FA4E:{seq:06X}:5EED:{seq * 7:X}:0"),
    ]


def constant(switches: Switches) -> Headers:
    return CONSTANT + [("Set-Cookie", cookie) for cookie in switches.set_cookies]
