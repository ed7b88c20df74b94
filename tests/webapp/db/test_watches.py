"""Watches' statements are served by the indexes they name, on tables that hold enough to matter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from script.embedded import Postgres
from tests.stores import migrated_database
from tests.webapp.db import plans

VALUES: dict[str, Any] = {
    "watch": "owner1/repo1",
    "kind": "repo",
    "source": "cli",
    "rows": 10_000,
    "names": ["a", "b/c"],
}


@pytest.mark.parametrize("name", plans.names_of("test_watches"))
def test_a_statement_is_served_by_the_indexes_it_names(filled: str, name: str) -> None:
    with psycopg.connect(filled) as connection:
        plans.assert_served_by_the_indexes_it_names(connection, name, VALUES)


@pytest.fixture(scope="module")
def filled(postgres: Postgres) -> Iterator[str]:
    with migrated_database(postgres, "many_watches") as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "insert into watches (name, kind, source)"
                " select 'owner' || n || '/repo' || n, 'repo', 'cli'"
                " from generate_series(1, 20000) n"
            )
            connection.execute("analyze watches")
        yield url
