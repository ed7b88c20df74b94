"""Closed minutes from Redis to PostgreSQL, and fives and hours from those: one leader, idempotent.

Redis remembers which windows were added to since they were rolled up, so what comes late (a
process that couldn't reach Redis) is rolled up late, and a roll-up that fails is done again.
PostgreSQL away for less than two hours loses nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter

from webapp.db import metrics as statements
from webapp.db.metrics import Point, Span
from webapp.db.pool import Database
from webapp.db.statements import Connection
from webapp.telemetry.histogram import Histogram
from webapp.telemetry.measures import MEASURES, Kind
from webapp.telemetry.windows import FIVE, MINUTE, Fields, Windows
from webapp.version import VERSION, revision

log = logging.getLogger(__name__)

SETTLED = 15  # seconds after its end: processes deliver every five
LONGER_AT_ONCE = 40

Found = tuple[str, tuple[str, ...], int, Fields]


@dataclass(frozen=True, slots=True)
class RolledUp:
    """Minutes, and five minutes and hours, written, and partitions dropped."""

    minutes: int = 0
    longer: int = 0
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
        longer = sorted((each for each in closed if each[0] != MINUTE), key=itemgetter(1, 0))
        del longer[LONGER_AT_ONCE:]
        found = list(self._found(minutes))
        with self._database.connection() as conn, conn.transaction():
            if not statements.metric_lock(conn):
                return RolledUp()
            dropped = statements.metric_partition(conn, _moment(now))
            self._note_release(conn, now)
            _put(conn, found)
            for step, start in longer:
                _put_longer(conn, step, start)
        done = [*((MINUTE, start) for start in minutes), *longer]
        self._windows.rolled_up({key: closed[key] for key in done})
        if dropped:
            log.info("metrics too old to keep: %d partitions dropped", dropped)
        return RolledUp(len(minutes), len(longer), dropped)

    def _found(self, minutes: list[int]) -> Iterable[Found]:
        if not minutes:
            return
        for name in (row.name for row in MEASURES.values() if not row.passing):
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
        edges = histogram.least, histogram.most
        packed = histogram.to_bytes()
        return Point(series_id, moment, histogram.count, float(histogram.sum), *edges, packed)
    if kind == "gauge":
        return Point(series_id, moment, 1, float(fields["value"]))
    return Point(series_id, moment, int(fields.get("n", 0)), 0.0)


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


def _put_longer(conn: Connection, step: int, start: int) -> None:
    span = Span(_moment(start), _moment(start + step), timedelta(seconds=step))
    minutes = statements.metric_minutes_of(conn, _ids(conn).values(), span)
    put = statements.metric_fives_put if step == FIVE else statements.metric_hours_put
    put(conn, [_compact(each) for each in minutes])


def _compact(point: Point) -> Point:
    """Its histogram's records, a bucket each."""
    if point.buckets is None:
        return point
    edges = point.least, point.most
    return replace(
        point, buckets=Histogram.from_bytes(point.buckets, int(point.sum), *edges).to_bytes()
    )


def _ids(conn: Connection) -> dict[tuple[str, tuple[str, ...]], int]:
    found = statements.metric_series_of(conn, list(MEASURES))
    return {(each.name, tuple(each.labels)): each.id for each in found}


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
