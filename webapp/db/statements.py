"""Running a statement: one `.sql` file each under queries/, one typed function each beside this.

A file's first comment lines say what it serves and which index serves it. The functions live in
the module of their subject (queries.py: archive and purges). They take an open connection, raise
what psycopg raises, and announce their time by `signals.query_ran`. Times are aware datetimes.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.rows import class_row

from webapp import signals

Connection = psycopg.Connection[Any]
Row = TypeVar("Row")

_FOLDER = Path(__file__).with_name("queries")


@cache
def load(name: str) -> LiteralString:
    """The statement of queries/<name>.sql, comments included: logs show what it serves."""
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def names() -> tuple[str, ...]:
    """Every statement there is."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.sql")))


def execute(conn: Connection, name: str, **values: object) -> int:
    """Run a statement that returns no rows; how many it changed."""
    with timed(name), conn.cursor() as cursor:
        return cursor.execute(load(name), values).rowcount


def execute_many(conn: Connection, name: str, rows: Iterable[Mapping[str, object]]) -> None:
    """Run a statement once a row, pipelined."""
    with timed(name), conn.cursor() as cursor:
        cursor.executemany(load(name), rows)


def rows(conn: Connection, name: str, shape: type[Row], **values: object) -> list[Row]:
    """All rows, as `shape`, a dataclass with the columns' names."""
    with timed(name), conn.cursor(row_factory=class_row(shape)) as cursor:
        return cursor.execute(load(name), values).fetchall()


def row(conn: Connection, name: str, shape: type[Row], **values: object) -> Row | None:
    """The first row, as `shape`; None where there is none."""
    with timed(name), conn.cursor(row_factory=class_row(shape)) as cursor:
        return cursor.execute(load(name), values).fetchone()


class timed(AbstractContextManager[None]):  # noqa: N801 - read as a word of the with statement
    """Announces a statement's time, also where it failed."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        signals.query_ran.send(query=self._name, seconds=time.perf_counter() - self._began)
