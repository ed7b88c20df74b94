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
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar, cast

import msgpack

from webapp.cache.backend import EntryBackend
from webapp.cache.keys import tag_key
from webapp.errors import StoreUnavailable

Argument = TypeVar("Argument")
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
        found = self.many(name, [arguments], lambda _: tags, seconds, lambda _: {0: compute()})
        return found[0]

    def many(
        self,
        name: str,
        arguments: Sequence[Argument],
        tags: Callable[[Argument], Sequence[str]],
        seconds: float,
        compute: Callable[[Sequence[int]], Mapping[int, Plain]],
    ) -> dict[int, Plain]:
        """The same for many arguments, known by their places: `compute` is given the places of
        those not held, and may leave out what isn't to be kept."""
        keys = [_key(name, each) for each in arguments]
        tagged = [tuple(tags(each)) for each in arguments]
        every = tuple(dict.fromkeys(tag for each in tagged for tag in each))
        try:
            held = cast(dict[int, Plain], self._held(keys, tagged, every))
            left = [place for place in range(len(keys)) if place not in held]
            versions = self._snapshot(every, seconds) if left else {}
        except StoreUnavailable:
            return dict(compute(range(len(keys))))
        if not left:
            return held
        computed = compute(left)
        with suppress(StoreUnavailable):
            for place, result in computed.items():
                value = [[versions[tag] for tag in tagged[place]], result]
                self._backend.set(keys[place], value, timeout=int(max(1, seconds)))
        return held | dict(computed)

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

    def _held(
        self, keys: Sequence[str], tagged: Sequence[Sequence[str]], every: Sequence[str]
    ) -> dict[int, object]:
        """What counts, by place; in one round trip."""
        read = self._backend.connection.read_many([*keys, *map(tag_key, every)])
        present = dict(zip(every, read[len(keys) :], strict=True))
        held: dict[int, object] = {}
        for place, raw in enumerate(read[: len(keys)]):
            value = self._backend.serializer.loads(raw)
            versions = [present[tag] for tag in tagged[place]]
            # A tag that is lost equals no version.
            if isinstance(value, list) and len(value) == 2 and value[0] == versions:
                held[place] = value[1]
        return held

    def _snapshot(self, tags: Sequence[str], seconds: float) -> dict[str, bytes]:
        milliseconds = self._backend.milliseconds(seconds * OUTLIVES)
        versions: list[bytes] = self._backend.scripts["snapshot"](
            keys=[tag_key(tag) for tag in tags],
            args=[milliseconds, *(secrets.token_hex(8) for _ in tags)],
        )
        return dict(zip(tags, versions, strict=True))


def _key(name: str, arguments: object) -> str:
    digest = hashlib.blake2b(msgpack.packb(arguments), digest_size=16).hexdigest()
    return f"fw:r:{SCHEMA}:{name}:{digest}"
