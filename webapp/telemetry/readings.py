"""Where a window of a measure is to be read: Redis while it isn't rolled up, then PostgreSQL.

A window that was added to since it was rolled up is read from Redis, which has all of it. A dirty
hour is made of its minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from webapp.db import metrics as statements
from webapp.db.metrics import Point
from webapp.db.pool import Database
from webapp.errors import DatabaseUnavailable, StoreUnavailable
from webapp.telemetry.histogram import Histogram
from webapp.telemetry.measures import Measure
from webapp.telemetry.windows import HOUR, KEPT, MINUTE, TEN, Fields, Windows

Labels = Mapping[str, str | Sequence[str]]
"""Label -> the value, or one of the values, that a series must have."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One series in one window that begins at `start` (Unix seconds); a histogram's sum in µs."""

    labels: tuple[str, ...]
    start: int
    count: int
    sum: float
    histogram: Histogram | None


class Readings:
    """One per process."""

    def __init__(
        self, windows: Windows, database: Database, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock` gives Unix seconds."""
        self._windows = windows
        self._database = database
        self._clock = clock

    def pieces(
        self, measure: Measure, labels: Labels, base: int, first: int, last: int
    ) -> list[Piece]:
        """Windows of `base` seconds that begin from `first` on and before `last`.

        Raises ValueError for an unknown label, StoreUnavailable, DatabaseUnavailable.
        """
        chosen = _chooser(measure, labels)
        if base == TEN:
            return list(self._from_redis(measure, chosen, TEN, first, last))
        if base == MINUTE:
            return self._minutes(measure, chosen, first, last)
        return self._hours(measure, chosen, first, last)

    def _minutes(self, measure: Measure, chosen: _Chooser, first: int, last: int) -> list[Piece]:
        try:
            dirty = self._dirty(MINUTE, first, last)
        except StoreUnavailable:
            return self._from_database(measure, chosen, MINUTE, first, last)
        waiting = list(self._from_redis(measure, chosen, MINUTE, first, last, only=dirty))
        try:
            held = self._from_database(measure, chosen, MINUTE, first, last)
        except DatabaseUnavailable:
            if first < self._clock() - KEPT[MINUTE]:
                raise
            return list(self._from_redis(measure, chosen, MINUTE, first, last))
        return [each for each in held if each.start not in dirty] + waiting

    def _hours(self, measure: Measure, chosen: _Chooser, first: int, last: int) -> list[Piece]:
        held = self._from_database(measure, chosen, HOUR, first, last)
        try:
            dirty = self._dirty(HOUR, first, last)
        except StoreUnavailable:
            return held
        found = [each for each in held if each.start not in dirty]
        for start in dirty:
            # Their own starts: they lie in the hour.
            found += self._minutes(measure, chosen, start, start + HOUR)
        return found

    def _dirty(self, step: int, first: int, last: int) -> set[int]:
        dirty = self._windows.dirty()
        return {start for each, start in dirty if each == step and first <= start < last}

    def _from_redis(
        self,
        measure: Measure,
        chosen: _Chooser,
        step: int,
        first: int,
        last: int,
        *,
        only: Collection[int] | None = None,
    ) -> Iterator[Piece]:
        now = self._clock()
        start = max(first, int((now - KEPT[step]) // step) * step)
        end = min(last, int(now // step + 1) * step)
        starts = [each for each in range(start, end, step) if only is None or each in only]
        if not starts:
            return
        sets = [each for each in self._windows.label_sets(measure.name, starts[0]) if chosen(each)]
        for labels, at, fields in self._windows.read(measure.name, sets, step, starts):
            yield _piece(measure, labels, at, fields)

    def _from_database(
        self, measure: Measure, chosen: _Chooser, step: int, first: int, last: int
    ) -> list[Piece]:
        since, until = datetime.fromtimestamp(first, UTC), datetime.fromtimestamp(last, UTC)
        with self._database.connection() as conn:
            rows = statements.metric_series_of(conn, [measure.name])
            sets = {each.id: tuple(each.labels) for each in rows if chosen(tuple(each.labels))}
            if not sets:
                return []
            read = statements.metric_minutes_of if step == MINUTE else statements.metric_hours_of
            return [_piece_of(sets, each) for each in read(conn, sets.keys(), since, until)]


_Chooser = Callable[[tuple[str, ...]], bool]


def _chooser(measure: Measure, labels: Labels) -> _Chooser:
    unknown = set(labels) - set(measure.labels)
    if unknown:
        raise ValueError(f"{measure.name} has no label {', '.join(sorted(unknown))}")
    wanted: list[tuple[int, frozenset[str]]] = [
        (measure.labels.index(label), frozenset([value] if isinstance(value, str) else value))
        for label, value in labels.items()
    ]

    def chosen(values: tuple[str, ...]) -> bool:
        # A measure whose labels have changed since: its old series have other values.
        return len(values) == len(measure.labels) and all(
            values[place] in those for place, those in wanted
        )

    return chosen


def _piece(measure: Measure, labels: tuple[str, ...], start: int, fields: Fields) -> Piece:
    if measure.kind == "histogram":
        histogram = Histogram.from_fields(fields)
        return Piece(labels, start, histogram.count, histogram.sum, histogram)
    if measure.kind == "gauge":
        return Piece(labels, start, 1, float(fields["value"]), None)
    return Piece(labels, start, int(fields.get("n", 0)), 0.0, None)


def _piece_of(sets: Mapping[int, tuple[str, ...]], point: Point) -> Piece:
    packed = point.buckets
    histogram = None if packed is None else Histogram.from_bytes(packed, int(point.sum))
    start = int(point.ts.timestamp())
    return Piece(sets[point.series_id], start, point.count, point.sum, histogram)
