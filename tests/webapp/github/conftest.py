"""Fixtures of the GitHub client's tests: one database for all of them, emptied before each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg.rows import dict_row

from script.embedded import Postgres, Valkey
from tests.serving import Forewarm, ForewarmFactory
from tests.standin.process import StandIn
from tests.webapp.github.budgets import AWAY, Caller, Clock
from tests.webapp.lasting import fresh_applications, lasting_environ
from webapp.cache.connection import Connection
from webapp.secret import Secret

Rows = Callable[[], list[dict[str, object]]]


@pytest.fixture(scope="package")
def client_environ(
    valkey: Valkey, postgres: Postgres, standin: StandIn
) -> Iterator[dict[str, str]]:
    with lasting_environ(valkey, postgres, standin, "github_client") as environ:
        yield environ


@pytest.fixture
def archive_connection(client_environ: dict[str, str]) -> Iterator[psycopg.Connection]:
    with psycopg.connect(client_environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("TRUNCATE upstream_responses, purges")
        yield connection


@pytest.fixture
def start_forewarm(
    client_environ: dict[str, str], standin: StandIn, archive_connection: psycopg.Connection
) -> Iterator[ForewarmFactory]:
    """Nothing cached, archived or learnt, an application of these settings."""
    with fresh_applications(client_environ, standin) as applications:
        yield applications


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


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["redis", "local"])
def caller(request: pytest.FixtureRequest, redis_url: str, clock: Clock) -> Iterator[Caller]:
    """A budget's user on either ledger: Redis', and the process' own while Redis is away."""
    if request.param == "local":
        yield Caller(AWAY, clock)
        return
    connection = Connection(Secret(redis_url), size=4)
    yield Caller(connection, clock)
    connection.close()
