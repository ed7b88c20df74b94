"""Reading what was measured (measures.py): by step for charts, as totals for alerts.

    steps of 10 s      the last hour          Redis
    minutes            the last seven days    PostgreSQL; Redis where not rolled up yet
    hours              the last 400 days      the same

Exact to the present flush (5 s): what is not rolled up yet is read from where it waits. Without
PostgreSQL the last two hours are left, without Redis what is rolled up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from webapp.telemetry.histogram import Histogram

Labels = Mapping[str, str | Sequence[str]]
"""Label -> the value, or one of the values, that a series must have."""
Group = tuple[str, ...]
"""Values of the labels that were grouped by, in the order asked for; () for all in one."""


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
    """One per process. Every method raises KeyError for an unknown measure or label,
    StoreUnavailable and DatabaseUnavailable where what is asked for can't be reached."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
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
        """Samples at every `step` seconds (a multiple of 10, 60 or 3600) from `since` until
        `until` (Unix seconds, rounded down and up to steps), those without anything included; one
        list a group. Series are chosen by `labels` and added up by `by`."""
        raise NotImplementedError

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
        hour back, to the minute up to a day long, else to the hour. No group is empty."""
        raise NotImplementedError

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
        raise NotImplementedError
