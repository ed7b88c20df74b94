"""The statements of watches (see statements.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from webapp.db import statements
from webapp.db.statements import Connection, execute

MOST = 10_000


@dataclass(frozen=True, slots=True)
class WatchRow:
    """A row of watches."""

    name: str
    kind: str
    source: str
    added_at: datetime


def watch_add(conn: Connection, name: str, *, kind: str, source: str) -> bool:
    """Watch a name; False where it was watched already."""
    return execute(conn, "watch_add", watch=name, kind=kind, source=source) == 1


def watch_remove(conn: Connection, name: str) -> bool:
    """Watch it no longer; False where it wasn't watched."""
    return execute(conn, "watch_remove", watch=name) == 1


def watch_kind(conn: Connection, name: str, *, kind: str) -> bool:
    """Note what an owner is; False where it isn't watched."""
    return execute(conn, "watch_kind", watch=name, kind=kind) == 1


def watches_all(conn: Connection, *, most: int = MOST) -> list[WatchRow]:
    """All of them, by name."""
    return statements.rows(conn, "watches_all", WatchRow, rows=most)


def watches_seed(conn: Connection, names: Sequence[str]) -> int:
    """Watch what the setting names; how many are new."""
    return execute(conn, "watches_seed", names=list(names))


def watches_unseed(conn: Connection, names: Sequence[str]) -> int:
    """Forget what only the setting named and no longer does; how many."""
    return execute(conn, "watches_unseed", names=list(names))
