"""Reading what was measured (measures.py): by step for charts, as totals for alerts.

    steps of 10 s      the last hour          Redis
    minutes, fives     the last seven days    PostgreSQL; Redis where not rolled up yet
    hours              the last 400 days      the same

Exact to the present flush (5 s): what is not rolled up yet is read from where it waits. Without
PostgreSQL the last two hours are left, without Redis what is rolled up.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from webapp.telemetry.histogram import Histogram
from webapp.telemetry.measures import MEASURES, Measure
from webapp.telemetry.readings import Labels, Piece, Readings
from webapp.telemetry.windows import FIVE, HOUR, MINUTE, TEN

Group = tuple[str, ...]
"""Values of the labels that were grouped by, in the order asked for; () for all in one."""

SHORT = 900  # seconds back to which totals are read by 10 s
MINUTES = 6 * 86_400  # seconds back to which there are minutes for certain
LONG = 2 * HOUR  # from so many seconds on whole hours are read as such
WHOLE = 10**10  # seconds: a step that holds everything
LATEST = 120  # seconds


@dataclass(frozen=True, slots=True)
class Sample:
    """One step of a series, or a total: what was added from `at` (Unix seconds) on.

    `count` is a counter's increase, a histogram's number of durations, a gauge's number of
    readings. `sum` is the durations' in seconds, the readings' added up; 0 for a counter.
    """

    at: float
    count: int = 0
    sum: float = 0.0
    histogram: Histogram | None = None

    @property
    def mean(self) -> float | None:
        """Of the durations or readings; None where there are none."""
        return self.sum / self.count if self.count else None

    def quantile(self, share: float) -> float | None:
        """Seconds; None where there are none, or where it is no histogram."""
        return self.histogram.quantile(share) if self.histogram else None


class Metrics:
    """One per process. Every method raises KeyError for an unknown measure, ValueError for an
    unknown label or step, StoreUnavailable and DatabaseUnavailable where what is asked for can't
    be reached."""

    def __init__(self, readings: Readings, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives Unix seconds."""
        self._readings = readings
        self._clock = clock

    def series(
        self,
        name: str,
        labels: Labels | None = None,
        *,
        since: float,
        until: float,
        step: int,
        by: Sequence[str] = (),
    ) -> dict[Group, list[Sample]]:
        """Samples at every `step` seconds (a multiple of 10; of 300 and 3600 quickest) from `since`
        until `until` (Unix seconds, rounded down and up to steps), those without anything
        included; one list a group. Series are chosen by `labels` and added up by `by`."""
        measure = MEASURES[name]
        base = next(
            (each for each in (HOUR, FIVE, MINUTE, TEN) if step > 0 and step % each == 0), None
        )
        if base is None:
            raise ValueError(f"no step: {step}")
        first, last = _rounded(since, until, step)
        pieces = self._readings.pieces(measure, labels or {}, base, (first, last), step)
        places: dict[Group, dict[float, list[Piece]]] = {}
        for group, piece in _grouped(measure, by, pieces):
            at = math.floor(piece.start / step) * step
            places.setdefault(group, {}).setdefault(at, []).append(piece)
        return {
            group: [_sample(measure, at, held.get(at, ())) for at in range(first, last, step)]
            for group, held in sorted(places.items())
        }

    def totals(
        self,
        name: str,
        labels: Labels | None = None,
        *,
        since: float,
        until: float,
        by: Sequence[str] = (),
    ) -> dict[Group, Sample]:
        """All from `since` until `until` as one sample a group: to 10 s up to a quarter of an
        hour back, to the minute up to a week back, else to the hour. No group is empty."""
        measure = MEASURES[name]
        parts = _parts(since, until, self._clock())
        groups: dict[Group, list[Piece]] = {}
        for base, span in parts:
            pieces = self._readings.pieces(measure, labels or {}, base, span, WHOLE)
            for group, piece in _grouped(measure, by, pieces):
                groups.setdefault(group, []).append(piece)
        first = float(parts[0][1][0]) if parts else since
        return {group: _sample(measure, first, held) for group, held in sorted(groups.items())}

    def total(
        self, name: str, labels: Labels | None = None, *, since: float, until: float
    ) -> Sample:
        """The same in one sample, which may be empty."""
        found = self.totals(name, labels, since=since, until=until)
        return found.get((), Sample(since))

    def quantile(
        self,
        name: str,
        share: float,
        labels: Labels | None = None,
        *,
        since: float,
        until: float,
    ) -> float | None:
        """Seconds that `share` (0 to 1) of a histogram's durations didn't exceed; None for none."""
        return self.total(name, labels, since=since, until=until).quantile(share)

    def latest(self, name: str, labels: Labels | None = None) -> dict[Group, float]:
        """A gauge's last readings of the last two minutes, by all of its labels."""
        measure = MEASURES[name]
        now = self._clock()
        since, until = math.floor(now / TEN) * TEN - LATEST, math.ceil(now / TEN) * TEN
        found: dict[Group, Piece] = {}
        for piece in self._readings.pieces(measure, labels or {}, TEN, (since, until), TEN):
            held = found.get(piece.labels)
            if held is None or held.start < piece.start:
                found[piece.labels] = piece
        return {group: piece.sum for group, piece in sorted(found.items())}


def _parts(since: float, until: float, now: float) -> list[tuple[int, tuple[int, int]]]:
    """Pure: windows of how many seconds to read, and from when till when; hours where they fit."""
    if now - since <= SHORT:
        return [(TEN, _rounded(since, until, TEN))]
    first, last = _rounded(since, until, MINUTE)
    if last - first <= LONG and now - since <= MINUTES:
        return [(MINUTE, (first, last))]
    # The hour that a period begins in is read by minutes where there are any.
    hours_from = (math.ceil if now - since <= MINUTES else math.floor)(since / HOUR) * HOUR
    hours_to = (math.floor if now - until <= MINUTES else math.ceil)(last / HOUR) * HOUR
    parts = [(MINUTE, (first, hours_from)), (HOUR, (hours_from, hours_to))]
    parts.append((MINUTE, (hours_to, last)))
    return [(base, (start, end)) for base, (start, end) in parts if start < end]


def _rounded(since: float, until: float, base: int) -> tuple[int, int]:
    return math.floor(since / base) * base, math.ceil(until / base) * base


def _grouped(
    measure: Measure, by: Sequence[str], pieces: Iterable[Piece]
) -> Iterable[tuple[Group, Piece]]:
    unknown = set(by) - set(measure.labels)
    if unknown:
        raise ValueError(f"{measure.name} has no label {', '.join(sorted(unknown))}")
    places = [measure.labels.index(label) for label in by]
    for piece in pieces:
        yield tuple(piece.labels[place] for place in places), piece


def _sample(measure: Measure, at: float, pieces: Iterable[Piece]) -> Sample:
    count, total = 0, 0.0
    histogram = Histogram() if measure.kind == "histogram" else None
    for each in pieces:
        count += each.count
        total += each.sum
        if histogram is not None and each.histogram is not None:
            histogram.merge(each.histogram)
    if histogram is not None:
        total /= 1e6
    return Sample(at, count, total, histogram if count else None)
