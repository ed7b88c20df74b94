"""A Forewarm whose warming runs in this process, on stores that last for a module."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
import redis

from script.embedded import Postgres, Valkey
from tests.serving import Forewarm
from tests.standin.process import StandIn
from tests.webapp.lasting import Applications, fresh_applications, lasting_environ
from webapp.github import session
from webapp.github.tries import Tries


@pytest.fixture(scope="module")
def lasting(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[dict[str, str]]:
    with lasting_environ(valkey, postgres, standin, "warming") as environ:
        yield environ


@pytest.fixture
def applications(
    lasting: dict[str, str], github: StandIn, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Applications]:
    """Without watches, runs and jobs of the test before; they don't sleep between tries."""
    monkeypatch.setattr(session, "Tries", lambda: Tries(sleep=lambda _: None))
    with psycopg.connect(lasting["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("truncate watches, warming_runs")
    with redis.Redis.from_url(lasting["REDIS_URL"].removesuffix("/0") + "/1") as broker:
        broker.flushdb()
    with fresh_applications(lasting, github) as made:
        yield made


@pytest.fixture
def forewarm(applications: Applications) -> Forewarm:
    """Watching nothing yet."""
    return applications()
