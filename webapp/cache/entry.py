"""A finished response as it lies in Redis, and what it is worth at a moment. Pure.

Layout: magic and schema (3 bytes), offset of the body (4 bytes, big-endian), a msgpack array with
everything but the body, the body (gzipped where `gzipped`). Never pickle. Bytes that aren't such
an entry, or of another schema, decode to None: a miss, never an error.

An entry carries its tags' versions from before its fetch began. A version is `<hard>.<soft>`:
another hard part (or none) means dead, another soft part means purged softly.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any

import msgpack

from webapp.cache.keys import SCHEMA
from webapp.policy import NEGATIVE_STATUSES

Versions = tuple[bytes | None, ...]
"""Of an entry's tags, in the order of its path's tags; None where Redis has none."""

MAGIC = b"fw" + bytes([SCHEMA])
_OFFSET = struct.Struct(">I")
_START = len(MAGIC) + _OFFSET.size

BODY_MAX = 2 * 1024 * 1024  # bytes; what is larger streams through
GZIP_FROM = 1_000  # bytes
GZIP_LEVEL = 6
_GZIP_WINDOW = 31  # zlib's word for a gzip header; one call, unlike gzip.decompress

KEPT_HEADERS = (
    "Location",
    "X-GitHub-Media-Type",
    "X-GitHub-Api-Version-Selected",
    "X-Poll-Interval",
    "Deprecation",
    "Sunset",
)
"""Replayed with a stored answer, beside those that are fields. Never: Set-Cookie, rate, Date."""


class State(Enum):
    """What an entry is worth at a moment (DESIGN.md section 3)."""

    FRESH = "fresh"  # serve as is
    STALE = "stale"  # past its period by time: serve, and refresh behind
    PURGED = "purged"  # known to have changed: revalidate first; else grace
    GRACE = "grace"  # serve only when GitHub can't or won't answer
    DEAD = "dead"  # never serve


@dataclass(frozen=True, slots=True)
class Entry:
    """Times are Unix seconds; `etag` is ours, `upstream_etag` is GitHub's (token scopes only)."""

    status: int
    stored_at: float
    fresh_until: float
    stale_until: float
    grace_until: float
    etag: str
    upstream_etag: str = ""
    last_modified: str = ""
    link: str = ""
    content_type: str = ""
    request_id: str = ""
    known_public: bool = False
    versions: Versions = ()
    fill_id: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    gzipped: bool = False
    body: bytes = b""

    @property
    def negative(self) -> bool:
        """A remembered refusal: short, without stale or grace, and any purge of it is hard."""
        return self.status in NEGATIVE_STATUSES

    def state(self, versions: Versions, now: float) -> State:
        """What this entry is worth, given its tags' present versions."""
        if now >= self.grace_until or len(versions) != len(self.versions):
            return State.DEAD
        purged = False
        for mine, present in zip(self.versions, versions, strict=True):
            if mine == present and mine is not None:
                continue
            if mine is None or present is None or _hard(mine) != _hard(present):
                return State.DEAD
            purged = True
        if purged:
            return State.DEAD if self.negative else State.PURGED
        if now < self.fresh_until:
            return State.FRESH
        return State.STALE if now < self.stale_until else State.GRACE

    def identity(self) -> bytes:
        """The body as it is without Content-Encoding."""
        return zlib.decompress(self.body, _GZIP_WINDOW) if self.gzipped else self.body


def _hard(version: bytes) -> bytes:
    return version.partition(b".")[0]


_HEADER = tuple(each.name for each in fields(Entry))[:-1]  # all but the body


def packed_body(body: bytes) -> tuple[bytes, bool]:
    """A body as it is stored, and whether that is gzip; the same bytes give the same result."""
    if len(body) <= GZIP_FROM:
        return body, False
    return gzip.compress(body, GZIP_LEVEL, mtime=0), True


def encode(entry: Entry) -> bytes:
    """An entry as the bytes Redis holds."""
    header = msgpack.packb([getattr(entry, name) for name in _HEADER])
    return b"".join((MAGIC, _OFFSET.pack(_START + len(header)), header, entry.body))


def decode(raw: bytes | None) -> Entry | None:
    """The entry in these bytes; None for none, another schema, or damage."""
    if raw is None or raw[: len(MAGIC)] != MAGIC or len(raw) < _START:
        return None
    (offset,) = _OFFSET.unpack_from(raw, len(MAGIC))
    try:
        header = msgpack.unpackb(raw[_START:offset], use_list=False)
    except (ValueError, msgpack.exceptions.UnpackException):
        return None
    if not isinstance(header, tuple) or len(header) != len(_HEADER):
        return None
    values: tuple[Any, ...] = (*header, raw[offset:])  # in the order of the fields
    return Entry(*values)
