"""What this process has counted since it was last asked: exact, in memory, bounded.

A batch is all of it at one time. Batches merge, so what can't be delivered yet stays small.
"""

from __future__ import annotations

import os
import re
import threading
import weakref

from webapp.telemetry.histogram import Histogram
from webapp.telemetry.measures import MEASURES, Measure

Series = tuple[str, tuple[str, ...]]
"""A measure's name, and a value for each of its labels."""
Batch = dict[Series, int | float | Histogram]
"""Counters are integers, gauges floats."""

LONGEST_VALUE = 120
SEPARATOR = "|"
NONE = "none"  # an empty value
_UNPRINTABLE = re.compile(r"[^\x20-\x7b\x7d\x7e]+")


class Counts:
    """One per process. Thread-safe, and empty in a forked child."""

    def __init__(self) -> None:
        self.start_afresh()
        _counts.add(self)

    def start_afresh(self) -> None:
        """With nothing, as in a new process: what a parent counted is its own to deliver."""
        self._lock = threading.Lock()
        self._held: Batch = {}
        self._sets: dict[str, int] = {}

    def add(self, name: str, *values: str, number: int = 1) -> None:
        """Count; `values` are those of the measure's labels."""
        measure = MEASURES[name]
        with self._lock:
            series = self._admitted(measure, values)
            held = self._held.get(series, 0)
            assert isinstance(held, int)
            self._held[series] = held + number

    def observe(self, name: str, *values: str, seconds: float) -> None:
        """Record a duration."""
        measure = MEASURES[name]
        with self._lock:
            self._histogram(measure, values).record(seconds)

    def merge(self, name: str, values: tuple[str, ...], histogram: Histogram) -> None:
        """Record many durations at once."""
        measure = MEASURES[name]
        with self._lock:
            self._histogram(measure, values).merge(histogram)

    def set(self, name: str, *values: str, value: float) -> None:
        """Read a gauge: the last reading counts."""
        measure = MEASURES[name]
        with self._lock:
            self._held[self._admitted(measure, values)] = float(value)

    def take(self) -> Batch:
        """All that was counted since the last time."""
        with self._lock:
            taken, self._held, self._sets = self._held, {}, {}
        return taken

    def _histogram(self, measure: Measure, values: tuple[str, ...]) -> Histogram:
        held = self._held.setdefault(self._admitted(measure, values), Histogram())
        assert isinstance(held, Histogram)
        return held

    def _admitted(self, measure: Measure, values: tuple[str, ...]) -> Series:
        """The series of a label set; the folded one where it is new and there are too many."""
        series = measure.name, tuple(map(clean, values))
        if series in self._held:
            return series
        number = self._sets.get(measure.name, 0)
        if number >= measure.most:
            series = measure.name, measure.folded(series[1])
        self._sets[measure.name] = number + (series not in self._held)
        return series


def merged(into: Batch, batch: Batch) -> None:
    """Add a later batch to an earlier one."""
    for series, added in batch.items():
        held = into.get(series)
        if isinstance(added, Histogram):
            if not isinstance(held, Histogram):
                held = into[series] = Histogram()
            held.merge(added)
        elif isinstance(added, int) and isinstance(held, int):
            into[series] = held + added
        else:
            into[series] = added


def clean(value: str) -> str:
    """A label's value as keys can hold it."""
    return _UNPRINTABLE.sub("-", value)[:LONGEST_VALUE] or NONE


_counts: weakref.WeakSet[Counts] = weakref.WeakSet()


def _start_in_child() -> None:
    for each in _counts:
        each.start_afresh()


os.register_at_fork(after_in_child=_start_in_child)
