"""Counts on their way through real stores, with a clock that tests move."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from webapp.cache.connection import Connection
from webapp.db.pool import Database
from webapp.secret import Secret
from webapp.telemetry.counts import Counts
from webapp.telemetry.delivery import Deliveries
from webapp.telemetry.metrics import Metrics
from webapp.telemetry.readings import Readings
from webapp.telemetry.rollup import RollUp
from webapp.telemetry.windows import Windows

DAY = 86_400
NOON = (time.time() // DAY + 2) * DAY
"""A whole day's first moment, ahead of Redis' clock, by which windows end: else they were over."""


@dataclass
class Clock:
    """Unix seconds, moved by hand."""

    now: float = NOON

    def __call__(self) -> float:
        return self.now


@dataclass
class Process:
    """What a process counts, and delivers when told."""

    windows: Windows
    clock: Clock
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        self.deliveries = Deliveries(self.windows, self.clock)

    def put(self) -> None:
        """Have delivered what was counted till now."""
        self.deliveries.put(self.counts.take())

    def deliver(self) -> bool:
        """The same, and deliver it."""
        self.put()
        return self.deliveries.deliver()


class Measured:
    """Redis and PostgreSQL as metrics use them."""

    def __init__(self, redis_url: str, database_url: str = "postgresql://127.0.0.1:1/none") -> None:
        self.clock = Clock()
        self.connection = Connection(Secret(redis_url), size=4)
        self.database = Database(Secret(database_url), size=2)
        self.windows = Windows(self.connection)
        self.rollup = RollUp(self.windows, self.database, self.clock)
        self.metrics = Metrics(Readings(self.windows, self.database, self.clock), self.clock)

    def process(self) -> Process:
        """Another process that counts."""
        return Process(self.windows, self.clock)

    def ever(self, name: str, *labels: str) -> int:
        """A counter's number, or a histogram's durations, of all time."""
        fields = self.windows.ever().get(name, {}).get(labels, {})
        return sum(number for field_, number in fields.items() if field_ != "sum")

    def close(self) -> None:
        """Give connections back."""
        self.connection.close()
        self.database.close()
