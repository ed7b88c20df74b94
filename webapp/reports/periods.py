"""The periods that pages and their JSON twins are asked for, and the steps they are drawn in.

A step is a whole number of the shortest counts kept for so long (10 s for an hour, a minute for
7 days), so that nothing is guessed between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

DEFAULT = "1h"

PERIODS: Mapping[str, tuple[timedelta, timedelta]] = MappingProxyType(
    {
        "15m": (timedelta(minutes=15), timedelta(seconds=20)),
        "1h": (timedelta(hours=1), timedelta(minutes=1)),
        "6h": (timedelta(hours=6), timedelta(minutes=5)),
        "24h": (timedelta(hours=24), timedelta(minutes=20)),
        "7d": (timedelta(days=7), timedelta(hours=2)),
    }
)
"""Name -> length, step."""


@dataclass(frozen=True, slots=True)
class Window:
    """A period that ends with the step `now` lies in: `steps` of them, the first at `since`."""

    name: str
    now: datetime
    since: datetime
    until: datetime
    step: timedelta

    @property
    def steps(self) -> int:
        """How many."""
        return (self.until - self.since) // self.step

    @property
    def seconds(self) -> float:
        """From the first moment to now: what a rate is divided by."""
        return (min(self.until, self.now) - self.since).total_seconds()

    def before(self) -> Window:
        """The period before this one, as long, and as far into its last step."""
        length = self.until - self.since
        return Window(
            self.name, self.now - length, self.since - length, self.until - length, self.step
        )


def window(name: str, now: datetime) -> Window:
    """The period of this name; KeyError for an unknown one."""
    length, step = PERIODS[name]
    size = step.total_seconds()
    until = datetime.fromtimestamp((now.timestamp() // size + 1) * size, UTC)
    return Window(name, now, until - length, until, step)
