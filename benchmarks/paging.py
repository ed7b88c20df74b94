"""Paging through 100,000 repositories by cursor while others are inserted and changed.

    python -m benchmarks.paging [--quick]

Every repository whose sort key stays must come exactly once, in each sort. A writer of its own
inserts new ones, changes what doesn't sort, and moves a tenth of them by their keys, all the while.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import get_args

import psycopg

from benchmarks.alone import alone
from benchmarks.results import Chapter, Effort, Table
from benchmarks.stores import own_stores
from webapp.db.catalog_search import SortName, catalog_search, place
from webapp.db.seed import FIRST_ID, seed
from webapp.secret import Secret

REPOSITORIES = {Effort.FULL: 100_000, Effort.QUICK: 5_000}
PAGE = 100
MOVING = 10
"""One in so many moves."""

_COLUMNS = (
    "owner_id, owner, {name}, description, visibility, archived, fork, language, topics, {stars},"
    " forks_count, open_issues_count, {moment}, {moment}, created_at, default_branch, html_url,"
    " seen_at"
)
_INSERT = (
    "insert into repositories (id, owner_id, owner, name, description, visibility, archived, fork,"
    " language, topics, stargazers_count, forks_count, open_issues_count, pushed_at, updated_at,"
    " created_at, default_branch, html_url, seen_at) select id + %(far)s, "
    + _COLUMNS.format(name="'new-' || name", stars="stargazers_count + 1", moment="now()")
    + " from repositories where id = any(%(ids)s)"
)
_CHANGE = (
    "update repositories set description = 'changed ' || %(far)s, forks_count = forks_count + 1,"
    " seen_at = now() where id = any(%(ids)s)"
)
_MOVE = (
    "update repositories set stargazers_count = (random() * 1000)::int, pushed_at = now(),"
    " updated_at = now(), name = 'moved-' || %(far)s || '-' || id where id = any(%(ids)s)"
)


def _disturb(url: str, count: int, stopped: threading.Event, done: Counter[str]) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        step = 0
        while not stopped.is_set():
            step += 1
            ids = [FIRST_ID + (step * 7_919 + number * 101) % count for number in range(50)]
            stay = [id_ for id_ in ids if id_ % MOVING]
            move = [id_ for id_ in ids if id_ % MOVING == 0]
            values = {"far": step * 10**8, "ids": stay}
            done["inserted"] += conn.execute(_INSERT.encode(), values).rowcount
            done["changed"] += conn.execute(_CHANGE.encode(), values).rowcount
            done["moved"] += conn.execute(_MOVE.encode(), values | {"ids": move}).rowcount


@dataclass(frozen=True, slots=True)
class Paged:
    """Once through: how many stayed where they were, and how many of them came not once."""

    stayed: int
    wrong: int
    pages: int
    seconds: float
    done: Counter[str]


def page_through(url: str, sort: SortName, count: int) -> Paged:
    """Once through, disturbed."""
    stopped, done = threading.Event(), Counter[str]()
    writer = threading.Thread(target=_disturb, args=(url, count, stopped, done))
    writer.start()
    came: Counter[int] = Counter()
    began, pages, after = time.perf_counter(), 0, None
    try:
        with psycopg.connect(url, autocommit=True) as conn:
            while page := catalog_search(conn, sort=sort, limit=PAGE, after=after):
                came.update(row.id for row in page)
                after = place(page[-1], sort)
                pages += 1
    finally:
        stopped.set()
        writer.join()
    stay = [FIRST_ID + number for number in range(count) if (FIRST_ID + number) % MOVING]
    wrong = sum(came[id_] != 1 for id_ in stay)
    return Paged(len(stay), wrong, pages, time.perf_counter() - began, done)


def measure(effort: Effort) -> Chapter:
    """Each sort, over a catalog of its own."""
    count = REPOSITORIES[effort]
    rows = []
    with own_stores() as stores:
        url = stores.postgres.url
        for sort in get_args(SortName):
            with psycopg.connect(url, autocommit=True) as conn:
                conn.execute("truncate repositories")
            seed(Secret(url), repos=count, orgs=count // 500, days=0)
            found = page_through(url, sort, count)
            done = (found.done["inserted"], found.done["changed"], found.done["moved"])
            rows.append((sort, found.stayed, found.wrong, found.pages, found.seconds, *done))
    return Chapter(
        "paging",
        "Paging while rows come and go",
        f"{count:,} repositories read by cursor, {PAGE} a page, while a writer inserts new ones,"
        " changes what doesn't sort, and moves a tenth of them by their keys. One that stays where"
        " it is must come exactly once.",
        (
            Table(
                "Once through, disturbed",
                (
                    "sort",
                    "stayed",
                    "of them not once",
                    "pages",
                    "s",
                    "inserted",
                    "changed",
                    "moved",
                ),
                tuple(rows),
            ),
        ),
    )


if __name__ == "__main__":
    sys.exit(alone(measure, __doc__))
