"""Each query with its plan on the data at hand, judged.

In a read-only transaction with a timeout, rolled back. Statements that read the catalog are
planned, and with `analyze` run, with values taken from it; all others are planned for any value,
and never run.
A plan is bad where it reads a large table whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import psycopg

from webapp.db import statements
from webapp.db.catalog_search import composed
from webapp.db.connection import one_line
from webapp.db.statements import Connection

LARGE = 10_000
"""Rows from which reading a table whole is bad; below it, it is often best."""
SLOW_MS = 10.0
TIMEOUT = "5s"

State = Literal["ok", "bad", "unknown"]
Plan = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """One query: `indexes` its plan uses; `rows` are the planner's guess unless it ran."""

    query: str
    serves: str
    state: State
    reason: str
    indexes: tuple[str, ...] = ()
    rows: int = 0
    milliseconds: float | None = None
    """Planning and execution; None where it wasn't run."""
    buffers: int | None = None
    """Pages of 8 kB that it looked at."""
    plan: Plan = field(default_factory=dict, repr=False)


def explain(conn: Connection, *, analyze: bool, only: str | None = None) -> Iterator[Explained]:
    """Every statement there is, or one; the catalog's searches in each typical shape."""
    large = _large_tables(conn)
    sample = _sample(conn)
    for name in statements.names():
        if only not in {None, name}:
            continue
        if name == "catalog_search":
            for shape, asked in shapes(sample).items():
                statement, values = composed(**asked)
                query = f"{name}: {shape}"
                yield _explained(
                    conn, query, statement, values=values, large=large, analyze=analyze
                )
            continue
        statement, known = statements.load(name), _values(sample).get(name)
        yield _explained(conn, name, statement, values=known, large=large, analyze=analyze)


def plan_lines(plan: Plan, depth: int = 0) -> Iterator[str]:
    """A plan as text, a step a line."""
    of = plan.get("Index Name") or plan.get("Relation Name") or ""
    rows = plan.get("Actual Rows", plan.get("Plan Rows", 0))
    yield f"{'  ' * depth}{plan['Node Type']}{f' {of}' if of else ''}, {rows:g} rows"
    for each in plan.get("Plans", ()):
        yield from plan_lines(each, depth + 1)


@dataclass(frozen=True, slots=True)
class Sample:
    """A repository of some fame in the catalog; made up where it is empty."""

    id: int
    owner: str
    name_key: str
    word: str
    language: str
    topic: str


def shapes(sample: Sample) -> dict[str, dict[str, Any]]:
    """Searches as they are asked, by what is asked for."""
    sorts = ("stars", "pushed", "updated", "name")
    filters: dict[str, dict[str, Any]] = {
        "all": {},
        "q": {"q": sample.word},
        "q of two letters": {"q": sample.word[:2]},
        "org": {"org": sample.owner},
        "language": {"language": sample.language},
        "topic": {"topic": sample.topic},
        "archived": {"archived": True},
        "fork": {"fork": True},
        "visibility": {"visibility": "private"},
        "q, language, not archived": {
            "q": sample.word,
            "language": sample.language,
            "archived": False,
        },
    }
    return {
        f"{name}, by {sort}": {"sort": sort, **asked}
        for name, asked in filters.items()
        for sort in sorts
    }


def _sample(conn: Connection) -> Sample:
    row = conn.execute(
        "select id, owner_key, name_key, coalesce(nullif(language_key, ''), 'python'),"
        " coalesce(topics[1], 'web')"
        " from (select * from repositories order by stargazers_count desc, id desc limit 100) top"
        " order by stargazers_count, id limit 1"
    ).fetchone()
    if row is None:
        return Sample(0, "nobody", "nobody/nothing", "nothing", "python", "web")
    id_, owner, name_key, language, topic = row
    word = re.split(r"[^a-z0-9]", name_key.partition("/")[2])[0] or "web"
    return Sample(id_, owner, name_key, word, language, topic)


def _values(sample: Sample) -> dict[str, dict[str, Any]]:
    """Values for the statements that read the catalog."""
    return {
        "catalog_lookup": {"names": [sample.name_key]},
        "catalog_history": {"id": sample.id, "since": "2000-01-01"},
        "catalog_orgs": {"after": "", "limit": 30},
        "catalog_org": {"login": sample.owner},
    }


def _explained(
    conn: Connection,
    query: str,
    statement: str,
    *,
    values: Mapping[str, Any] | None,
    large: Mapping[str, float],
    analyze: bool,
) -> Explained:
    serves = re.sub(r"\s*\n-- ", " ", statement.partition("\n-- Index")[0])
    serves = serves.partition("-- Serves: ")[2].partition(" -- Index")[0]
    ran = analyze and values is not None
    try:
        with conn.transaction(force_rollback=True):
            conn.execute("set transaction read only")
            conn.execute("select set_config('statement_timeout', %s, true)", (TIMEOUT,))
            found = _plan(conn, statement, values, analyze=ran)
    except psycopg.Error as error:
        reason = f"can't be explained: {one_line(error)}"
        return Explained(query=query, serves=serves, state="unknown", reason=reason)
    plan = found["Plan"]
    steps = list(_steps(plan))
    took = found["Planning Time"] + found["Execution Time"] if ran else None
    state, reason = verdict(steps, large, took)
    return Explained(
        query=query,
        serves=serves,
        state=state,
        reason=reason,
        indexes=tuple(dict.fromkeys(step["Index Name"] for step in steps if "Index Name" in step)),
        rows=int(plan.get("Actual Rows", plan["Plan Rows"])),
        milliseconds=None if took is None else round(took, 3),
        buffers=plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] if ran else None,
        plan=plan,
    )


def verdict(
    steps: list[Plan], large: Mapping[str, float], milliseconds: float | None
) -> tuple[State, str]:
    """Of a plan's steps; `large` gives large tables' rows."""
    whole = {
        step["Relation Name"]: large[step["Relation Name"]]
        for step in steps
        if step["Node Type"] == "Seq Scan" and step["Relation Name"] in large
    }
    if whole:
        named = ", ".join(f"{name} ({rows:,.0f} rows)" for name, rows in whole.items())
        return "bad", f"reads {named} whole: an index is missing, or statistics are (analyze)"
    if milliseconds is not None and milliseconds > SLOW_MS:
        return "bad", f"took {milliseconds:.1f} ms, more than {SLOW_MS:g}"
    if any(step["Node Type"] == "Seq Scan" for step in steps):
        return "ok", "reads small tables whole, as is best"
    if any("Index Name" in step for step in steps):
        return "ok", "served by indexes"
    return "ok", "looks for nothing in a table"


def _plan(
    conn: Connection, statement: str, values: Mapping[str, Any] | None, *, analyze: bool
) -> Plan:
    if values is not None:
        options = "analyze, buffers, " if analyze else ""
        row = conn.execute(
            f"explain ({options}format json) {statement}".encode(), values, prepare=False
        ).fetchone()
    else:
        row = _generic(conn, statement)
    assert row is not None
    found: Plan = row[0][0]
    return found


def _generic(conn: Connection, statement: str) -> Any:
    """The plan for any value, by way of a prepared statement: EXPLAIN's own is PostgreSQL 16's."""
    places: dict[str, int] = {}

    def placed(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        return f"${places.setdefault(match[1], len(places) + 1)}"

    text = re.sub(r"%%|%\((\w+)\)s", placed, statement)
    conn.execute("set local plan_cache_mode = force_generic_plan")
    conn.execute(f"prepare explained as {text}".encode())
    try:
        nulls = f"({', '.join(['null'] * len(places))})" if places else ""
        return conn.execute(f"explain (format json) execute explained{nulls}".encode()).fetchone()
    finally:
        if conn.info.transaction_status != psycopg.pq.TransactionStatus.INERROR:
            conn.execute("deallocate explained")


def _steps(plan: Plan) -> Iterator[Plan]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from _steps(each)


def _large_tables(conn: Connection) -> dict[str, float]:
    """Name -> rows, as the server last counted."""
    rows = conn.execute(
        "select relname, reltuples from pg_class where relkind in ('r', 'p') and reltuples > %s",
        (LARGE,),
    ).fetchall()
    return dict(rows)
