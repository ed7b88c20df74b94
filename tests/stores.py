"""Real stores for tests: one Valkey and one PostgreSQL a session, emptied for each test.

Migrations are run once a session: a test's database is a copy of one that has them.

Policy: nothing is mocked. A test may kill, pause or stop a store; whoever asks next gets a running
one. Data lives in a directory of its own, in memory where there is room and else in the system's
temporary one, and goes with the session.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis

from script.embedded import Postgres, Valkey
from webapp.db.migrate import upgrade
from webapp.secret import Secret

MIGRATED = "migrated"
MEMORY = Path("/dev/shm")
ROOM = 4 * 2**30  # bytes
_databases = itertools.count(1)


@pytest.fixture(scope="session")
def store_directory() -> Iterator[Path]:
    """A directory that a store's unprivileged account can enter when the tests run as root."""
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    directory = Path(tempfile.mkdtemp(prefix="forewarm-tests-", dir=MEMORY if in_memory else None))
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
    """postgresql://… of a database of the test's own: migrated, without rows."""
    with migrated_database(postgres, f"test_{next(_databases)}") as url:
        yield url


@pytest.fixture
def empty_database_url(postgres: Postgres) -> Iterator[str]:
    """The same before any migration."""
    with database(postgres, f"test_{next(_databases)}") as url:
        yield url


@contextmanager
def migrated_database(postgres: Postgres, name: str) -> Iterator[str]:
    """The URL of a migrated database called `name`, dropped afterwards."""
    postgres.resume()
    postgres.start()
    migrate_once(postgres)
    with database(postgres, name, f"TEMPLATE {MIGRATED} STRATEGY file_copy") as url:
        yield url


@contextmanager
def database(postgres: Postgres, name: str, made_of: str = "") -> Iterator[str]:
    """The URL of a database called `name`, dropped afterwards, whatever became of the server."""
    postgres.resume()
    postgres.start()
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} {made_of}".encode())
    yield postgres.url_of(name)
    postgres.resume()
    postgres.start()
    drop_database(postgres, name)


def migrate_once(postgres: Postgres) -> None:
    """Have the database that others are copied from; it has its name once it is whole."""
    unfinished = f"{MIGRATED}_unfinished"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        if (
            connection.execute("SELECT FROM pg_database WHERE datname = %s", (MIGRATED,)).fetchone()
            is not None
        ):
            return
        connection.execute(f"CREATE DATABASE {unfinished}".encode())
        upgrade(Secret(postgres.url_of(unfinished)))
        connection.execute(f"ALTER DATABASE {unfinished} RENAME TO {MIGRATED}".encode())


def drop_database(postgres: Postgres, name: str) -> None:
    """Drop it, whoever is connected.

    A connection that a pause caught between its start and its authentication has no role yet, and
    PostgreSQL refuses to end it for us: it is gone or has one in a moment, so we ask again.
    """
    deadline = time.monotonic() + 10
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        while True:
            try:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
            except psycopg.errors.InsufficientPrivilege:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return
