"""Warming runs' statements are served by the indexes they name, on a table that holds a year."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from script.embedded import Postgres
from tests.stores import migrated_database
from tests.webapp.db import plans

VALUES: dict[str, Any] = {
    "run": 7,
    "names": ["pallets"],
    "source": "cli",
    "plan": ["a"],
    "total": 1,
    "lease": "x",
    "seconds": 30.0,
    "put_off": 0.0,
    "state": "done",
    "before": ["running"],
    "rows": 50,
    "place": 0,
    "page": None,
    "done": 0,
    "points": 0,
    "saved": 0,
    "failures": 0,
    "last_error": None,
}
LONG_AGO = {"before": datetime.now(UTC) - timedelta(days=30_000)}


@pytest.mark.parametrize("name", plans.names_of("test_warming_runs"))
def test_a_statement_is_served_by_the_indexes_it_names(filled: str, name: str) -> None:
    values = VALUES | (LONG_AGO if name == "runs_prune" else {})
    with psycopg.connect(filled) as connection:
        plans.assert_served_by_the_indexes_it_names(connection, name, values)


@pytest.fixture(scope="module")
def filled(postgres: Postgres) -> Iterator[str]:
    with migrated_database(postgres, "warming_runs") as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                "insert into warming_runs (names, source, state, ended_at)"
                " select '{}', 'cli', case when n % 1000 = 0 then 'queued' else 'done' end,"
                " case when n % 1000 = 0 then null else now() - n * interval '1 minute' end"
                " from generate_series(1, 20000) n"
            )
            connection.execute("analyze warming_runs")
        yield url
