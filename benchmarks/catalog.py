"""The catalog on a million repositories: each query beside itself without our indexes.

    python -m benchmarks.catalog [--quick]

Seeds an embedded PostgreSQL of its own, asks each query with other values each time, as
`webapp.db` asks it, then drops our indexes in a transaction that is rolled back, and asks again.
"""

from __future__ import annotations

import random
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from benchmarks.alone import alone, say
from benchmarks.catalog_cases import Case, cases, known, values_of
from benchmarks.results import Chapter, Effort, Table, Target
from benchmarks.seeded import seeded
from benchmarks.stopwatch import Stopwatch
from webapp.db.catalog_search import composed
from webapp.db.statements import Connection

REPOSITORIES = {Effort.FULL: 1_000_000, Effort.QUICK: 50_000}
DAYS = {Effort.FULL: 5, Effort.QUICK: 1}
ROUNDS = {Effort.FULL: 200, Effort.QUICK: 10}
BARE_ROUNDS = {Effort.FULL: 3, Effort.QUICK: 1}
NO_INDEX = "none: sequential scan"


@dataclass(frozen=True, slots=True)
class Measured:
    """Milliseconds, sorted; `index` is what its plans use."""

    case: Case
    index: str
    ours: list[float]
    without: list[float]

    def at(self, share: float) -> float:
        """A percentile of ours."""
        return self.ours[min(len(self.ours) - 1, round(share * (len(self.ours) - 1)))]


def _times(conn: Connection, case: Case, rounds: int) -> list[float]:
    """Milliseconds of each asking, sorted."""
    chance, clock = random.Random(case.name), Stopwatch(conn)
    times = []
    for _ in range(rounds):
        values = values_of(conn, case, chance)
        clock.start()
        case.ask(conn, values)
        times.append(clock.stop() * 1_000)
    return sorted(times)


def _index(conn: Connection, case: Case) -> str:
    """The indexes that its plans use, the most used first."""
    if case.index:
        return case.index
    chance, used = random.Random(case.name), dict[str, int]()
    for _ in range(20):
        statement, values = composed(**values_of(conn, case, chance))
        row = conn.execute("explain (format json) " + statement, values, prepare=False).fetchone()
        assert row
        for name in _names(row[0][0]["Plan"]):
            used[name] = used.get(name, 0) + 1
    return ", ".join(sorted(used, key=lambda name: (-used[name], name)))


def _names(node: dict[str, Any]) -> set[str]:
    found = {node["Index Name"]} if "Index Name" in node else set[str]()
    if node["Node Type"] == "Seq Scan":
        found.add(f"{NO_INDEX} of {node['Relation Name']}")
    return found.union(*(_names(each) for each in node.get("Plans", [])))


@contextmanager
def without_our_indexes(conn: Connection) -> Iterator[None]:
    """Inside, only primary keys are left."""
    with conn.transaction(force_rollback=True):
        for name in conn.execute(
            "select indexrelid::regclass::text from pg_index i"
            " join pg_class c on c.oid = i.indrelid"
            " where c.relnamespace = current_schema()::regnamespace and not indisprimary"
            " and c.relname in ('repositories', 'organisations', 'repository_days')"
        ).fetchall():
            conn.execute(f"drop index {name[0]}".encode())
        yield


def _sizes(conn: Connection) -> list[tuple[str, float, int]]:
    """Each table and index: its name, megabytes and rows."""
    return conn.execute(
        "select '`' || c.relname || '`', pg_relation_size(c.oid) / 1e6::float,"
        " greatest(c.reltuples, 0)::bigint"
        " from pg_class c left join pg_index i on i.indexrelid = c.oid"
        " where coalesce(i.indrelid, c.oid) in ('repositories'::regclass,"
        " 'organisations'::regclass, 'repository_days'::regclass) and c.relkind in ('r', 'i')"
        " order by coalesce(i.indrelid, c.oid)::regclass::text, pg_relation_size(c.oid) desc"
    ).fetchall()


def ask_everything(conn: Connection, every: Sequence[Case], effort: Effort) -> list[Measured]:
    """Ours, then with nothing but primary keys."""
    conn.execute("set statement_timeout = 0")
    for each in every:
        _times(conn, each, 5)  # warm
    say(f"{len(every)} queries")
    ours = [(each, _index(conn, each), _times(conn, each, ROUNDS[effort])) for each in every]
    say("the same without our indexes")
    with without_our_indexes(conn):
        bare = [_times(conn, each, BARE_ROUNDS[effort]) for each in every]
    return [
        Measured(case, index, times, slow)
        for (case, index, times), slow in zip(ours, bare, strict=True)
    ]


def measure(effort: Effort) -> Chapter:
    """Ask everything of a seeded catalog."""
    count = REPOSITORIES[effort]
    with (
        seeded(count, days=DAYS[effort]) as postgres,
        psycopg.connect(postgres.url, autocommit=True) as conn,
    ):
        held = known(conn)
        every = list(cases(held))
        found = ask_everything(conn, every, effort)
        sizes = _sizes(conn)
    slowest = max(found, key=lambda each: each.at(0.95))
    mine = sum(size for _, size, _ in sizes)
    return Chapter(
        "catalog",
        "The catalog",
        f"{count:,} repositories of {len(held.owners):,} owners; {len(found)} queries,"
        f" {ROUNDS[effort]} askings each with other values each time, milliseconds as the client"
        " waits (waiting for a CPU that other work has is left out); without our indexes"
        f" {BARE_ROUNDS[effort]} askings.",
        (
            Table(
                "Milliseconds",
                ("query", "index", "p50", "p95", "p99", "without: p50", "times"),
                tuple(_row(each) for each in found),
                f"The slowest by p95: {slowest.case.name}.",
            ),
            Table("Sizes", ("table or index", "MB", "rows"), tuple(sizes)),
        ),
        targets=(
            Target("catalog", slowest.at(0.95)),
            Target("catalog/scans", sum(NO_INDEX in each.index for each in found)),
        ),
        figures={
            "bytes a repository, indexes and history included": mine * 1e6 / count,
            "median of all queries, ms": statistics.median(each.at(0.5) for each in found),
        },
    )


def _row(each: Measured) -> tuple[str | float, ...]:
    before = statistics.median(each.without)
    indexes = ", ".join(f"`{name}`" for name in each.index.split(", "))
    return (
        *(each.case.name, indexes, each.at(0.5), each.at(0.95), each.at(0.99)),
        *(before, before / each.at(0.5)),
    )


if __name__ == "__main__":
    sys.exit(alone(measure, __doc__))
