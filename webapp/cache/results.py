"""Results of our own making, kept for a while: catalog queries, dashboard figures.

By explicit keys, through Flask-Caching's backend. A result carries the versions that its tags had
before it was computed, and counts while they stand: forgetting a tag is deleting one key, whatever
carries it, and what was being computed meanwhile is never taken for new.

    of an owner           results:owner:{owner}, results:all
    over all owners       results:any
    a purge of a tag      forgets its owner's and what is over all; of `all`, everything

Redis away: computed each time.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TypeVar, cast

import msgpack

from webapp.cache.backend import EntryBackend
from webapp.cache.keys import tag_key
from webapp.errors import StoreUnavailable

Plain = TypeVar("Plain")
"""What msgpack holds: None, numbers, text, bytes, lists and dicts of these."""

SCHEMA = 1
ANY, ALL = "results:any", "results:all"
OUTLIVES = 2.0  # times that a tag's life is a result's


def tags_of(owner: str | None) -> tuple[str, ...]:
    """The tags of what is computed from an owner's rows, or (None) from everybody's."""
    return (f"results:owner:{owner.lower()}", ALL) if owner else (ANY,)


def forgotten_with(tags: Iterable[str]) -> tuple[str, ...]:
    """The tags of results that are void once these tags of the policy table are purged."""
    forgotten = [ANY]
    for tag in tags:
        kind, _, name = tag.partition(":")
        if kind == "all":
            forgotten.append(ALL)
        elif name != "any":
            forgotten.append(tags_of(name.partition("/")[0])[0])
    return tuple(dict.fromkeys(forgotten))


class Results:
    """One per process. Nothing here raises StoreUnavailable."""

    def __init__(self, backend: EntryBackend) -> None:
        self._backend = backend

    def cached(
        self,
        name: str,
        arguments: object,
        tags: Sequence[str],
        seconds: float,
        compute: Callable[[], Plain],
    ) -> Plain:
        """What `compute` gave for these arguments (plain data) of late, else what it gives now.

        `name` says what is computed; `seconds` is how long that counts, at least one. The tags
        are `tags_of` somebody, or others that someone forgets.
        """
        key = _key(name, arguments)
        try:
            held = self._held(key, tags)
            if held:
                return cast(Plain, held[0])
            versions = self._snapshot(tags, seconds)
        except StoreUnavailable:
            return compute()
        result = compute()
        with suppress(StoreUnavailable):
            self._backend.set(key, [versions, result], timeout=int(max(1, seconds)))
        return result

    def forget(self, tags: Iterable[str]) -> None:
        """What carries one of these is void from now on, for every process."""
        keys = [tag_key(tag) for tag in tags]
        if keys:
            # Without Redis nothing is answered from it either.
            with suppress(StoreUnavailable):
                self._backend.connection.delete(*keys)

    def forget_owners(self, owners: Iterable[str]) -> None:
        """These owners' rows have changed."""
        named = [tags_of(owner)[0] for owner in owners]
        if named:
            self.forget([*named, ANY])

    def _held(self, key: str, tags: Sequence[str]) -> list[object] | None:
        """The result in a list of its own, for it may be None."""
        raw, *present = self._backend.connection.read_many([key, *map(tag_key, tags)])
        held = self._backend.serializer.loads(raw)
        if not isinstance(held, list) or len(held) != 2 or None in present:
            return None
        return held[1:] if held[0] == present else None

    def _snapshot(self, tags: Sequence[str], seconds: float) -> list[bytes]:
        milliseconds = self._backend.milliseconds(seconds * OUTLIVES)
        versions: list[bytes] = self._backend.scripts["snapshot"](
            keys=[tag_key(tag) for tag in tags],
            args=[milliseconds, *(secrets.token_hex(8) for _ in tags)],
        )
        return versions


def _key(name: str, arguments: object) -> str:
    digest = hashlib.blake2b(msgpack.packb(arguments), digest_size=16).hexdigest()
    return f"fw:r:{SCHEMA}:{name}:{digest}"
