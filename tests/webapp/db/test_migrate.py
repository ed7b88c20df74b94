"""Migrations against a real PostgreSQL: once each, at once, and never over what doesn't fit."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from webapp.db import migrate
from webapp.db.migrate import MigrationRefused, read, status, upgrade
from webapp.errors import DatabaseUnavailable
from webapp.secret import Secret

ALL = [str(migration) for migration in read()]


@pytest.fixture
def url(empty_database_url: str) -> Secret:
    return Secret(empty_database_url)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the release's migrations, to be spoilt."""
    return Path(shutil.copytree(migrate.FOLDER, tmp_path / "migrations"))


def tables(url: Secret) -> set[str]:
    with psycopg.connect(url.reveal()) as conn:
        rows = conn.execute("select tablename from pg_tables where schemaname = 'public'")
        return {str(row[0]) for row in rows}


# As they were applied somewhere. A release adds those it brings; none ever changes.
RELEASED = {
    1: "5ed3cac68de9e13d",  # upstream_responses
    2: "e7284a2a4de4cc48",  # purges
    3: "36f910cae223bb77",  # statement_statistics
    4: "8fed9d5398ec1e8f",  # upstream_credentials
    5: "ffd49c23f1946a26",  # webhook_deliveries
    6: "f14c34e01a724196",  # watches
    7: "440ea4aa93e4f864",  # catalog
    8: "a3390f0a78686e79",  # metrics
    9: "3a9c92beb8919c7d",  # traces
    10: "174f546d5642746c",  # alerts
    11: "49f4bfe98917a2c2",  # audit
}


def test_what_databases_have_had_applied_is_not_changed() -> None:
    """Not even a comment: every one of them would refuse to be upgraded."""
    held = {each.version: each.checksum[:16] for each in read()}
    assert {version: held[version] for version in RELEASED} == RELEASED


def test_an_upgrade_applies_every_file_in_order(url: Secret) -> None:
    assert [str(migration) for migration in upgrade(url)] == ALL
    assert {"schema_migrations", "upstream_responses", "purges", "traces"} <= tables(url)


def test_a_second_upgrade_changes_nothing(url: Secret) -> None:
    upgrade(url)
    assert upgrade(url) == []


def test_upgrades_at_once_apply_each_file_once(url: Secret) -> None:
    done: list[str] = []
    failures: list[Exception] = []

    def run() -> None:
        try:
            done.extend(str(migration) for migration in upgrade(url))
        except (DatabaseUnavailable, MigrationRefused, psycopg.Error) as error:
            failures.append(error)

    runners = [threading.Thread(target=run) for _ in range(8)]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    assert failures == []
    assert sorted(done) == ALL


def test_a_pooler_in_between_needs_no_session(url: Secret) -> None:
    assert [str(m) for m in upgrade(Secret(url.reveal() + "?pgbouncer=true"))] == ALL


def test_a_file_changed_after_it_was_applied_is_refused(url: Secret, folder: Path) -> None:
    upgrade(url, folder)
    with (folder / "0001_upstream_responses.sql").open("a") as file:
        file.write("-- a late thought\n")
    with pytest.raises(MigrationRefused, match="0001_upstream_responses is changed after"):
        upgrade(url, folder)


def test_other_line_breaks_are_no_change(url: Secret, folder: Path) -> None:
    upgrade(url, folder)
    path = folder / "0001_upstream_responses.sql"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert upgrade(url, folder) == []


def test_a_database_newer_than_the_release_is_refused(url: Secret, folder: Path) -> None:
    upgrade(url, folder)
    last = max(folder.glob("*.sql"))
    last.unlink()
    with pytest.raises(MigrationRefused, match="unknown to this release"):
        upgrade(url, folder)


def test_a_file_that_fails_leaves_nothing_behind(url: Secret, folder: Path) -> None:
    number = len(ALL) + 1
    (folder / f"{number:04}_bad.sql").write_text("create table half (a int); select 1/0;")
    with pytest.raises(MigrationRefused, match="_bad failed: division by zero"):
        upgrade(url, folder)
    assert "half" not in tables(url)


def test_what_came_before_a_failing_file_is_kept(url: Secret, folder: Path) -> None:
    number = len(ALL) + 1
    (folder / f"{number:04}_bad.sql").write_text("select 1/0;")
    with pytest.raises(MigrationRefused):
        upgrade(url, folder)
    assert "upstream_responses" in tables(url)


@pytest.mark.parametrize(
    "name", ["9_short.sql", "0001-dashes.sql", "0009_gap.sql", "0001_twice.sql"]
)
def test_a_file_out_of_turn_is_refused(folder: Path, name: str) -> None:
    (folder / name).write_text("select 1;")
    with pytest.raises(MigrationRefused):
        read(folder)


def test_an_ordinary_role_without_extensions_upgrades(url: Secret) -> None:
    with psycopg.connect(url.reveal(), autocommit=True) as conn:
        owned = conn.execute("select rolsuper from pg_roles where rolname = current_user")
        assert owned.fetchone() == (False,)
    assert [str(migration) for migration in upgrade(url)] == ALL


def test_status_of_an_empty_database_lists_what_is_missing(url: Secret) -> None:
    assert [row.applied_at for row in status(url)] == [None] * len(ALL)


def test_status_changes_nothing(url: Secret) -> None:
    status(url)
    assert tables(url) == set()


def test_status_tells_when_each_was_applied(url: Secret) -> None:
    upgrade(url)
    assert all(row.applied_at and row.problem is None for row in status(url))


def test_status_names_what_does_not_fit(url: Secret, folder: Path) -> None:
    upgrade(url, folder)
    (folder / f"{ALL[-1]}.sql").unlink()
    assert "unknown to this release" in str(status(url, folder)[-1].problem)


@pytest.mark.parametrize("run", [upgrade, status])
def test_a_server_that_is_away_is_one_clear_line(run: Callable[[Secret], object]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = Secret(f"postgresql://u:hunter2@127.0.0.1:{unused.getsockname()[1]}/d")
        with pytest.raises(DatabaseUnavailable) as caught:
            run(url)
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_every_column_says_what_it_holds(url: Secret) -> None:
    upgrade(url)
    with psycopg.connect(url.reveal()) as conn:
        rows = conn.execute(
            "select attname from pg_attribute"
            " where attrelid = 'upstream_responses'::regclass and attnum > 0"
            " and col_description(attrelid, attnum) is null"
        )
        assert rows.fetchall() == []
