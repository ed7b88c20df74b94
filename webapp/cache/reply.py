"""An entry as an HTTP answer: headers, 304, content coding. Pure; Flask and hit path share it.

RFC 9110 (conditional requests, Accept-Encoding), 9111 (Age), 9211 (Cache-Status), 9875
(Cache-Groups). The ETag is weak, so it covers gzip and identity alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from email.utils import parsedate_to_datetime
from functools import lru_cache

from webapp.cache.entry import Entry
from webapp.outcome import Outcome

Headers = list[tuple[str, str]]

VARY = "Accept, Authorization, Accept-Encoding, X-GitHub-Api-Version"
CACHE_CONTROL = "private, max-age=60"
HITS = frozenset({Outcome.HIT, Outcome.STALE, Outcome.NEGATIVE})
BODYLESS = frozenset({204, 304})


def headers_of(
    entry: Entry, outcome: Outcome, cache_status: str, groups: str, now: float
) -> Headers:
    """Every header of a stored answer but those of its body; a 304 has just these."""
    return moving_headers(entry, outcome, cache_status, now) + fixed_headers(entry, groups)


def moving_headers(entry: Entry, outcome: Outcome, cache_status: str, now: float) -> Headers:
    """What differs from one answer to the next."""
    return [
        ("X-Cache", outcome.value),
        ("Cache-Status", cache_status),
        ("Age", str(max(0, int(now - entry.stored_at)))),
    ]


def unmoved_until(entry: Entry, now: float) -> float:
    """Until when a hit's moving headers stay what they are: the next whole second of either."""
    age = max(0, int(now - entry.stored_at))
    ttl = int(entry.fresh_until - now)
    return min(entry.stored_at + age + 1, entry.fresh_until - ttl)


def fixed_headers(entry: Entry, groups: str) -> Headers:
    """What stays the same as long as the entry does."""
    headers: Headers = [
        ("Cache-Control", CACHE_CONTROL),
        ("ETag", entry.etag),
        ("Vary", VARY),
        ("Cache-Groups", groups),
        ("X-Content-Type-Options", "nosniff"),
    ]
    if entry.last_modified:
        headers.append(("Last-Modified", entry.last_modified))
    if entry.link:
        headers.append(("Link", entry.link))
    if entry.request_id:
        headers.append(("X-GitHub-Request-Id", entry.request_id))
    headers.extend(entry.headers.items())
    return headers


def cache_status_hit(entry: Entry, shelf: str, now: float) -> str:
    """Answered from a shelf; a negative ttl is RFC 9211's word for stale."""
    return f"forewarm; hit; ttl={int(entry.fresh_until - now)}; detail={shelf}"


def cache_status_forwarded(
    reason: str, status: int = 0, *, stored: bool = False, collapsed: bool = False
) -> str:
    """Went forward for `reason` (miss, stale, bypass, method, request)."""
    parts = ["forewarm", f"fwd={reason}"]
    if status:
        parts.append(f"fwd-status={status}")
    if stored:
        parts.append("stored")
    if collapsed:
        parts.append("collapsed")
    return "; ".join(parts)


@lru_cache(maxsize=4_096)
def cache_groups(tags: Sequence[str]) -> str:
    """RFC 9875: a list of strings; tags hold nothing that a structured string must escape."""
    return ", ".join(f'"{tag}"' for tag in tags if tag.isascii() and '"' not in tag)


def coded_body(
    entry: Entry, accept_encoding: str, identity: Callable[[Entry], bytes] = Entry.identity
) -> tuple[bytes, Headers]:
    """The body as this client takes it, and the headers that say so; `identity` unpacks it."""
    headers: Headers = []
    if entry.content_type:
        headers.append(("Content-Type", entry.content_type))
    if entry.gzipped and accepts_gzip(accept_encoding):
        body = entry.body
        headers.append(("Content-Encoding", "gzip"))
    else:
        body = identity(entry)
    if entry.status not in BODYLESS:
        headers.append(("Content-Length", str(len(body))))
    return body, headers


@lru_cache(maxsize=256)
def accepts_gzip(accept_encoding: str) -> bool:
    """Whether gzip is welcome; no header, or anything unclear, means identity."""
    weights: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        coding, _, parameter = part.partition(";")
        weight = 1.0
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                weight = float(value)
            except ValueError:
                weight = 0.0
        weights[coding.strip()] = weight
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0))) > 0


def not_modified(entry: Entry, if_none_match: str, if_modified_since: str) -> bool:
    """Whether a 304 will do (RFC 9110 section 13.2.2): If-None-Match wins over the date."""
    if entry.status != 200:
        return False
    if if_none_match:
        if if_none_match.strip() == "*":
            return True
        mine = entry.etag.removeprefix("W/")
        return any(theirs.strip().removeprefix("W/") == mine for theirs in if_none_match.split(","))
    if not if_modified_since or not entry.last_modified:
        return False
    try:
        since = parsedate_to_datetime(if_modified_since)
        return parsedate_to_datetime(entry.last_modified) <= since
    except (TypeError, ValueError, OverflowError):
        return False
