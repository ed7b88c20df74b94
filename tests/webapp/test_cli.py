"""The command line on a real PostgreSQL, and without one."""

from __future__ import annotations

import socket

import psycopg
import pytest
from click.testing import Result
from flask import Flask

from webapp import cli
from webapp.db.migrate import read

ALL = [str(migration) for migration in read()]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing but what a test sets: no Redis, no HOST, no key."""
    for variable in ("DATABASE_URL", "REDIS_URL", "HOST", "SECRET_KEY", "PUBLIC_URL"):
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def database(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    return empty_database_url


def run(*arguments: str) -> Result:
    app = Flask("bare")
    cli.register(app)
    return app.test_cli_runner().invoke(args=list(arguments))


@pytest.mark.usefixtures("database")
def test_upgrade_says_what_it_applied() -> None:
    result = run("db", "upgrade")
    assert result.exit_code == 0
    assert result.output.splitlines() == [f"applied {name}" for name in ALL]


@pytest.mark.usefixtures("database")
def test_a_second_upgrade_says_that_nothing_was_missing() -> None:
    run("db", "upgrade")
    result = run("db", "upgrade")
    assert (result.exit_code, result.output) == (0, "nothing to apply\n")


@pytest.mark.usefixtures("database")
def test_status_fails_while_something_is_missing() -> None:
    result = run("db", "status")
    assert result.exit_code == 1
    assert result.output.splitlines() == [f"{name}  missing" for name in ALL]


@pytest.mark.usefixtures("database")
def test_status_succeeds_when_nothing_is_missing() -> None:
    run("db", "upgrade")
    result = run("db", "status")
    assert result.exit_code == 0
    assert "missing" not in result.output


def test_status_names_what_does_not_fit(database: str) -> None:
    run("db", "upgrade")
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("update schema_migrations set checksum = 'x' where version = 1")
    result = run("db", "status")
    assert result.exit_code == 1
    assert "changed after it was applied" in result.output


def test_an_upgrade_that_is_refused_is_one_line(database: str) -> None:
    run("db", "upgrade")
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("update schema_migrations set checksum = 'x' where version = 1")
    result = run("db", "upgrade")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)


@pytest.mark.parametrize("command", ["upgrade", "status"])
def test_a_missing_url_is_one_line(command: str) -> None:
    result = run("db", command)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: DATABASE_URL is not set; ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["upgrade", "status"])
def test_a_server_that_is_away_is_one_line(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"postgresql://u:hunter2@127.0.0.1:{unused.getsockname()[1]}/d"
        monkeypatch.setenv("DATABASE_URL", url)
        result = run("db", command)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "hunter2" not in result.output
