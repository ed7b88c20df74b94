"""What each kind of fault does to an answer."""

from __future__ import annotations

import orjson

from tests.standin.credentials import Caller
from tests.standin.faults import Fault
from tests.standin.limits import Limits
from tests.standin.message import Manner, Reply
from tests.standin.rendering import Rendered
from tests.standin.shapes.errors import Refusal, forbidden

UNICORN = (
    "<!DOCTYPE html>\n<html><head><title>Unicorn! &middot; GitHub</title></head>"
    "<body><p>This page is taking too long to load.</p></body></html>\n"
)
MESSAGES = {500: "Server Error", 502: "Server Error", 503: "Service Unavailable", 504: "Timeout"}
MANNERS: dict[str, Manner] = {
    "reset": "reset",
    "black_hole": "black_hole",
    "truncated": "truncated",
    "wrong_length": "wrong_length",
}
RATE_HEADERS = "x-ratelimit-"
VALIDATORS = ("etag", "last-modified")


def replacement(fault: Fault, limits: Limits, caller: Caller, peer: str) -> Rendered | None:
    """The answer given instead of the true one, or its Refusal raised; None for other faults."""
    if fault.kind == "status":
        status = fault.status or 500
        if fault.body is not None:
            return _plain(status, fault.body, "text/plain; charset=utf-8")
        raise Refusal(status, MESSAGES.get(status, "Error"))
    if fault.kind == "html":
        return _plain(fault.status or 502, fault.body or UNICORN, "text/html; charset=utf-8")
    if fault.kind == "primary":
        raise limits.primary_refusal(caller.account, peer, fault.status)
    if fault.kind == "secondary":
        raise limits.secondary_refusal(fault.retry_after, fault.status)
    if fault.kind == "too_many":
        raise limits.secondary_refusal(fault.retry_after, 429)
    if fault.kind == "unauthorized":
        raise Refusal(401, "Bad credentials")
    if fault.kind == "forbidden":
        raise forbidden(caller.kind)
    if fault.kind in ("graphql_error", "graphql_limit"):
        return _graphql(fault, caller)
    return None


def _plain(status: int, body: str, content_type: str) -> Rendered:
    return Rendered(status, body.encode(), {}, content_type)


def _graphql(fault: Fault, caller: Caller) -> Rendered:
    error = {"message": fault.body or "Something went wrong while executing your query."}
    if fault.kind == "graphql_limit":
        whom = f"user ID {caller.account.id}"
        error = {"type": "RATE_LIMITED", "message": f"API rate limit exceeded for {whom}."}
    return Rendered(
        200, orjson.dumps({"errors": [error]}), {}, "application/json; charset=utf-8", volatile=True
    )


def spoil(fault: Fault, reply: Reply) -> None:
    """Change the reply in place."""
    reply.delay += fault.delay_ms / 1000
    if fault.kind in MANNERS:
        reply.manner = MANNERS[fault.kind]
    elif fault.kind == "invalid_json" and reply.body:
        names = [name.lower() for name, _ in reply.headers]
        if "content-encoding" in names:
            del reply.headers[names.index("content-encoding")]
        reply.body = b'{"id": 1, "name": "cut sho'
    elif fault.kind == "no_rate_headers":
        reply.headers = [h for h in reply.headers if not h[0].lower().startswith(RATE_HEADERS)]
    elif fault.kind == "no_etag":
        reply.headers = [h for h in reply.headers if h[0].lower() not in VALIDATORS]
