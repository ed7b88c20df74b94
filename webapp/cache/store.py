"""Entries and tags in Redis: read, lease, fill, purge (DESIGN.md section 6).

A purge changes its tags' versions: one write a tag and one message, whatever carries them. An
entry remembers the versions from before its fetch began, so a fill never outruns a purge. Every
method raises StoreUnavailable, and nothing else, when Redis can't be used.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import orjson
import redis

from webapp.cache.backend import EntryBackend
from webapp.cache.entry import Entry, Versions, decode, encode
from webapp.cache.keys import lease_key, tag_key
from webapp.cache.results import forgotten_with
from webapp.errors import StoreUnavailable

PURGES_CHANNEL = "fw:purges"
LEASE = 5.0  # seconds until a dead holder's lease ends
RENEW_EVERY = 2.0  # seconds
TAG_MARGIN = 3600.0  # seconds that a tag outlives every entry carrying it


@dataclass(frozen=True, slots=True)
class Read:
    """What one MGET found: the entry, if any, and its tags' present versions. `at` is when it was
    sent (monotonic)."""

    entry: Entry | None
    versions: Versions
    at: float = 0.0

    @property
    def forgotten(self) -> bool:
        """Whether Redis can't tell: no entry, or one whose tags are lost (flushed, evicted)."""
        return self.entry is None or None in self.versions


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to fetch for a key; `versions` are its tags' from before the fetch."""

    key: str
    tags: tuple[str, ...]
    token: str
    versions: Versions


class Store:
    """The shelf that all processes share."""

    def __init__(self, backend: EntryBackend, *, longest: float) -> None:
        """`longest` is the most seconds an entry may live (fresh + stale + grace)."""
        self.backend = backend
        self._tag_ms = backend.milliseconds(longest + TAG_MARGIN)

    def read(self, key: str, tags: Sequence[str]) -> Read:
        """The entry and its tags' versions in one round trip."""
        at = time.monotonic()
        raw, *versions = self.backend.connection.read_many([key, *map(tag_key, tags)])
        return Read(decode(raw), tuple(versions), at)

    def heads(self, wanted: Sequence[tuple[str, Sequence[str]]]) -> list[Read]:
        """Of many keys and their tags, the entries without their bodies, in one round trip."""
        at = time.monotonic()
        found = self.backend.scripts["heads"](
            keys=[each for key, tags in wanted for each in (key, *map(tag_key, tags))],
            args=[len(tags) for _, tags in wanted],
        )
        values = iter(found)
        return [
            Read(decode(next(values)), tuple(next(values) for _ in tags), at) for _, tags in wanted
        ]

    def acquire(self, key: str, tags: tuple[str, ...]) -> tuple[Lease | None, Versions]:
        """The lease, or None while another holds a valid one; and the tags' versions."""
        token = secrets.token_hex(8)
        acquired, *versions = self.backend.scripts["acquire"](
            keys=[lease_key(key), *map(tag_key, tags)],
            args=[token, int(LEASE * 1000), self._tag_ms, *(_version() for _ in tags)],
        )
        snapshot: Versions = tuple(versions)
        return (Lease(key, tags, token, snapshot) if acquired else None), snapshot

    def fill(self, lease: Lease, entry: Entry, now: float) -> bool:
        """Store what was fetched under the lease; False where a purge or successor voided it."""
        entry = replace(entry, versions=lease.versions, fill_id=lease.token)
        return self._fill(lease, encode(entry), entry.grace_until - now)

    def end(self, lease: Lease) -> bool:
        """Delete the entry: GitHub's answer ends it without leaving one."""
        return self._fill(lease, b"", 1.0)

    def _fill(self, lease: Lease, raw: bytes, timeout: float) -> bool:
        result = self.backend.scripts["fill"](
            keys=[lease_key(lease.key), lease.key, *map(tag_key, lease.tags)],
            args=[
                lease.token,
                raw,
                self.backend.milliseconds(timeout),
                self._tag_ms,
                *(version or b"" for version in lease.versions),
            ],
        )
        return bool(result == b"stored")

    def renew(self, lease: Lease) -> bool:
        """Keep a lease for another LEASE seconds; False where it isn't ours any more."""
        return self._renew(lease, int(LEASE * 1000))

    def release(self, lease: Lease) -> bool:
        """Give a lease back with nothing to store."""
        return self._renew(lease, 0)

    def _renew(self, lease: Lease, milliseconds: int) -> bool:
        keys, args = [lease_key(lease.key)], [lease.token, milliseconds]
        return bool(self.backend.scripts["renew"](keys=keys, args=args))

    def purge(self, tags: Sequence[str], *, hard: bool, through: redis.Redis | None = None) -> int:
        """Make what carries one of these tags untrue, on every process; tags written.

        `through` is a plain client, for catching up a Redis that isn't trusted yet.
        """
        written = self.backend.scripts["purge"](
            keys=[tag_key(tag) for tag in (*tags, *forgotten_with(tags))],
            args=[
                int(hard),
                self._tag_ms,
                PURGES_CHANNEL,
                orjson.dumps({"tags": list(tags), "hard": hard}),
                *(_version() for _ in tags),
            ],
            client=through,
        )
        return int(written)

    def distrust(self, error: StoreUnavailable) -> None:
        """Serve nothing from Redis until it is caught up anew: a purge didn't get through."""
        self.backend.connection.distrust(error)


def _version() -> str:
    # Random, not counted: a counter that a flush resets would bring purged entries back.
    return f"{secrets.token_hex(6)}.{secrets.token_hex(6)}"
