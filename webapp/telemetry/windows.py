"""Where counts wait in Redis: windows of 10 s for an hour, of a minute for two, and all of time.

Keys:
- `fw:m:w:<step>:<start>:<name>|<labels>`: one series in one window: a histogram's buckets by
  number, `sum`, `least`, `most` (µs); a counter's `n`; a gauge's `value`.
- `fw:m:s:<name>`: its label sets, by when they last counted; `fw:m:e:<name>`: those of all time.
- `fw:m:ever`: counters since `born`: `<name>|<labels>|<field>`, fields as /metrics shows them.
- `fw:m:dirty`: minutes, five minutes and hours that are not rolled up, `<step>:<start>`, and how
  often they were added to.
- `fw:m:processes`: process -> its last delivery that is counted, and when (delivery.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from webapp.cache.connection import Connection
from webapp.telemetry.counts import SEPARATOR

TEN, MINUTE, FIVE, HOUR = 10, 60, 300, 3600
KEPT = {TEN: 3600, MINUTE: 7200}
"""Seconds for which a window is kept after its end (as lua/metrics_add.lua)."""
EVER, DIRTY, PROCESSES = "fw:m:ever", "fw:m:dirty", "fw:m:processes"
BORN = "born"
AT_ONCE = 400  # windows a command: Redis answers others in between

Fields = dict[str, str]
_LUA = Path(__file__).parent / "lua"


def window_key(step: int, start: int, name: str, labels: tuple[str, ...]) -> str:
    """The key of one series in one window."""
    return f"fw:m:w:{step}:{start}:{name}{SEPARATOR}{SEPARATOR.join(labels)}"


def start_of(step: int, moment: float) -> int:
    """When the window of a moment begins, Unix seconds."""
    return math.floor(moment / step) * step


class Windows:
    """One per process. Every method raises StoreUnavailable."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def add(self) -> Any:
        """lua/metrics_add.lua, for delivery.py."""
        return self._script("metrics_add")

    @cached_property
    def _read(self) -> Any:
        return self._script("metrics_read")

    @cached_property
    def _done(self) -> Any:
        return self._script("metrics_done")

    def _script(self, name: str) -> Any:
        return self._connection.register_script((_LUA / f"{name}.lua").read_text())

    def label_sets(self, name: str, since: float) -> list[tuple[str, ...]]:
        """Label sets of a measure that counted at `since` or later."""
        found: Any = self._connection.zrangebyscore(f"fw:m:s:{name}", math.floor(since), "+inf")
        return sorted(tuple(each.decode().split(SEPARATOR)) if each else () for each in found)

    def read(
        self, name: str, sets: Iterable[tuple[str, ...]], step: int, starts: Sequence[int]
    ) -> Iterator[tuple[tuple[str, ...], int, Fields]]:
        """Label set, start and fields of the windows that hold anything."""
        wanted = [(labels, start) for labels in sets for start in starts]
        for place in range(0, len(wanted), AT_ONCE):
            part = wanted[place : place + AT_ONCE]
            keys = [window_key(step, start, name, labels) for labels, start in part]
            found: list[list[bytes]] = self._read(keys=keys)
            for (labels, start), flat in zip(part, found, strict=True):
                if flat:
                    yield labels, start, _fields(flat)

    def dirty(self) -> dict[tuple[int, int], int]:
        """(step, start) of what is not rolled up -> how often it was added to."""
        found: Any = self._connection.hgetall(DIRTY)
        windows = {}
        for field, version in found.items():
            step, _, start = field.decode().partition(":")
            windows[int(step), int(start)] = int(version)
        return windows

    def rolled_up(self, windows: Mapping[tuple[int, int], int]) -> None:
        """They are, as `dirty` gave them."""
        if windows:
            flat = [
                str(part)
                for (step, start), version in windows.items()
                for part in (f"{step}:{start}", version)
            ]
            self._done(keys=[DIRTY], args=flat)

    def ever(self) -> dict[str, dict[tuple[str, ...], dict[str, int]]]:
        """Measure -> label set -> field -> number, since the first count that Redis remembers."""
        found: Any = self._connection.hgetall(EVER)
        counters: dict[str, dict[tuple[str, ...], dict[str, int]]] = {}
        for key, number in found.items():
            name, *labels = key.decode().split(SEPARATOR)
            if labels:  # else it is `born`
                *values, field = labels
                sets = counters.setdefault(name, {})
                sets.setdefault(tuple(values), {})[field] = int(number)
        return counters

    def born(self) -> str:
        """Which count of all time this is: another one where Redis has lost the last."""
        found: Any = self._connection.hget(EVER, BORN)
        return found.decode() if found else ""

    def elect(self, role: str, seconds: float) -> bool:
        """Whether this process does what one of all does once in so many seconds."""
        key = f"fw:m:elected:{role}"
        return bool(self._connection.set(key, 1, nx=True, px=int(seconds * 1000)))


def _fields(flat: list[bytes]) -> Fields:
    pairs = iter(flat)
    return {name.decode(): value.decode() for name, value in zip(pairs, pairs, strict=True)}
