"""What key holders ask for: which answers, how lately, how much. Service scope only.

Noted in memory on a request's path (`note`, `served`), added to Redis by `flush` every 5 s, off
it, in O(what was noted). An answer is forgotten 7 days after it was last asked for. Demand ranks:
each request counts, with half its weight a day later.

Redis: per owner `fw:d:last:<owner>` and `fw:d:rank:<owner>`, sorted sets of asked texts, and
`fw:d:owners`. Each is bounded. Redis away: what was noted is dropped, and counted.

An asked text is all that a key is made of: path, query, media type, API version, base URL.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from webapp.cache.connection import Connection
from webapp.cache.keys import Target
from webapp.errors import StoreUnavailable
from webapp.policy import DAY, OTHER, match
from webapp.signals import served

KEPT = 7 * DAY
HALF_LIFE = 1 * DAY
MOST_ANSWERS = 20_000  # an owner
MOST_OWNERS = 10_000
MOST_READ = 1_000  # a command
LONGEST = 1_024  # characters of an asked text; what is longer isn't kept warm
BATCH = 500  # answers a command
NOTED_MOST = 500_000  # between two flushes
OWNERS = "fw:d:owners"
_LUA = Path(__file__).parent / "lua" / "asked.lua"


def asked_text(target: Target, base_url: str) -> str:
    """One line a part; none of them can hold a line break (keys.canonical_path, HTTP)."""
    return "\n".join((target.path, target.query, target.media, target.api_version, base_url))


@dataclass(frozen=True, slots=True)
class Asked:
    """An answer that was asked for in the service scope.

    `at` is when last, Unix seconds; `weight` how many requests, decayed to now.
    """

    target: Target
    base_url: str
    at: float = 0.0
    weight: float = 0.0

    @property
    def text(self) -> str:
        """What it is stored as."""
        return asked_text(self.target, self.base_url)

    @classmethod
    def of(cls, text: str, at: float = 0.0, weight: float = 0.0) -> Self:
        """From its text."""
        path, query, media, api_version, base_url = text.split("\n")
        return cls(Target(path, query, media, api_version), base_url, at, weight)


class Demand:
    """One per process."""

    def __init__(self, connection: Connection, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives Unix seconds."""
        self._connection = connection
        self._clock = clock
        self.noted: deque[str] = deque(maxlen=NOTED_MOST)
        self.dropped = 0

    @cached_property
    def _script(self) -> Any:
        return self._connection.register_script(_LUA.read_text())

    def listen(self, sender: object) -> None:
        """Note what `sender` serves by signals.served; the hit path appends to `noted` itself."""
        served.connect(self._served, sender=sender)

    def stop(self, sender: object) -> None:
        """Stop listening."""
        served.disconnect(self._served, sender=sender)

    def _served(self, _: object, **what: Any) -> None:
        if what["scope"] == "service" and what["asked"]:
            self.noted.append(what["asked"])

    def flush(self) -> None:
        """Add what was noted to Redis."""
        counts = Counter(self.noted.popleft() for _ in range(len(self.noted)))
        owners: dict[str, list[tuple[str, int]]] = {}
        for text, count in counts.items():
            found = match(text.partition("\n")[0])
            if found.owner and found.resource is not OTHER and len(text) <= LONGEST:
                owners.setdefault(found.owner.lower(), []).append((text, count))
        for owner, asked in owners.items():
            for start in range(0, len(asked), BATCH):
                self._add(owner, asked[start : start + BATCH])

    def _add(self, owner: str, asked: Iterable[tuple[str, int]]) -> None:
        pairs = list(asked)
        try:
            self._script(
                keys=[_last(owner), _rank(owner), OWNERS],
                args=[
                    *(owner, self._clock(), HALF_LIFE, KEPT, MOST_ANSWERS, MOST_OWNERS),
                    *(part for pair in pairs for part in pair),
                ],
            )
        except StoreUnavailable:
            self.dropped += sum(count for _, count in pairs)

    def asked_since(self, seconds: float, owner: str | None = None) -> list[Asked]:
        """What was asked for in the last so many seconds, of one owner or of all, the most
        demanded first. Raises StoreUnavailable."""
        since = self._clock() - min(seconds, KEPT)
        owners = [owner.lower()] if owner else self._owners(since)
        found = [asked for each in owners for asked in self._of(each, since)]
        return sorted(found, key=lambda asked: (-asked.weight, asked.text))

    def forget(self, asked: Asked) -> None:
        """It is gone: nobody is to be served it again. Raises StoreUnavailable."""
        owner = (match(asked.target.path).owner or "").lower()
        for key in (_last(owner), _rank(owner)):
            self._connection.zrem(key, asked.text)

    def _owners(self, since: float) -> list[str]:
        found: Any = self._connection.zrangebyscore(OWNERS, since, "+inf")
        return [each.decode() for each in found]

    def _of(self, owner: str, since: float) -> Iterable[Asked]:
        now = self._clock() / HALF_LIFE
        for start in range(0, MOST_ANSWERS, MOST_READ):
            page: Any = self._connection.zrevrangebyscore(
                _last(owner), "+inf", since, start=start, num=MOST_READ, withscores=True
            )
            if not page:
                return
            ranks: Any = self._connection.zmscore(_rank(owner), [text for text, _ in page])
            for (text, at), rank in zip(page, ranks, strict=True):
                weight = 0.0 if rank is None else math.exp2(rank - now)
                yield Asked.of(text.decode(), at, weight)
            if len(page) < MOST_READ:
                return


def _last(owner: str) -> str:
    return f"fw:d:last:{owner}"


def _rank(owner: str) -> str:
    return f"fw:d:rank:{owner}"
