"""How the database is: its server, tables and indexes, as PostgreSQL's own statistics tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from webapp.db import statements
from webapp.db.statements import Connection

MOST = 200


@dataclass(frozen=True, slots=True)
class Table:
    """`rows` as last estimated (-1: never); scans and rows read since statistics were reset."""

    name: str
    rows: int
    bytes: int
    sequential_scans: int
    sequential_rows: int
    index_scans: int
    dead_rows: int
    vacuumed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Index:
    """`is_constraint`: it keeps rows unique, used by reads or not."""

    name: str
    table_name: str
    bytes: int
    scans: int
    is_constraint: bool


@dataclass(frozen=True, slots=True)
class Server:
    """`cache_hits` is the share of pages found in memory; `longest_seconds` of a transaction."""

    version: str
    bytes: int
    connections: int
    connections_most: int
    cache_hits: float | None
    longest_seconds: float
    waiting_for_locks: int


def database_tables(conn: Connection, *, most: int = MOST) -> list[Table]:
    """The largest first."""
    return statements.rows(conn, "database_tables", Table, most=most)


def database_indexes(conn: Connection, *, most: int = MOST) -> list[Index]:
    """The largest first."""
    return statements.rows(conn, "database_indexes", Index, most=most)


def database_server(conn: Connection) -> Server:
    """Now."""
    server = statements.row(conn, "database_server", Server)
    assert server is not None
    return server
