"""Where a window of a measure is to be read: Redis while it isn't rolled up, then PostgreSQL.

A minute that was added to since it was rolled up is read from Redis, which has all of it. Dirty
five minutes or hours are made of their minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from webapp.db import metrics as statements
from webapp.db.metrics import Point, Span
from webapp.db.pool import Database
from webapp.errors import DatabaseUnavailable, StoreUnavailable
from webapp.telemetry.histogram import Histogram
from webapp.telemetry.measures import Measure
from webapp.telemetry.windows import (
    FIVE,
    HOUR,
    KEPT,
    MINUTE,
    TEN,
    Fields,
    Windows,
)

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
        self, measure: Measure, labels: Labels, base: int, span: tuple[int, int], step: int
    ) -> list[Piece]:
        """Windows of `base` seconds that begin from `span`'s first moment on and before its last,
        or several of them added up, as long as they lie in the same step.

        Raises ValueError for an unknown label, StoreUnavailable, DatabaseUnavailable.
        """
        chosen = _chooser(measure, labels)
        if base == TEN or measure.passing:
            return list(self._from_redis(measure, chosen, min(base, MINUTE), span))
        if base == MINUTE:
            return self._minutes(measure, chosen, span, step)
        return self._longer(measure, chosen, base, span, step)

    def _minutes(
        self, measure: Measure, chosen: _Chooser, span: tuple[int, int], step: int
    ) -> list[Piece]:
        try:
            dirty = self._dirty(MINUTE, span)
        except StoreUnavailable:
            return self._from_database(measure, chosen, MINUTE, span, step)
        try:
            held = self._from_database(measure, chosen, MINUTE, span, step, without=dirty)
        except DatabaseUnavailable:
            if span[0] < self._clock() - KEPT[MINUTE]:
                raise
            return list(self._from_redis(measure, chosen, MINUTE, span))
        return held + list(self._from_redis(measure, chosen, MINUTE, span, only=dirty))

    def _longer(
        self, measure: Measure, chosen: _Chooser, base: int, span: tuple[int, int], step: int
    ) -> list[Piece]:
        try:
            dirty = self._dirty(base, span)
        except StoreUnavailable:
            dirty = set()
        found = self._from_database(measure, chosen, base, span, step, without=dirty)
        for start in dirty:
            found += self._minutes(measure, chosen, (start, start + base), min(step, base))
        return found

    def _dirty(self, step: int, span: tuple[int, int]) -> set[int]:
        first, last = span
        dirty = self._windows.dirty()
        return {start for each, start in dirty if each == step and first <= start < last}

    def _from_redis(
        self,
        measure: Measure,
        chosen: _Chooser,
        base: int,
        span: tuple[int, int],
        *,
        only: Collection[int] | None = None,
    ) -> Iterator[Piece]:
        now = self._clock()
        start = max(span[0], int((now - KEPT[base]) // base) * base)
        end = min(span[1], int(now // base + 1) * base)
        starts = [each for each in range(start, end, base) if only is None or each in only]
        if not starts:
            return
        sets = [each for each in self._windows.label_sets(measure.name, starts[0]) if chosen(each)]
        for labels, at, fields in self._windows.read(measure.name, sets, base, starts):
            yield _piece(measure, labels, at, fields)

    def _from_database(
        self,
        measure: Measure,
        chosen: _Chooser,
        base: int,
        span: tuple[int, int],
        step: int,
        *,
        without: Collection[int] = (),
    ) -> list[Piece]:
        first, last = map(_moment, span)
        whole = Span(first, last, timedelta(seconds=step))
        with self._database.connection() as conn:
            rows = statements.metric_series_of(conn, [measure.name])
            sets = {each.id: tuple(each.labels) for each in rows if chosen(tuple(each.labels))}
            if not sets:
                return []
            found = _READ[base](conn, sets.keys(), whole, [_moment(each) for each in without])
        return [_piece_of(sets, each) for each in found]


_READ = {
    MINUTE: statements.metric_minutes_of,
    FIVE: statements.metric_fives_of,
    HOUR: statements.metric_hours_of,
}
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
    histogram = None
    if point.buckets is not None:
        edges = point.least, point.most
        histogram = Histogram.from_bytes(point.buckets, int(point.sum), *edges)
    start = int(point.ts.timestamp())
    return Piece(sets[point.series_id], start, point.count, point.sum, histogram)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
