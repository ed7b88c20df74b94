"""Fixtures of the GitHub client's tests: one database for all of them, emptied before each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg.rows import dict_row

from script.embedded import Postgres, Valkey
from tests.serving import Forewarm, ForewarmFactory
from tests.standin.process import StandIn
from tests.webapp.lasting import Applications, emptied, lasting_applications

Rows = Callable[[], list[dict[str, object]]]


@pytest.fixture(scope="package")
def applications(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    with lasting_applications(valkey, postgres, standin, "github_client") as made:
        yield made


@pytest.fixture
def archive_connection(applications: Applications) -> Iterator[psycopg.Connection]:
    with psycopg.connect(applications.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("TRUNCATE upstream_responses, purges")
        yield connection


@pytest.fixture
def start_forewarm(
    applications: Applications, standin: StandIn, archive_connection: psycopg.Connection
) -> ForewarmFactory:
    """Nothing cached, nothing archived, an application of these settings."""
    emptied(applications.environ, standin)
    return applications


@pytest.fixture
def github(standin: StandIn, start_forewarm: ForewarmFactory) -> StandIn:
    return standin


@pytest.fixture
def forewarm(start_forewarm: ForewarmFactory) -> Forewarm:
    return start_forewarm()


@pytest.fixture
def rows(archive_connection: psycopg.Connection) -> Rows:
    """What the archive holds now; `xmin` and `ctid` change with every write of a row."""

    def read() -> list[dict[str, object]]:
        with archive_connection.cursor(row_factory=dict_row) as cursor:
            query = "select xmin::text, upstream_responses.* from upstream_responses order by path"
            return cursor.execute(query).fetchall()

    return read
