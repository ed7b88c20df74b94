"""Cursors that let each statement be enclosed, whatever way it is run: `conn.execute`, a cursor's
own, pipelined, or many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, Self, TypeVar

import psycopg
from psycopg.abc import Params, Query

Row = TypeVar("Row")
Around = Callable[[str], AbstractContextManager[object]]
"""Given a statement's text, encloses its execution."""


def enclosed(around: Around) -> type[psycopg.Cursor[Any]]:
    """A class for `cursor_factory`."""

    class EnclosedCursor(psycopg.Cursor[Row]):
        def execute(self, query: Query, params: Params | None = None, **options: Any) -> Self:
            with around(_text(query, self)):
                return super().execute(query, params, **options)  # type: ignore[arg-type]

        def executemany(
            self, query: Query, params_seq: Iterable[Params], *, returning: bool = False
        ) -> None:
            with around(_text(query, self)):
                super().executemany(query, params_seq, returning=returning)

    return EnclosedCursor


def _text(query: Query, cursor: psycopg.Cursor[Any]) -> str:
    if isinstance(query, str):
        return query
    if isinstance(query, bytes):
        return query.decode(errors="replace")
    composed: Any = query
    return str(composed.as_string(cursor))
