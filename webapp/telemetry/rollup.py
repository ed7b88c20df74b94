"""Closed minutes from Redis to PostgreSQL, and closed hours from those: by one leader, idempotent.

Redis remembers which windows were added to since they were rolled up, so what comes late (a
process that couldn't reach Redis) is rolled up late, and a roll-up that fails is done again.
PostgreSQL away for less than two hours loses nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from webapp.db import metrics as statements
from webapp.db.metrics import Point
from webapp.db.pool import Database
from webapp.db.statements import Connection
from webapp.telemetry.histogram import Histogram
from webapp.telemetry.measures import MEASURES, Kind
from webapp.telemetry.windows import HOUR, MINUTE, Fields, Windows
from webapp.version import VERSION, revision

log = logging.getLogger(__name__)

SETTLED = 15  # seconds after its end: processes deliver every five
HOURS_AT_ONCE = 4

Found = tuple[str, tuple[str, ...], int, Fields]


@dataclass(frozen=True, slots=True)
class RolledUp:
    """Minutes and hours written, and partitions dropped."""

    minutes: int = 0
    hours: int = 0
    dropped: int = 0


class RollUp:
    """Run once a minute, by any worker."""

    def __init__(
        self, windows: Windows, database: Database, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock` gives Unix seconds."""
        self._windows = windows
        self._database = database
        self._clock = clock
        self._noted = False

    def run(self) -> RolledUp:
        """Raises StoreUnavailable and DatabaseUnavailable: the next run does it."""
        now = self._clock()
        dirty = self._windows.dirty()
        closed = {
            (step, start): version
            for (step, start), version in dirty.items()
            if start + step + SETTLED <= now
        }
        minutes = sorted(start for step, start in closed if step == MINUTE)
        hours = sorted(start for step, start in closed if step == HOUR)[:HOURS_AT_ONCE]
        found = list(self._found(minutes))
        with self._database.connection() as conn, conn.transaction():
            if not statements.metric_lock(conn):
                return RolledUp()
            dropped = statements.metric_partition(conn, _moment(now))
            self._note_release(conn, now)
            _put(conn, found)
            for start in hours:
                _put_hour(conn, start)
        done = {(MINUTE, start) for start in minutes} | {(HOUR, start) for start in hours}
        self._windows.rolled_up({key: closed[key] for key in done})
        if dropped:
            log.info("metrics too old to keep: %d partitions dropped", dropped)
        return RolledUp(len(minutes), len(hours), dropped)

    def _found(self, minutes: list[int]) -> Iterable[Found]:
        if not minutes:
            return
        for name in MEASURES:
            sets = self._windows.label_sets(name, since=minutes[0])
            for labels, start, fields in self._windows.read(name, sets, MINUTE, minutes):
                yield name, labels, start, fields

    def _note_release(self, conn: Connection, now: float) -> None:
        if not self._noted:
            statements.metric_release_note(conn, _moment(now), VERSION, revision())
            self._noted = True


def point_of(kind: Kind, fields: Fields, series_id: int, start: int) -> Point:
    """A window of Redis as a row."""
    moment = _moment(start)
    if kind == "histogram":
        histogram = Histogram.from_fields(fields)
        packed = histogram.to_bytes()
        return Point(series_id, moment, histogram.count, float(histogram.sum), packed)
    if kind == "gauge":
        return Point(series_id, moment, 1, float(fields["value"]), None)
    return Point(series_id, moment, int(fields.get("n", 0)), 0.0, None)


def added_up(series_id: int, start: int, points: Iterable[Point]) -> Point:
    """One series' points as one that begins at `start`."""
    count, total, packed = 0, 0.0, False
    histogram = Histogram()
    for each in points:
        count += each.count
        total += each.sum
        if each.buckets is not None:
            packed = True
            histogram.merge(Histogram.from_bytes(each.buckets, int(each.sum)))
    buckets = histogram.to_bytes() if packed else None
    return Point(series_id, _moment(start), count, total, buckets)


def _put(conn: Connection, found: list[Found]) -> None:
    wanted = {(name, labels) for name, labels, _, _ in found}
    if not wanted:
        return
    ids = _ids(conn)
    if missing := wanted - ids.keys():
        statements.metric_series_add(conn, missing)
        ids = _ids(conn)
    statements.metric_minutes_put(
        conn,
        [
            point_of(MEASURES[name].kind, fields, ids[name, labels], start)
            for name, labels, start, fields in found
        ],
    )


def _put_hour(conn: Connection, start: int) -> None:
    by_series: dict[int, list[Point]] = {}
    every = list(_ids(conn).values())
    minutes = statements.metric_minutes_of(conn, every, _moment(start), _moment(start + HOUR))
    for each in minutes:
        by_series.setdefault(each.series_id, []).append(each)
    statements.metric_hours_put(
        conn, [added_up(series_id, start, points) for series_id, points in by_series.items()]
    )


def _ids(conn: Connection) -> dict[tuple[str, tuple[str, ...]], int]:
    found = statements.metric_series_of(conn, list(MEASURES))
    return {(each.name, tuple(each.labels)): each.id for each in found}


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
