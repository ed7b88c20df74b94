"""The pool on a real PostgreSQL that is killed, paused, cut off and restarted under it."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from script.embedded import Postgres
from webapp.db import pool as pool_module
from webapp.db.connection import PatientConnection
from webapp.db.pool import Database
from webapp.errors import DatabaseUnavailable
from webapp.secret import Secret

# The quarter of a second for a connection, and what a busy machine adds to it.
SHORT = pool_module.POOL_TIMEOUT + 0.25


@pytest.fixture
def database(empty_database_url: str) -> Iterator[Database]:
    database = Database(Secret(empty_database_url), size=2, statement_timeout=0.5)
    yield database
    database.close()


@pytest.fixture
def nowhere() -> Iterator[Database]:
    """A port where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        database = Database(Secret(f"postgresql://u:hunter2@127.0.0.1:{port}/d"), size=2)
        yield database
        database.close()


def one(database: Database) -> object:
    with database.connection() as conn:
        row = conn.execute("select 1").fetchone()
        return row and row[0]


def pid(conn: PatientConnection) -> int:
    return conn.info.backend_pid


def wait_until_it_answers(database: Database, seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            assert one(database) == 1
        except DatabaseUnavailable:
            if time.monotonic() > deadline:
                raise
            threading.Event().wait(0.05)
        else:
            return


def test_a_connection_answers(database: Database) -> None:
    assert one(database) == 1


def test_nothing_is_opened_before_it_is_needed(database: Database) -> None:
    assert database.pool is None


def test_a_connection_is_used_again(database: Database) -> None:
    with database.connection() as conn:
        first = pid(conn)
    with database.connection() as conn:
        assert pid(conn) == first


def test_statements_commit_by_themselves(database: Database) -> None:
    with database.connection() as conn:
        conn.execute("create table kept (a int)")
        conn.execute("insert into kept values (1)")
        with database.connection() as other:
            assert other.execute("select a from kept").fetchall() == [(1,)]


def test_a_failing_transaction_is_rolled_back(database: Database) -> None:
    with database.connection() as conn:
        conn.execute("create table kept (a int unique)")
    with (
        pytest.raises(psycopg.errors.UniqueViolation),
        database.connection() as conn,
        conn.transaction(),
    ):
        conn.execute("insert into kept values (1), (1)")
    with database.connection() as conn:
        assert conn.execute("select a from kept").fetchall() == []


def test_the_server_knows_who_is_asking(database: Database) -> None:
    with database.connection() as conn:
        row = conn.execute("select current_setting('application_name')").fetchone()
        assert row == ("forewarm",)


def test_it_opens_no_more_than_its_size(database: Database) -> None:
    with database.connection(), database.connection():
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable, match="every connection is in use"):
            one(database)
        assert time.monotonic() - began < SHORT


def test_a_busy_pool_is_no_outage(database: Database) -> None:
    with database.connection(), database.connection(), pytest.raises(DatabaseUnavailable):
        one(database)
    assert one(database) == 1


def test_many_at_once_are_all_answered_at_the_first_use(database: Database) -> None:
    answers: list[object] = []
    threads = [threading.Thread(target=lambda: answers.append(one(database))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [1] * 16


def test_a_server_that_is_away_is_told_within_a_quarter_of_a_second(nowhere: Database) -> None:
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        one(nowhere)
    assert time.monotonic() - began < SHORT


def test_after_a_failure_everyone_is_refused_at_once(nowhere: Database) -> None:
    with pytest.raises(DatabaseUnavailable):
        one(nowhere)
    began = time.monotonic()
    for _ in range(50):
        with pytest.raises(DatabaseUnavailable):
            one(nowhere)
    assert time.monotonic() - began < SHORT


def test_an_outage_is_one_line_in_the_log(
    nowhere: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        ended = time.monotonic() + 2 * pool_module.MEMORY + 0.5
        while time.monotonic() < ended:
            with pytest.raises(DatabaseUnavailable):
                one(nowhere)
            threading.Event().wait(0.02)
    lines = [record.getMessage() for record in caplog.records if record.name != "psycopg"]
    assert len(lines) == 1
    assert "refused" in lines[0].lower()


def test_a_password_is_never_logged_or_raised(
    nowhere: Database, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(DatabaseUnavailable) as caught:
        one(nowhere)
    assert "hunter2" not in caplog.text + repr(caught.value) + repr(vars(nowhere))


def test_a_statement_ends_within_its_timeout(database: Database) -> None:
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable, match="timeout"), database.connection() as conn:
        conn.execute("select pg_sleep(5)")
    assert time.monotonic() - began < 0.5 + SHORT


def test_a_slow_statement_is_no_outage(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable), database.connection() as conn:
        conn.execute("select pg_sleep(5)")
    assert one(database) == 1


def test_a_pooler_is_used_without_start_up_options(empty_database_url: str) -> None:
    database = Database(
        Secret(empty_database_url + "?pgbouncer=true"), size=1, statement_timeout=0.5
    )
    with database.connection() as conn:
        assert conn.execute("show statement_timeout").fetchone() == ("0",)
    database.close()


def test_behind_a_pooler_a_statement_ends_too(empty_database_url: str) -> None:
    database = Database(
        Secret(empty_database_url + "?pgbouncer=true"), size=1, statement_timeout=0.5
    )
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable, match="no answer"), database.connection() as conn:
        conn.execute("select pg_sleep(5)")
    assert time.monotonic() - began < 0.5 + 2 * SHORT
    database.close()


def test_mistakes_of_ours_are_not_called_an_outage(database: Database) -> None:
    with pytest.raises(psycopg.errors.SyntaxError), database.connection() as conn:
        conn.execute("selec 1")


def test_a_database_without_our_tables_is_unavailable(database: Database) -> None:
    with pytest.raises(DatabaseUnavailable), database.connection() as conn:
        conn.execute("select * from upstream_responses")


def test_a_paused_server_holds_a_request_no_longer_than_a_statement(
    database: Database, postgres: Postgres
) -> None:
    one(database)
    postgres.pause()
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        one(database)
    assert time.monotonic() - began < 0.5 + 2 * SHORT


@pytest.mark.alone
def test_a_paused_server_is_not_waited_for_again(database: Database, postgres: Postgres) -> None:
    one(database)
    postgres.pause()
    with pytest.raises(DatabaseUnavailable):
        one(database)
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        one(database)
    assert time.monotonic() - began < 0.05


def test_a_resumed_server_is_found_again(database: Database, postgres: Postgres) -> None:
    one(database)
    postgres.pause()
    with pytest.raises(DatabaseUnavailable):
        one(database)
    postgres.resume()
    wait_until_it_answers(database)


def test_a_restart_between_two_requests_is_not_noticed(
    database: Database, postgres: Postgres
) -> None:
    with database.connection(), database.connection():
        pass
    postgres.stop()
    postgres.start()
    assert one(database) == 1


def test_a_killed_server_is_found_again_and_said_so(
    database: Database, postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    one(database)
    postgres.kill()
    with caplog.at_level(logging.INFO, logger="webapp"):
        with pytest.raises(DatabaseUnavailable):
            one(database)
        postgres.start()
        wait_until_it_answers(database)
    assert caplog.messages[-1] == "PostgreSQL answers again"


def test_a_connection_cut_in_use_is_an_outage(database: Database, empty_database_url: str) -> None:
    def lose_it() -> None:
        with database.connection() as conn:
            with psycopg.connect(empty_database_url, autocommit=True) as other:
                other.execute("select pg_terminate_backend(%s)", (pid(conn),))
            conn.execute("select 1")

    with pytest.raises(DatabaseUnavailable):
        lose_it()


def test_closed_it_opens_again(database: Database) -> None:
    one(database)
    database.close()
    assert one(database) == 1


def test_a_forked_child_opens_connections_of_its_own(empty_database_url: str) -> None:
    # In a process of its own: forking one that has threads is warned of.
    program = f"""
import os, sys, warnings
warnings.simplefilter("error")
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
from webapp.db.pool import Database
from webapp.secret import Secret

database = Database(Secret({empty_database_url!r}), size=2)
def backend():
    with database.connection() as conn:
        return conn.info.backend_pid
before = backend()
child = os.fork()
if not child:
    own = backend()
    sys.exit(0 if own != before else 3)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0, status
assert backend() == before
"""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_program_ends_at_once_and_without_a_word(empty_database_url: str) -> None:
    program = f"""
import warnings
warnings.simplefilter("error")
from webapp.db.pool import Database
from webapp.secret import Secret
database = Database(Secret({empty_database_url!r}), size=2)
with database.connection() as conn:
    conn.execute("select 1")
"""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - began < 5
