"""Statements on metrics: series, their minutes and hours, releases. See statements.py.

Points are written by the roll-up alone, under its lock; written again they only grow. Minutes are
in partitions of a day, hours of a month: what is too old is dropped with its partition.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from webapp.db.statements import Connection, execute, row, rows

MINUTES_KEPT = timedelta(days=7)
HOURS_KEPT = timedelta(days=400)
AHEAD = timedelta(days=2)
BEHIND = timedelta(hours=3)
"""Partitions exist from so long ago on: what comes late is at most two hours old."""
AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """A measure's name, and a value for each of its labels."""

    id: int
    name: str
    labels: list[str]


@dataclass(frozen=True, slots=True)
class Point:
    """One series in one minute or hour, or in some, which begin at `ts`."""

    series_id: int
    ts: datetime
    count: int
    sum: float
    least: int | None = None
    most: int | None = None
    buckets: bytes | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """What begins from `since` on and before `until`, by steps, which are counted from 1970."""

    since: datetime
    until: datetime
    step: timedelta


@dataclass(frozen=True, slots=True)
class Release:
    """What began to run, and when."""

    started_at: datetime
    version: str
    revision: str


@dataclass(frozen=True, slots=True)
class _Lock:
    held: bool


@dataclass(frozen=True, slots=True)
class _Dropped:
    dropped: int


def metric_lock(conn: Connection) -> bool:
    """Whether this transaction is the one that rolls up."""
    found = row(conn, "metric_lock", _Lock)
    return found is not None and found.held


def metric_partition(conn: Connection, now: datetime) -> int:
    """Make room for what comes and drop what is too old; partitions dropped."""
    found = row(
        conn,
        "metric_partition",
        _Dropped,
        since=now - BEHIND,
        until=now + AHEAD,
        minutes_from=now - MINUTES_KEPT,
        hours_from=now - HOURS_KEPT,
    )
    assert found
    return found.dropped


def metric_series_add(conn: Connection, series: Collection[tuple[str, tuple[str, ...]]]) -> int:
    """Have these series, by name and label values; how many are new."""
    names = [name for name, _ in series]
    labels = ["|".join(values) for _, values in series]
    return execute(conn, "metric_series_add", names=names, labels=labels)


def metric_series_of(conn: Connection, names: Collection[str]) -> list[SeriesRow]:
    """The series of some measures."""
    return rows(conn, "metric_series_of", SeriesRow, names=list(names))


def metric_minutes_put(conn: Connection, points: Sequence[Point]) -> None:
    """Write minutes, or write them again."""
    for part in _parts(points):
        execute(conn, "metric_minutes_put", **_columns(part))


def metric_fives_put(conn: Connection, points: Sequence[Point]) -> None:
    """Write five minutes, or write them again."""
    for part in _parts(points):
        execute(conn, "metric_fives_put", **_columns(part))


def metric_hours_put(conn: Connection, points: Sequence[Point]) -> None:
    """Write hours, or write them again."""
    for part in _parts(points):
        execute(conn, "metric_hours_put", **_columns(part))


def metric_minutes_of(
    conn: Connection, series: Collection[int], span: Span, without: Collection[datetime] = ()
) -> list[Point]:
    """Minutes, added up by steps, in no order; `without` some of them."""
    return rows(conn, "metric_minutes_of", Point, **_range(series, span, without))


def metric_fives_of(
    conn: Connection, series: Collection[int], span: Span, without: Collection[datetime] = ()
) -> list[Point]:
    """Five minutes, added up by steps, in no order; `without` some of them."""
    return rows(conn, "metric_fives_of", Point, **_range(series, span, without))


def metric_hours_of(
    conn: Connection, series: Collection[int], span: Span, without: Collection[datetime] = ()
) -> list[Point]:
    """Hours, added up by steps, in no order; `without` some of them."""
    return rows(conn, "metric_hours_of", Point, **_range(series, span, without))


def metric_release_note(conn: Connection, now: datetime, version: str, revision: str) -> bool:
    """Note what runs; False where it is what ran already."""
    noted = execute(conn, "metric_release_note", now=now, version=version, revision=revision)
    return noted == 1


def metric_releases(conn: Connection, since: datetime, until: datetime) -> list[Release]:
    """What began to run in a period, earliest first."""
    return rows(conn, "metric_releases", Release, since=since, until=until)


def _parts(points: Sequence[Point]) -> Iterator[list[Point]]:
    left = iter(points)
    while part := list(islice(left, AT_ONCE)):
        yield part


def _columns(points: Sequence[Point]) -> dict[str, object]:
    return {
        "series": [each.series_id for each in points],
        "starts": [each.ts for each in points],
        "counts": [each.count for each in points],
        "sums": [each.sum for each in points],
        "leasts": [each.least for each in points],
        "mosts": [each.most for each in points],
        "buckets": [each.buckets for each in points],
    }


def _range(series: Collection[int], span: Span, without: Collection[datetime]) -> dict[str, object]:
    return {
        "series": list(series),
        "since": span.since,
        "until": span.until,
        "step": span.step,
        "without": list(without),
    }
