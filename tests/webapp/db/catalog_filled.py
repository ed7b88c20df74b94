"""A catalog large enough that a plan shows which index serves: seeded once for a test module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from script.embedded import Postgres
from tests.stores import migrated_database
from webapp.db.catalog_writes import RepositorySight
from webapp.db.seed import seed
from webapp.secret import Secret

Conn = psycopg.Connection[Any]
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
REPOS, OWNERS = 20_000, 2_000


@contextmanager
def catalog(postgres: Postgres, name: str) -> Iterator[str]:
    """The URL of an empty catalog in a database called `name`, dropped afterwards."""
    with migrated_database(postgres, name) as url:
        yield url


def fill(url: str) -> None:
    """A seeded catalog; former names, purges and those gone enough for their indexes to pay."""
    seed(Secret(url), repos=REPOS, orgs=OWNERS, days=3, now=NOW)
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(
            "insert into repository_names select 'old/' || id, id, seen_at from repositories"
        )
        conn.execute(
            "insert into repositories_gone select 1, 'gone/' || n, now() - n * interval '1 s'"
            " from generate_series(1, 20000) n"
        )
        conn.execute(
            "insert into repositories_gone select n, '', now() - n * interval '1 s'"
            " from generate_series(1, 20000) n"
        )
        conn.execute(
            "insert into catalog_purges select 'repo:' || name_key, seen_at from repositories"
        )
        conn.execute(
            "insert into organisations (id, login, seen_at)"
            " select n, 'owner-' || n, now() from generate_series(1, 20000) n"
        )
        for table in ("organisations", "repository_names", "repositories_gone", "catalog_purges"):
            conn.execute(f"vacuum analyze {table}".encode())


def sight(id_: int, full_name: str, at: datetime = NOW, **fields: Any) -> RepositorySight:
    """A repository as an answer showed it at a moment."""
    owner, _, name = full_name.partition("/")
    said: dict[str, Any] = {
        "id": id_,
        "owner_id": 1,
        "owner": owner,
        "name": name,
        "description": f"about {name}",
        "visibility": "public",
        "archived": False,
        "fork": False,
        "language": "Python",
        "topics": [],
        "stargazers_count": 0,
        "forks_count": 0,
        "open_issues_count": 0,
        "pushed_at": NOW,
        "updated_at": NOW,
        "created_at": NOW,
        "default_branch": "main",
        "html_url": f"https://github.com/{full_name}",
        "seen_at": at,
    }
    return RepositorySight(**(said | fields))
