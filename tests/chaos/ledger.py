"""What several processes know of the truth and of purges, in memory that they share.

For each key: its version at GitHub now, and a history of floors. A floor (at, soft, hard) says that
from the moment `at` on (time.monotonic_ns, one clock for all processes) no answer may be older than
`soft`, and none that is grace older than `hard`. One process at a time writes a key's history; a
writer that is killed leaves it whole.
"""

from __future__ import annotations

import mmap
from typing import NamedTuple

HISTORY = 512
_SLOT = 3
_KEY = 2 + HISTORY * _SLOT  # version, how many floors, floors


class Floor(NamedTuple):
    at: int
    soft: int
    hard: int


class Ledger:
    """Made before the processes that share it are forked."""

    def __init__(self, keys: int, counters: int) -> None:
        self._memory = mmap.mmap(-1, 8 * (keys * _KEY + counters))
        self._cells = memoryview(self._memory).cast("q")
        self._counters = keys * _KEY

    def version(self, key: int) -> int:
        return self._cells[key * _KEY]

    def change(self, key: int) -> int:
        """The key's next version, known at GitHub from now on."""
        self._cells[key * _KEY] += 1
        return self._cells[key * _KEY]

    def raise_floor(self, key: int, at: int, *, version: int, hard: bool) -> None:
        """A purge of this version has returned."""
        base, last = key * _KEY, self.floor(key, at)
        floor = (at, max(last.soft, version), max(last.hard, version if hard else 0))
        count = self._cells[base + 1]
        slot = base + 2 + count % HISTORY * _SLOT
        for offset, value in enumerate(floor):
            self._cells[slot + offset] = value
        self._cells[base + 1] = count + 1

    def floor(self, key: int, at: int) -> Floor:
        """What holds for a request that began at that moment."""
        base = key * _KEY
        count = self._cells[base + 1]
        for back in range(1, min(count, HISTORY - 1) + 1):
            slot = base + 2 + (count - back) % HISTORY * _SLOT
            if self._cells[slot] <= at:
                return Floor(*self._cells[slot : slot + _SLOT])
        return Floor(0, 0, 0)

    def count(self, counter: int) -> None:
        """Roughly: threads and processes may lose one to each other."""
        self._cells[self._counters + counter] += 1

    def counted(self, counter: int) -> int:
        return self._cells[self._counters + counter]
