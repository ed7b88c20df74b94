"""A database for a module's tests of alerts, emptied for each, and a clock that they move."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import psycopg

from script.embedded import Postgres
from tests.stores import migrated_database
from tests.webapp.telemetry.alerts.runs import START
from webapp.db.pool import Database
from webapp.secret import Secret
from webapp.telemetry.alerts.alert import Reading
from webapp.telemetry.alerts.rules import Rule

TABLES = "alerts, alert_changes, alert_groups, silences, alert_outbox"


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, **time: float) -> None:
        self.now += timedelta(**time)


class Given:
    """Figures that a test gives: by rule's name the value, or readings; None for no data."""

    def __init__(self) -> None:
        self.values: dict[str, float | Sequence[Reading] | None] = {}

    def read(self, rule: Rule) -> Sequence[Reading] | None:
        value = self.values.get(rule.name)
        if isinstance(value, int | float):
            return [Reading("", value, 1_000_000)]
        return value


@contextmanager
def alert_database(postgres: Postgres, name: str) -> Iterator[str]:
    """The URL of a database of this name, migrated; dropped afterwards."""
    with migrated_database(postgres, name) as url:
        yield url


@contextmanager
def emptied(url: str, size: int = 4) -> Iterator[Database]:
    """As if no alert had ever been evaluated."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(f"truncate {TABLES} restart identity")
        conn.execute("update alert_clocks set evaluated_at = 'epoch', wake_at = null")
    database = Database(Secret(url), size=size)
    yield database
    database.close()


def outbox(url: str) -> Sequence[Mapping[str, object]]:
    """Every message, in order."""
    with psycopg.connect(url, row_factory=psycopg.rows.dict_row) as conn:
        return conn.execute("select * from alert_outbox order by id").fetchall()
