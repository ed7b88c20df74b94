"""Why a hit or a miss: what the shelves hold for a path, and what would purge it. Reads only."""

from __future__ import annotations

import time
from typing import Any

from webapp import policy
from webapp.cache.entry import Entry, State
from webapp.cache.keys import PUBLIC, SERVICE, Target, entry_key
from webapp.cache.store import Read, Store
from webapp.github.answer import Answer
from webapp.github.archive import Archive

SCOPES = (SERVICE, PUBLIC)
"""What a caller's own token saw is nobody else's to look at."""


def inspect(store: Store, archive: Archive, target: Target, base_url: str) -> dict[str, Any]:
    """An account of each scope's entry; ages in seconds. Raises StoreUnavailable."""
    match = policy.match(target.path)
    entries = []
    for scope in SCOPES:
        key = entry_key(target, scope, base_url)
        read = store.read(key, match.tags)
        archived = archive.held(target, scope)
        entries.append({"scope": scope.kind, "key": key, **_account(read, archived, time.time())})
    return {
        "path": target.path,
        "resource": match.resource.name,
        "tags": list(match.tags),
        "purged_by": {
            event: list(actions) for event, actions in policy.purging_events(match.tags).items()
        },
        "entries": entries,
    }


def _account(read: Read, archived: Answer | None, now: float) -> dict[str, Any]:
    shelves = [name for name, held in (("redis", read.entry), ("archive", archived)) if held]
    account: dict[str, Any] = {"shelves": shelves}
    if archived:
        account["archived_for"] = round(now - archived.asked_at, 1)
    if read.entry is None:
        return account | {"state": "absent", "reason": "nothing is stored for it"}
    state = read.entry.state(read.versions, now)
    return account | {
        "state": state.value,
        "reason": _reason(state, read, now),
        "status": read.entry.status,
        "etag": read.entry.etag,
        "bytes": len(read.entry.body),
        **_ages(read.entry, now),
    }


def _ages(entry: Entry, now: float) -> dict[str, float]:
    """Negative where the time is over."""
    return {
        "age": round(now - entry.stored_at, 1),
        "fresh_for": round(entry.fresh_until - now, 1),
        "stale_for": round(entry.stale_until - now, 1),
        "grace_for": round(entry.grace_until - now, 1),
    }


def _reason(state: State, read: Read, now: float) -> str:
    entry = read.entry
    assert entry is not None
    match state:
        case State.FRESH:
            return "inside its period: a HIT"
        case State.STALE:
            return "past its period by time: served, and refreshed behind"
        case State.PURGED:
            return "known to have changed: the next read revalidates it"
        case State.GRACE:
            return "past its stale period: revalidated; served if GitHub can't be reached"
        case State.DEAD if now >= entry.grace_until:
            return "past its grace: never served"
        case State.DEAD if None in read.versions:
            return "one of its tags is gone (evicted or flushed): never served"
        case State.DEAD:
            return "purged hard: never served"
