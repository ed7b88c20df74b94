"""What is old is forgotten in batches, on a real PostgreSQL."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from script.embedded import Postgres
from tests.workers.processes import work_off
from webapp.db.pool import Database
from webapp.jobs import Jobs
from webapp.queues import Queues
from webapp.secret import Secret
from workers import pruning
from workers.broker import JobBroker

ROWS = 2_500
FILL = {
    "upstream_responses": (
        "insert into upstream_responses select 'service:' || n, '/repos/o/' || n, array['all'],"
        " 200, '', '', null, null, null, null, null, '{}', 'body', now(), now(),"
        " now() - case when n % 2 = 0 then interval '8 days' else interval '6 days' end"
    ),
    "purges": (
        "insert into purges (tags, hard, cause, created_at, applied_at)"
        " select array['all'], true, 'webhook',"
        " now() - case when n % 2 = 0 then interval '3 days' else interval '1 day' end, now()"
    ),
    "audit": (
        "insert into audit (at, who, what, target) select"
        " now() - case when n % 2 = 0 then interval '401 days' else interval '399 days' end,"
        " 'admin', 'job retried', ''"
    ),
    "webhook_deliveries": (
        "insert into webhook_deliveries"
        " (delivery, event, hard_tags, soft_tags, list_tags, received_at)"
        " select n::text, 'push', '{}', '{}', '{}',"
        " now() - case when n % 2 = 0 then interval '31 days' else interval '29 days' end"
    ),
    "list_purges": (
        "insert into list_purges (tag, purged_at, changed_at, due_at, cause, detail)"
        " select 'repos:o' || n, now() - interval '25 hours', now(),"
        " case when n % 2 = 1 then now() end, 'webhook', ''"
    ),
}


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        for statement in FILL.values():
            connection.execute(f"{statement} from generate_series(1, {ROWS}) n".encode())
    database = Database(Secret(database_url), size=1)
    yield database
    database.close()


def left(database_url: str) -> dict[str, int]:
    with psycopg.connect(database_url) as connection:
        found = {}
        for table in FILL:
            row = connection.execute(f"select count(*) from {table}".encode()).fetchone()
            assert row
            found[table] = row[0]
        return found


def test_what_is_past_its_time_is_forgotten_and_nothing_else(
    database: Database, database_url: str
) -> None:
    forgotten = pruning.prune(database, datetime.now(UTC), deadline=time.monotonic() + 60)
    assert {forgotten[what] for what in ("answers", "purges", "deliveries", "lists", "acts")} == {
        ROWS // 2
    }
    assert left(database_url) == dict.fromkeys(FILL, ROWS - ROWS // 2)


def test_what_isnt_forgotten_in_time_is_left(database: Database, database_url: str) -> None:
    forgotten = pruning.prune(database, datetime.now(UTC), deadline=time.monotonic())
    assert set(forgotten.values()) == {0}
    assert left(database_url) == dict.fromkeys(FILL, ROWS)


def test_while_postgresql_is_away_the_job_is_done_and_says_so(
    broker: JobBroker,
    jobs: Jobs,
    database_url: str,
    postgres: Postgres,
    caplog: pytest.LogCaptureFixture,
) -> None:
    database = Database(Secret(database_url), size=1)
    pruning.register(broker, database)
    postgres.kill()
    with caplog.at_level(logging.WARNING, logger="workers.pruning"):
        jobs.enqueue("prune_old", "upkeep")
        work_off(broker)
    database.close()
    assert Queues(jobs).dead() == []
    assert "left to the next hour" in caplog.messages[-1]
