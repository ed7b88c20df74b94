"""Realistic catalogs of any size, by COPY: for trying out, benchmarks and `flask explain`.

Sizes, stars, languages and topics are spread as GitHub's are: a few have most. What is archived was
pushed long ago, forks have few stars. The same number of the generator gives the same catalog. Ids
and names are its own (from FIRST_ID, `…-seeded`), so a real catalog beside it stays as it is.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate, islice, product

from psycopg import sql

from webapp.db.conninfo import ConnectionPlan
from webapp.db.statements import Connection
from webapp.secret import Secret

FIRST_ID = 10**12
BLOCK = 5_000  # rows a write and a report
LANGUAGES = (
    *("Python", "JavaScript", "TypeScript", "Java", "Go", "C++", "C", "Rust", "C#", "PHP"),
    *("Shell", "Ruby", "HTML", "Kotlin", "Swift", "Jupyter Notebook", "Dart", "Scala", "Vue"),
    *("CSS", "Lua", "Elixir", "Haskell", "R", "Perl", "Clojure", "Julia", "OCaml", "Zig"),
    *("Erlang", "HCL", "Dockerfile", "Nix", "PowerShell", "F#", "Elm", "Crystal", "Nim", "D"),
    *("Fortran", "Ada", "COBOL", "Racket", "Idris", "Prolog", "Tcl", "Forth", "Vala", "Raku"),
)
_TEXT = """
async auth batch bench binary blob board bridge broker browser buffer build bundle cache
chart check cipher client clock cloud cluster codec compiler config console container
context core crawler cron crypto daemon dashboard data debug deploy design desktop diff
digest dns docs domain driver editor engine event export feed fetch file filter flow font
forge form format frame game gateway graph grid guard hash heap host image import index
ingest input json kernel key kit lambda layer ledger lexer library light lint linux list
loader lock log mail map mark mesh metric micro mirror mobile model module monitor mount
native net node note notify object open orbit packet page panel parser patch path pay peer
pipe pixel planner platform plugin pocket point policy pool portal post probe profile
prompt proto proxy pulse query queue quick radar rate react reader record registry relay
remote render report request resolver rest ring robot route router rule runner runtime
sandbox scale scan schema scope script search secret seed sensor server service session
shard shell sign signal simple site sketch smart socket source space spark spec stack
stage state static store stream studio style swarm switch sync syntax system table task
template term test text theme thread tiny token tool trace track tree trigger tunnel type
unit update vault vector video view virtual visual voice watch wave web widget window wire
work worker yaml zone
"""
_SYLLABLES = """
ab bak cor dim el fru gam hol ix jun kev lom mu nor opt pru quo res sil tam ur vex wom yar zed
bri cla dro esk fli gno hay ink jov kra lud myn neb osc pyx rhu spo thi ulm vor wyn zan cho dux
"""
WORDS = (*_TEXT.split(), *map("".join, product(_SYLLABLES.split(), repeat=2)))
"""From frequent to rare."""
WORD_SHARES = tuple(accumulate(1 / (place + 20) for place in range(len(WORDS))))
PROSE = (
    "{0} {1} for {2}s, written in {lang}",
    "A fast {0} {1} with {2} support",
    "The {0} {1} behind our {2} {3}",
    "Yet another {0} {1}",
    "{lang} bindings to the {0} {1} API; see {2}/{3}",
    "Small tools to {0}, {1} and {2} a {3}",
    "Experimental {0}-{1} {2}",
    "",
)
TOPICS = 2_000
YEAR = 31_557_600.0  # seconds


@dataclass(frozen=True, slots=True)
class Progress:
    """How far: `done` of `total` rows of a `step`."""

    step: str
    done: int
    total: int


Report = Callable[[Progress], None]


def seed(
    url: Secret,
    *,
    repos: int,
    orgs: int,
    days: int = 7,
    number: int = 1,
    now: datetime | None = None,
    report: Report = lambda _: None,
) -> None:
    """Replace what was seeded before by so many rows, with so many days of history.

    An empty catalog's indexes are built at the end, which takes a third of the time. Raises
    DatabaseUnavailable.
    """
    moment = now or datetime.now(UTC)
    plan = ConnectionPlan.of(url)
    with plan.connected("forewarm seed") as conn:
        with conn.transaction():
            for table, column in _SEEDED.items():
                conn.execute(
                    sql.SQL("delete from {} where {} >= %s").format(
                        sql.Identifier(table), sql.Identifier(column)
                    ),
                    (FIRST_ID,),
                )
            rebuilt = _indexes_dropped(conn) if _empty(conn) else []
            generator = _Generator(random.Random(number), orgs, moment)  # noqa: S311 - no secret
            for table, columns, lines, total in (
                ("organisations", _OWNER_COLUMNS, generator.owners(), orgs),
                ("repositories", _COLUMNS, generator.repositories(repos), repos),
            ):
                _copy(conn, table, columns, lines=lines, total=total, report=report)
            for done, definition in enumerate(rebuilt):
                report(Progress("indexes", done, len(rebuilt)))
                conn.execute(definition)
            for done in range(days):
                report(Progress("days", done, days))
                conn.execute(
                    _DAYS,
                    {"day": moment.date() - timedelta(days=days - 1 - done), "first": FIRST_ID},
                )
        for table in _SEEDED:
            report(Progress(f"vacuum {table}", 0, 1))
            conn.execute(sql.SQL("vacuum analyze {}").format(sql.Identifier(table)))


_SEEDED = {"organisations": "id", "repositories": "id", "repository_days": "repository_id"}
_OWNER_COLUMNS = ("id", "login", "type", "name", "html_url", "public_repos", "seen_at")
_COLUMNS = (
    *("id", "owner_id", "owner", "name", "description", "visibility", "archived", "fork"),
    *("language", "topics", "stargazers_count", "forks_count", "open_issues_count", "pushed_at"),
    *("updated_at", "created_at", "default_branch", "html_url", "seen_at"),
)
_DAYS = """
insert into repository_days
select r.id, %(day)s, r.stargazers_count, r.forks_count, r.open_issues_count
from repositories r
where r.id >= %(first)s
order by r.id
"""


def _empty(conn: Connection) -> bool:
    return conn.execute("select from repositories limit 1").fetchone() is None


def _indexes_dropped(conn: Connection) -> list[sql.SQL]:
    """Definitions of the repositories' indexes but the primary key's, which are gone now."""
    rows = conn.execute(
        "select indexname, indexdef from pg_indexes"
        " where schemaname = current_schema() and tablename = 'repositories'"
        " and indexname <> 'repositories_pkey'"
    ).fetchall()
    for name, _ in rows:
        conn.execute(sql.SQL("drop index {}").format(sql.Identifier(name)))
    return [sql.SQL(definition) for _, definition in rows]


def _copy(
    conn: Connection,
    table: str,
    columns: tuple[str, ...],
    *,
    lines: Iterator[str],
    total: int,
    report: Report,
) -> None:
    statement = sql.SQL("copy {} ({}) from stdin").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with conn.cursor() as cursor, cursor.copy(statement) as copy:
        for done in range(0, total, BLOCK):
            report(Progress(table, done, total))
            copy.write("".join(islice(lines, BLOCK)))


class _Generator:
    """Lines of COPY's text format; nothing that it makes needs escaping."""

    def __init__(self, chance: random.Random, orgs: int, now: datetime) -> None:
        self._chance = chance
        self._now = now
        self._orgs = [f"{'-'.join(self._words(2))}-{place}-seeded" for place in range(orgs)]
        self._shares = list(accumulate(1 / (place + 8) for place in range(orgs)))
        self._languages = list(
            accumulate(1 / (place + 1) ** 1.4 for place in range(len(LANGUAGES)))
        )
        self._topics = WORDS[:TOPICS]
        self._topic_shares = list(accumulate(1 / (place + 3) for place in range(TOPICS)))

    def _words(self, count: int) -> list[str]:
        return self._chance.choices(WORDS, cum_weights=WORD_SHARES, k=count)

    def owners(self) -> Iterator[str]:
        seen = self._now.isoformat()
        for place, login in enumerate(self._orgs):
            name = login.replace("-", " ").title()
            html = f"https://github.com/{login}"
            yield f"{FIRST_ID + place}\t{login}\tOrganization\t{name}\t{html}\t0\t{seen}\n"

    def repositories(self, count: int) -> Iterator[str]:
        chance = self._chance
        owners = range(len(self._orgs))
        for place in range(count):
            owner = chance.choices(owners, cum_weights=self._shares)[0]
            yield self._repository(FIRST_ID + place, owner, place)

    def _repository(self, id_: int, owner: int, place: int) -> str:
        chance = self._chance
        login = self._orgs[owner]
        fork, archived = chance.random() < 0.25, chance.random() < 0.07
        name = f"{'-'.join(self._words(2))}-{place:x}"
        language = chance.choices(LANGUAGES, cum_weights=self._languages)[0]
        description = chance.choice(PROSE).format(*self._words(4), lang=language)
        topics = chance.choices(
            self._topics, cum_weights=self._topic_shares, k=chance.choice((0, 0, 1, 2, 3, 5))
        )
        stars = min(400_000, int(chance.paretovariate(0.55)) - 1)
        if fork:
            stars = min(stars, chance.randrange(20))
        age = chance.random() * 15 * YEAR
        idle = min(age, (chance.random() ** 3) * 6 * YEAR + (2 * YEAR if archived else 0))
        created = self._now - timedelta(seconds=age)
        pushed = self._now - timedelta(seconds=idle)
        updated = self._now - timedelta(seconds=idle * chance.random())
        visibility = chance.choices(("public", "private", "internal"), (0.96, 0.03, 0.01))[0]
        values = (
            *(id_, FIRST_ID + owner, login, name, description, visibility, archived, fork),
            *("" if chance.random() < 0.08 else language, f"{{{','.join(set(topics))}}}"),
            *(stars, stars // 6, min(5_000, stars // 30), pushed, updated, created, "main"),
            *(f"https://github.com/{login}/{name}", self._now),
        )
        return "\t".join(map(str, values)) + "\n"
