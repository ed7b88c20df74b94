"""The catalog on a million repositories: each query beside itself without our indexes.

    python -m benchmarks.catalog --repos 1000000 --orgs 2000 --write

Seeds an embedded PostgreSQL of its own, asks each query with other values each time, as
`webapp.db` asks it, then drops our indexes in a transaction that is rolled back, and asks again.
`--write` puts the tables into docs/performance.md, between its markers.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from script.embedded import Postgres
from webapp.db import catalog
from webapp.db.catalog_search import (
    OrderName,
    SortName,
    catalog_search,
    composed,
    place,
)
from webapp.db.migrate import upgrade
from webapp.db.seed import LANGUAGES, WORD_SHARES, WORDS, Progress, seed
from webapp.db.statements import Connection
from webapp.secret import Secret

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- catalog: begin -->", "<!-- catalog: end -->"
TARGET_MS = 10.0
LOOKED_UP = 250
SORTS: tuple[SortName, ...] = ("stars", "pushed", "updated", "name")


@dataclass(frozen=True, slots=True)
class Known:
    """What the seeded catalog holds, to ask for."""

    names: list[str]
    owners: list[str]
    ids: list[int]
    topics: list[str]


@dataclass(frozen=True, slots=True)
class Case:
    """A query of the catalog; `draw` gives its next asking."""

    name: str
    draw: Callable[[random.Random], dict[str, Any]]
    ask: Callable[[Connection, dict[str, Any]], object]
    index: str = ""
    """Where it isn't read off the plan."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Milliseconds, sorted."""

    case: Case
    index: str
    ours: list[float]
    without: list[float]


Draw = Callable[[random.Random], dict[str, Any]]


def _search(name: str, draw: Draw) -> Case:
    def ask(conn: Connection, values: dict[str, Any]) -> object:
        return catalog_search(conn, **values)

    return Case(name, draw, ask)


def _sorted(name: str, sort: SortName, draw: Draw) -> Case:
    return _search(f"{name}, by {sort}", lambda chance: {**draw(chance), "sort": sort})


def filters(known: Known) -> dict[str, Draw]:
    """Filters as they are asked for, in each sort."""
    return {
        "all": lambda _: {},
        "all, from somewhere on": lambda chance: _deep(chance, known),
        "org": lambda chance: {"org": chance.choice(known.owners)},
        "language": lambda chance: {"language": chance.choice(LANGUAGES)},
        "topic": lambda chance: {"topic": chance.choice(known.topics)},
        "archived": lambda _: {"archived": True},
        "fork": lambda _: {"fork": True},
        "not public": lambda chance: {"visibility": chance.choice(("private", "internal"))},
        "q": lambda chance: {"q": _word(chance, known)},
        "q of two letters": lambda chance: {"q": _of_text(chance)[:2]},
        "q of two words": lambda chance: {"q": f"{_of_text(chance)} {_of_text(chance)}"},
        "q that nothing has": lambda chance: {"q": f"qzx{chance.randrange(10**6)}"},
        "org and q": lambda chance: {"org": chance.choice(known.owners), "q": _of_text(chance)},
        "q, language, not archived": lambda chance: {
            "q": _of_text(chance),
            "language": chance.choice(LANGUAGES[:20]),
            "archived": False,
        },
        "topic, language, neither archived nor fork": lambda chance: {
            "language": chance.choice(LANGUAGES[:20]),
            "topic": chance.choice(known.topics),
            "archived": False,
            "fork": False,
        },
    }


def cases(known: Known) -> Iterator[Case]:
    """Every query of the catalog."""
    for name, draw in filters(known).items():
        for sort in SORTS:
            yield _sorted(name, sort, draw)
    yield Case(
        f"look-up of {LOOKED_UP} names",
        lambda chance: {"names": chance.sample(known.names, LOOKED_UP)},
        lambda conn, values: catalog.catalog_lookup(conn, values["names"]),
        "repositories_name",
    )
    yield Case(
        "one repository",
        lambda chance: {"name": chance.choice(known.names)},
        lambda conn, values: catalog.catalog_lookup(conn, [values["name"]]),
        "repositories_name",
    )
    yield Case(
        "history",
        lambda chance: {"id": chance.choice(known.ids)},
        lambda conn, values: catalog.catalog_history(conn, values["id"]),
        "repository_days_pkey",
    )
    yield Case(
        "owners, a page of 30",
        lambda chance: {"after": chance.choice(known.owners)},
        lambda conn, values: catalog.catalog_orgs(conn, after=values["after"]),
        "organisations_login, repositories_owner_updated",
    )
    yield Case(
        "one owner",
        lambda chance: {"login": chance.choice(known.owners)},
        lambda conn, values: catalog.catalog_org(conn, values["login"]),
        "organisations_login, repositories_owner_updated",
    )


def _word(chance: random.Random, known: Known) -> str:
    """Common words, parts of words, and names that one repository has."""
    kind = chance.randrange(3)
    if kind == 0:
        return _of_text(chance)
    if kind == 1:
        return _of_text(chance)[:3]
    return chance.choice(known.names).partition("/")[2]


def _of_text(chance: random.Random) -> str:
    """A word, as often as it is used."""
    return chance.choices(WORDS, cum_weights=WORD_SHARES)[0]


def _deep(chance: random.Random, known: Known) -> dict[str, Any]:
    order: OrderName = chance.choice(("asc", "desc"))
    return {"order": order, "deep": chance.choice(known.names)}


def _known(conn: Connection) -> Known:
    def column(statement: str) -> list[Any]:
        return [row[0] for row in conn.execute(statement.encode())]

    return Known(
        names=column("select name_key from repositories tablesample system (1) repeatable (1)"),
        owners=column("select login_key from organisations"),
        ids=column("select id from repositories tablesample system (1) repeatable (2)"),
        topics=column(
            "select distinct unnest(topics) from repositories tablesample system (1) repeatable (3)"
        ),
    )


def _values(conn: Connection, case: Case, chance: random.Random) -> dict[str, Any]:
    values = case.draw(chance)
    if "deep" in values:  # a page's end is found outside the clock
        row = catalog.catalog_lookup(conn, [values.pop("deep")])[0]
        values["after"] = place(row, values["sort"])
    return values


def _times(conn: Connection, case: Case, rounds: int) -> list[float]:
    """Milliseconds of each asking, sorted."""
    chance, clock = random.Random(case.name), Stopwatch(conn)
    times = []
    for _ in range(rounds):
        values = _values(conn, case, chance)
        clock.start()
        case.ask(conn, values)
        times.append(clock.stop() * 1_000)
    return sorted(times)


class Stopwatch:
    """Seconds that an asking takes, but for what other work on the machine makes it wait.

    Linux counts for each process how long it had a CPU, and how long it was ready and had none
    (Documentation/scheduler/sched-stats.rst). That wait of the client's and the server's is left
    out; never less is told than both computed. Elsewhere: the clock's own time.
    """

    def __init__(self, conn: Connection) -> None:
        pids = (str(conn.info.backend_pid), "self")
        self._files = [Path(f"/proc/{pid}/schedstat") for pid in pids]
        self._counted = all(each.exists() for each in self._files)
        self._began, self._before = 0.0, (0, 0)

    def start(self) -> None:
        """From now on."""
        self._before = self._ran_and_waited()
        self._began = time.perf_counter()

    def stop(self) -> float:
        """Seconds since the start."""
        took = time.perf_counter() - self._began
        ran, waited = self._ran_and_waited()
        waits = (waited - self._before[1]) / 1e9
        return max(took - waits, (ran - self._before[0]) / 1e9)

    def _ran_and_waited(self) -> tuple[int, int]:
        """Nanoseconds, of both processes."""
        if not self._counted:
            return 0, 0
        counts = [each.read_text().split() for each in self._files]
        return sum(int(each[0]) for each in counts), sum(int(each[1]) for each in counts)


def _index(conn: Connection, case: Case) -> str:
    """The indexes that its plans use, the most used first."""
    if case.index:
        return case.index
    chance, used = random.Random(case.name), dict[str, int]()
    for _ in range(20):
        statement, values = composed(**_values(conn, case, chance))
        row = conn.execute("explain (format json) " + statement, values, prepare=False).fetchone()
        assert row
        for name in _names(row[0][0]["Plan"]):
            used[name] = used.get(name, 0) + 1
    return ", ".join(sorted(used, key=lambda name: -used[name]))


def _names(node: dict[str, Any]) -> set[str]:
    found = {node["Index Name"]} if "Index Name" in node else set[str]()
    if node["Node Type"] == "Seq Scan":
        found.add(f"none: sequential scan of {node['Relation Name']}")
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


def _percentile(times: list[float], share: float) -> float:
    return times[min(len(times) - 1, round(share * (len(times) - 1)))]


def tables(measured: list[Measured], sizes: list[tuple[str, str, str]], header: str) -> str:
    """Markdown: the queries, then the indexes."""
    lines = [
        header,
        "",
        "| query | index | p50 | p95 | p99 | without: p50 | times |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for each in measured:
        p50, p95, p99 = (_percentile(each.ours, share) for share in (0.5, 0.95, 0.99))
        before = statistics.median(each.without)
        indexes = ", ".join(f"`{name}`" for name in each.index.split(", "))
        lines.append(
            f"| {each.case.name} | {indexes} | {p50:.2f} | {p95:.2f} | {p99:.2f}"
            f" | {before:,.1f} | {before / p50:,.0f} |"
        )
    lines += ["", "| table or index | size | rows |", "|---|--:|--:|"]
    lines += [f"| `{name}` | {size} | {rows} |" for name, size, rows in sizes]
    return "\n".join(lines)


def _sizes(conn: Connection) -> list[tuple[str, str, str]]:
    return conn.execute(
        "select c.relname, pg_size_pretty(pg_relation_size(c.oid)),"
        " to_char(greatest(c.reltuples, 0), 'FM999,999,999,999')"
        " from pg_class c left join pg_index i on i.indexrelid = c.oid"
        " where coalesce(i.indrelid, c.oid) in ('repositories'::regclass,"
        " 'organisations'::regclass, 'repository_days'::regclass) and c.relkind in ('r', 'i')"
        " order by coalesce(i.indrelid, c.oid)::regclass::text, pg_relation_size(c.oid) desc"
    ).fetchall()


def write(text: str, document: Path = DOCUMENT) -> None:
    """Put the tables between their markers."""
    held = document.read_text(encoding="utf-8")
    before, _, rest = held.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"{document.name} lacks the markers {BEGIN} and {END}")
    document.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def measure(url: str, rounds: int, bare_rounds: int) -> tuple[list[Measured], str]:
    """Ask everything; the figures and the tables' text."""
    with psycopg.connect(url, autocommit=True) as conn:
        known = _known(conn)
        every = list(cases(known))
        conn.execute("set statement_timeout = 0")
        for each in every:
            _times(conn, each, 5)  # warm
        ours = [(each, _index(conn, each), _times(conn, each, rounds)) for each in every]
        with without_our_indexes(conn):
            bare = [_times(conn, each, bare_rounds) for each in every]
        measured = [
            Measured(case, index, times, slow)
            for (case, index, times), slow in zip(ours, bare, strict=True)
        ]
        rows = conn.execute("select count(*) from repositories").fetchone()
        version = conn.execute("show server_version").fetchone()
        assert rows
        assert version
        header = (
            f"{rows[0]:,} repositories, {len(known.owners):,} owners; PostgreSQL {version[0]},"
            f" {rounds} askings a query with other values each, milliseconds as the client waits"
            " (waiting for a CPU that other work has is left out);"
            f" without our indexes {bare_rounds} askings."
        )
        return measured, tables(measured, _sizes(conn), header)


def main() -> None:
    """The command; exit code 1 where a query misses its target or reads a table whole."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--repos", type=int, default=1_000_000)
    parser.add_argument("--orgs", type=int, default=2_000)
    parser.add_argument("--days", type=int, default=5, help="of history (5)")
    parser.add_argument("--rounds", type=int, default=200, help="askings a query (200)")
    parser.add_argument("--bare-rounds", type=int, default=5, help="without our indexes (5)")
    parser.add_argument("--url", help="a database that is seeded already")
    parser.add_argument("--write", action="store_true", help="into docs/performance.md")
    chosen = parser.parse_args()
    if chosen.url:
        measured, text = measure(chosen.url, chosen.rounds, chosen.bare_rounds)
    else:
        directory = Path(tempfile.mkdtemp(prefix="forewarm-bench-"))
        directory.chmod(0o755)
        postgres = Postgres(directory / "postgres", durable=False)
        try:
            postgres.start()
            upgrade(Secret(postgres.url))
            seed(
                Secret(postgres.url),
                repos=chosen.repos,
                orgs=chosen.orgs,
                days=chosen.days,
                report=_say,
            )
            measured, text = measure(postgres.url, chosen.rounds, chosen.bare_rounds)
        finally:
            postgres.stop()
            shutil.rmtree(directory)
    print(text)
    if chosen.write:
        write(text)
    slow = [each.case.name for each in measured if _percentile(each.ours, 0.95) > TARGET_MS]
    whole = [each.case.name for each in measured if "none:" in each.index]
    if slow or whole:
        raise SystemExit(f"over {TARGET_MS:g} ms: {slow}; sequential scans: {whole}")


def _say(progress: Progress) -> None:
    print(f"\r{progress.step} {progress.done:,} of {progress.total:,}   ", end="", file=sys.stderr)


if __name__ == "__main__":
    main()
