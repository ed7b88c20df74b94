"""Migrations against a real PostgreSQL: once each, at once, and never over what doesn't fit."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.webapp.db.catalog_filled import sight
from webapp.db import migrate
from webapp.db.catalog_writes import catalog_upsert
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


def upgraded_before(url: Secret, folder: Path, number: int) -> None:
    """As the release before that migration leaves it; `folder` is whole again afterwards."""
    later = [path for path in folder.glob("*.sql") if int(path.name[:4]) >= number]
    texts = {path: path.read_text() for path in later}
    for path in later:
        path.unlink()
    upgrade(url, folder)
    for path, text in texts.items():
        path.write_text(text)


def waiting(conn: psycopg.Connection[Any]) -> int:
    """How many connections of this database wait for a lock."""
    found = conn.execute(
        "select count(distinct pid) from pg_locks join pg_stat_activity using (pid)"
        " where not granted and datname = current_database()"
    ).fetchone()
    assert found
    return int(found[0])


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_writer_that_comes_while_an_index_is_made_stops_no_upgrade(
    url: Secret, folder: Path
) -> None:
    """It holds the catalog for reading while it waits to write: who now wanted it alone, in the
    transaction that made the index, would wait for it in a circle."""
    upgraded_before(url, folder, 12)
    with (
        psycopg.connect(url.reveal()) as first,
        psycopg.connect(url.reveal()) as second,
        psycopg.connect(url.reveal(), autocommit=True) as looking,
        ThreadPoolExecutor(2) as running,
    ):
        first.execute("lock table repositories in row exclusive mode")
        upgrading = running.submit(upgrade, url, folder)
        wait_until(lambda: waiting(looking) == 1)
        writing = running.submit(catalog_upsert, second, [sight(1, "a/one")])
        wait_until(lambda: waiting(looking) == 2)
        first.commit()
        assert [each.id for each in writing.result(10)] == [1]
        second.commit()
        assert [str(migration) for migration in upgrading.result(10)] == ALL[11:]


def test_dropping_indexes_of_the_catalog_holds_no_lock_beside(url: Secret, folder: Path) -> None:
    upgraded_before(url, folder, 13)
    (dropping,) = (path for path in folder.glob("0013_*.sql"))
    with psycopg.connect(url.reveal()) as conn:
        conn.execute(dropping.read_text().encode())
        rows = conn.execute(
            "select distinct coalesce(i.indrelid, c.oid)::regclass::text, mode"
            " from pg_locks l join pg_class c on c.oid = l.relation"
            " left join pg_index i on i.indexrelid = c.oid"
            " where pid = pg_backend_pid() and c.relnamespace = current_schema()::regnamespace"
        ).fetchall()
    assert rows == [("repositories", "AccessExclusiveLock")]


def test_who_reads_the_catalog_long_puts_its_indexes_end_off_to_the_next_upgrade(
    url: Secret, folder: Path
) -> None:
    upgraded_before(url, folder, 12)
    (dropping,) = (path for path in folder.glob("0013_*.sql"))
    shorter = dropping.read_text().replace("'3s'", "'100ms'")
    assert shorter != dropping.read_text()
    dropping.write_text(shorter)
    with psycopg.connect(url.reveal()) as reading:
        reading.execute("select from repositories")
        with pytest.raises(DatabaseUnavailable, match="a long query, holds the lock"):
            upgrade(url, folder)
    assert [str(migration) for migration in upgrade(url, folder)] == ALL[12:]


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
