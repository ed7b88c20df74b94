"""What a whole module shares where a fresh application for each test would take too long.

One database and one environment; `emptied` forgets what was cached, archived and asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg
import pytest
import redis

from script.embedded import Postgres, Valkey
from tests.serving import API_KEY, SECRET_KEY, Forewarm
from tests.standin.accounts import SERVICE_TOKEN
from tests.standin.process import StandIn
from tests.stores import migrated_database
from webapp.github import session
from webapp.github.budget import Budget
from webapp.github.tries import Tries
from webapp.purging import RUN_KEY

# Deleting the few rows of a test is faster than truncating forty tables.
WITH_ROWS = """
select relname from pg_stat_user_tables
where schemaname = current_schema() and relname <> 'schema_migrations'
"""


@contextmanager
def lasting_environ(
    valkey: Valkey, postgres: Postgres, github: StandIn, name: str
) -> Iterator[dict[str, str]]:
    """Settings on running stores and a database called `name`, dropped afterwards.

    The near shelf is off: it would remember beyond what `emptied` can reach.
    """
    valkey.resume()
    valkey.start()
    with migrated_database(postgres, name) as url:
        environ = {
            "HOST": "127.0.0.1",
            "REDIS_URL": valkey.url,
            "DATABASE_URL": url,
            "GITHUB_API_URL": github.url,
            "GITHUB_TOKEN": SERVICE_TOKEN,
            "API_KEYS": f"tests:{API_KEY}",
            "SECRET_KEY": SECRET_KEY,
            "NEAR_MB": "0",
        }
        emptied(environ, github)
        yield environ


def emptied(environ: Mapping[str, str], github: StandIn) -> None:
    """Nothing cached, archived, purged or learnt of limits, and GitHub as it was at first.

    Not a flush: that would look like another server, and be answered by a purge of everything.
    """
    github.reset()
    with redis.Redis.from_url(environ["REDIS_URL"]) as client:
        keys = set(client.scan_iter("fw:*", count=1_000)) - {RUN_KEY.encode()}
        if not keys:
            return  # what is archived has its tags
        client.delete(*keys)
    with psycopg.connect(environ["DATABASE_URL"], autocommit=True) as connection:
        kept = connection.execute(WITH_ROWS).fetchall()
        for (table,) in kept:
            connection.execute(f'DELETE FROM "{table}"'.encode())


def recovered(forewarm: Forewarm) -> None:
    """Time has passed: nobody remembers that GitHub was down, or that it has said a limit."""
    client = forewarm.services.client
    client._outage.answered()
    client._spending.budget = Budget(forewarm.services.redis)


class Applications:
    """Applications in this process on one environment, each started once a set of settings."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self._started: dict[frozenset[tuple[str, str]], Forewarm] = {}

    def __call__(self, **settings: str) -> Forewarm:
        wanted = frozenset(settings.items())
        if wanted not in self._started:
            self._started[wanted] = Forewarm({**self.environ, **settings})
        return self._started[wanted]

    def empty(self, github: StandIn) -> None:
        """As `emptied`, and whatever they remember of outages and limits is forgotten."""
        for settings, each in self._started.items():
            if "DATABASE_URL" not in dict(settings):  # else there is none that it could reach
                each.services.harvest.flush()  # what an earlier test was shown
        emptied(self.environ, github)
        for each in self._started.values():
            recovered(each)

    def close(self) -> None:
        """End them all."""
        for each in self._started.values():
            each.services.close()


@contextmanager
def lasting_applications(
    valkey: Valkey, postgres: Postgres, github: StandIn, name: str
) -> Iterator[Applications]:
    """The same with applications, which don't sleep between tries:
    `applications(ADMIN_PASSWORD="…")`."""
    with (
        lasting_environ(valkey, postgres, github, name) as environ,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(session, "Tries", lambda: Tries(sleep=lambda _: None))
        applications = Applications(environ)
        yield applications
        applications.close()


@contextmanager
def fresh_applications(environ: Mapping[str, str], github: StandIn) -> Iterator[Applications]:
    """One test's applications on a lasting environment: they have heard and learnt nothing yet."""
    emptied(environ, github)
    applications = Applications(environ)
    yield applications
    applications.close()
