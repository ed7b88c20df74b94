"""Real stores for tests: one Valkey and one PostgreSQL a session, emptied for each test.

Policy: nothing is mocked. A test may kill, pause or stop a store; whoever asks next gets a running
one. Data lives in a directory of its own in the system's temporary one and goes with the session.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from script.embedded import Postgres, Valkey

_databases = itertools.count(1)


@pytest.fixture(scope="session")
def store_directory() -> Iterator[Path]:
    """A directory that a store's unprivileged account can enter when the tests run as root."""
    directory = Path(tempfile.mkdtemp(prefix="forewarm-tests-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def valkey(store_directory: Path) -> Iterator[Valkey]:
    """The session's Valkey, for tests that stop or kill it; `redis_url` for all others."""
    server = Valkey(store_directory / "valkey", maxmemory="64mb")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres(store_directory: Path) -> Iterator[Postgres]:
    """The session's PostgreSQL, for tests that stop or kill it; `database_url` for all others."""
    server = Postgres(store_directory / "postgres", durable=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(valkey: Valkey) -> str:
    """redis://… of a running Valkey: every database empty, no scripts, memory settings as first."""
    valkey.resume()
    valkey.start()
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
        client.script_flush()
        client.config_set("maxmemory", valkey.maxmemory, "maxmemory-policy", "volatile-lfu")
    return valkey.url


@pytest.fixture
def database_url(postgres: Postgres) -> Iterator[str]:
    """postgresql://… of a database of the test's own: empty but for the two extensions."""
    postgres.resume()
    postgres.start()
    name = f"test_{next(_databases)}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield postgres.url_of(name)
    postgres.resume()
    postgres.start()
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
