"""Where the points went: spent and saved, by resource and lane, by credential, by consumer.

Counted in memory on a request's path and added to Redis by `flush`, off it: hashes per minute and
per hour, and one since ever. Of consumers and credentials the largest keep their names and the
rest is `other`, in memory, in Redis and in what is read: a caller chooses its User-Agent freely.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from webapp.cache.connection import Connection
from webapp.errors import StoreUnavailable
from webapp.github.limits import Lane

MOST_NAMES = 200
MOST_COUNTERS = 4 * MOST_NAMES  # in memory, between two flushes
OTHER = "other"
MINUTE, HOUR = 60, 3600
MINUTES_KEPT = 3 * HOUR
HOURS_KEPT = 8 * 24 * HOUR
EVER_KEPT = 400 * 24 * HOUR  # since last added to
EVER = "fw:b:points:ever"
_LUA = Path(__file__).parent / "lua" / "points.lua"
_UNPRINTABLE = re.compile(r"[^\x21-\x7e]+")
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Tally:
    """Points. Saved is what asking would have cost where nothing was paid."""

    spent: int = 0
    saved: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.spent + other.spent, self.saved + other.saved)


@dataclass(frozen=True, slots=True)
class Totals:
    """Each of the three adds up to the same."""

    lanes: Mapping[tuple[str, str], Tally]  # by (resource, lane)
    credentials: Mapping[str, Tally]
    consumers: Mapping[str, Tally]

    @property
    def all(self) -> Tally:
        """All of it."""
        return sum(self.lanes.values(), Tally())


class Points:
    """One per process."""

    def __init__(
        self,
        connection: Connection,
        clock: Callable[[], float] = time.time,
        most_names: int = MOST_NAMES,
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._most = most_names
        self._counters: Counter[str] = Counter()
        self._lock = threading.Lock()

    @cached_property
    def _script(self) -> Any:
        return self._connection.register_script(_LUA.read_text())

    def add(
        self,
        resource: str,
        lane: Lane,
        *,
        credential: str,
        consumer: str,
        spent: int = 0,
        saved: int = 0,
    ) -> None:
        """Count, in memory. `consumer` is an API key's name or the User-Agent's product."""
        with self._lock:
            for group, name in (
                ("lane", f"{resource} {lane}"),
                ("credential", self._known("credential", credential)),
                ("consumer", self._known("consumer", consumer)),
            ):
                # Both, so that one look tells whether a name is known.
                self._counters[f"{group} {name} spent"] += spent
                self._counters[f"{group} {name} saved"] += saved

    def _known(self, group: str, given: str) -> str:
        """A name, or `other` where there are too many of them already."""
        name = _UNPRINTABLE.sub("-", given)[:_LONGEST_NAME] or "unknown"
        full = len(self._counters) >= MOST_COUNTERS
        return OTHER if full and f"{group} {name} spent" not in self._counters else name

    def flush(self) -> None:
        """Add what was counted to Redis, under the minute and hour of now.

        What can't be added is kept for the next time; after a timeout it may be counted twice.
        """
        with self._lock:
            counted, self._counters = self._counters, Counter()
        added = [(field, number) for field, number in counted.items() if number]
        if not added:
            return
        now = self._clock()
        kept = {
            _key(MINUTE, now): MINUTES_KEPT,
            _key(HOUR, now): HOURS_KEPT,
            EVER: EVER_KEPT,
        }
        try:
            self._script(
                keys=list(kept),
                args=[
                    *(seconds * 1000 for seconds in kept.values()),
                    self._most,
                    *(part for pair in added for part in pair),
                ],
            )
        except StoreUnavailable:
            with self._lock:
                self._counters.update(counted)

    def totals(self, since: float, until: float) -> Totals:
        """Of the whole minutes (of the last three hours; else hours) from `since` until `until`,
        both in Unix seconds. Raises StoreUnavailable."""
        now = self._clock()
        step = MINUTE if now - since < MINUTES_KEPT - MINUTE else HOUR
        first = math.floor(max(since, now - HOURS_KEPT) / step)
        last = math.ceil(min(until, now + step) / step)
        return self._sum(_key(step, place * step) for place in range(first, last))

    def ever(self) -> Totals:
        """Of all time: what a counter shows. Raises StoreUnavailable."""
        return self._sum([EVER])

    def _sum(self, keys: Iterable[str]) -> Totals:
        groups: defaultdict[str, defaultdict[str, Tally]] = defaultdict(lambda: defaultdict(Tally))
        for key in keys:
            found: dict[bytes, bytes] = self._connection.hgetall(key)  # type: ignore[assignment]
            for field, number in found.items():
                group, rest = field.decode().split(" ", 1)
                name, what = rest.rsplit(" ", 1)
                groups[group][name] += Tally(**{what: int(number)})
        return Totals(
            lanes={_pair(name): tally for name, tally in groups["lane"].items()},
            credentials=self._largest(groups["credential"]),
            consumers=self._largest(groups["consumer"]),
        )

    def _largest(self, tallies: Mapping[str, Tally]) -> dict[str, Tally]:
        """The largest first, and the rest as one."""
        named = [(name, tally) for name, tally in tallies.items() if name != OTHER]
        named.sort(key=lambda one: (-one[1].spent - one[1].saved, one[0]))
        rest = sum((tally for _, tally in named[self._most :]), tallies.get(OTHER, Tally()))
        largest = dict(named[: self._most])
        return largest | {OTHER: rest} if rest != Tally() else largest


def _key(step: int, moment: float) -> str:
    return f"fw:b:points:{step}:{math.floor(moment / step) * step}"


def _pair(name: str) -> tuple[str, str]:
    resource, lane = name.split(" ")
    return resource, lane
