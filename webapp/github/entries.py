"""GitHub's answer as an entry: links rewritten, periods given, visibility judged. Pure.

How long an answer is worth something depends on its resource and on whose eyes saw it: what a
caller's own token saw and isn't known to be public is trusted for minutes, and what no purge can
name isn't grace for the service's eyes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import orjson

from webapp.cache.entry import KEPT_HEADERS, Entry, packed_body
from webapp.cache.keys import Scope, Target
from webapp.github.answer import Answer, is_json
from webapp.github.links import rewritten_body, rewritten_link, rewritten_location
from webapp.policy import JITTER, UNPROVEN_FRESH, UNPROVEN_GRACE, Match, Periods, match

STORABLE = frozenset({200, 204})
NOT_PUBLIC = ("private", "internal")


@dataclass(frozen=True, slots=True)
class Finisher:
    """Makes entries. `jitter` gives a number in [0, 1) a call."""

    api_url: str
    periods: Periods
    jitter: Callable[[], float]

    def storable(self, answer: Answer, target: Target) -> bool:
        """Whether an answer becomes an entry: whole JSON (or none), of a status that is kept."""
        if answer.body is None:
            return False
        if answer.negative:
            return match(target.path).resource.fresh > 0
        if answer.status not in STORABLE:
            return False
        return not answer.body or is_json(answer.headers.get("Content-Type", ""))

    def entry(self, answer: Answer, target: Target, scope: Scope, base_url: str) -> Entry:
        """The finished response of a storable answer; its tags' versions come with the fill."""
        row, headers = match(target.path), answer.headers
        raw = answer.body or b""
        finished = rewritten_body(raw, self.api_url, base_url)
        body, gzipped = packed_body(finished)
        link = rewritten_link(headers.get("Link", ""), self.api_url, base_url, target.path)
        kept = {name: headers[name] for name in KEPT_HEADERS if name in headers}
        if "Location" in kept:
            kept["Location"] = rewritten_location(kept["Location"], self.api_url, base_url)
        known_public = is_known_public(raw)
        entry = Entry(
            status=answer.status,
            stored_at=answer.asked_at,
            fresh_until=0.0,
            stale_until=0.0,
            grace_until=0.0,
            etag=etag_of(finished, link),
            upstream_etag="" if scope.archived else headers.get("ETag", ""),
            last_modified=headers.get("Last-Modified", ""),
            link=link,
            content_type=headers.get("Content-Type", ""),
            request_id=headers.get("X-GitHub-Request-Id", ""),
            known_public=known_public,
            headers=kept,
            gzipped=gzipped,
            body=body,
        )
        return self._dated(entry, row, scope)

    def confirmed(self, held: Entry, answer: Answer, target: Target, scope: Scope) -> Entry:
        """A held entry that GitHub has confirmed by 304; it keeps its Link, which a 304 lacks."""
        entry = replace(
            held,
            stored_at=answer.asked_at,
            upstream_etag=answer.headers.get("ETag", held.upstream_etag),
            request_id=answer.headers.get("X-GitHub-Request-Id", held.request_id),
        )
        return self._dated(entry, match(target.path), scope)

    def _dated(self, entry: Entry, row: Match, scope: Scope) -> Entry:
        fresh, stale, grace = self._periods(entry, row, scope)
        fresh *= 1 - JITTER * self.jitter()
        fresh_until = entry.stored_at + fresh
        return replace(
            entry,
            fresh_until=fresh_until,
            stale_until=fresh_until + stale,
            grace_until=fresh_until + stale + grace,
        )

    def _periods(self, entry: Entry, row: Match, scope: Scope) -> tuple[float, float, float]:
        """Seconds of fresh, then stale, then grace."""
        fresh = self.periods.fresh_of(row.resource)
        if entry.negative:
            return min(self.periods.negative, fresh), 0.0, 0.0
        if scope.kind == "token" and not entry.known_public:
            fresh = min(fresh, UNPROVEN_FRESH)
            return fresh, 0.0, max(0.0, min(UNPROVEN_GRACE, self.periods.grace) - fresh)
        stale = self.periods.stale if fresh else 0.0
        nameless = row.owner is None and not entry.known_public
        return fresh, stale, 0.0 if nameless and scope.kind == "service" else self.periods.grace


def etag_of(body: bytes, link: str) -> str:
    """Ours: weak, over the finished body and Link, so that a new next page is a new answer."""
    digest = hashlib.blake2b(body, digest_size=16, key=b"forewarm")
    digest.update(b"\n" + link.encode())
    return f'W/"{digest.hexdigest()}"'


def is_known_public(body: bytes) -> bool:
    """Whether the answer itself says that all it shows is public (its `private`, `visibility`)."""
    parsed = _parsed(body)
    items = parsed if isinstance(parsed, list) else [parsed]
    return bool(items) and all(
        isinstance(item, dict)
        and item.get("private") is False
        and item.get("visibility", "public") == "public"
        for item in items
    )


def nowhere(answer: Answer) -> Answer:
    """GitHub's 404, for the public scope instead of an answer that shows something private."""
    body = {
        "message": "Not Found",
        "documentation_url": "https://docs.github.com/rest",
        "status": "404",
    }
    headers = {"Content-Type": "application/json; charset=utf-8"}
    return Answer(404, headers, orjson.dumps(body), answer.asked_at, upstream_status=answer.status)


def shows_private(body: bytes) -> bool:
    """Whether anything inside says that it is private."""
    left = [_parsed(body)]
    while left:  # no recursion: a deployment's payload is as deep as its author likes
        value = left.pop()
        if isinstance(value, list):
            left.extend(value)
        elif isinstance(value, dict):
            if value.get("private") is True or value.get("visibility") in NOT_PUBLIC:
                return True
            left.extend(value.values())
    return False


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
