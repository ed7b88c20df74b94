"""The archive's statements on a real PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from tests.stores import migrated_database
from tests.webapp.db import plans
from webapp import signals
from webapp.db import queries, statements
from webapp.db.queries import ArchivedResponse

NOW = datetime.now(UTC).replace(microsecond=0)
MINUTE = timedelta(minutes=1)
ROW = ArchivedResponse(
    key="service:0123456789abcdef0123456789abcdef",
    path="/repos/pallets/flask",
    tags=["repo:pallets/flask", "owner:pallets", "all"],
    status=200,
    accept="application/vnd.github+json",
    api_version="2022-11-28",
    etag='W/"abc"',
    last_modified="Sat, 01 Nov 2025 10:00:00 GMT",
    link=None,
    content_type="application/json; charset=utf-8",
    request_id="C0DE:1",
    headers={"X-GitHub-Media-Type": "github.v3; format=json"},
    body=b'{"id":596892,"nul":"\x00"}' * 200,
    fetched_at=NOW - MINUTE,
    confirmed_at=NOW - MINUTE,
    used_at=NOW - MINUTE,
)

Conn = psycopg.Connection[Any]


@pytest.fixture
def conn(database_url: str) -> Iterator[Conn]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def purge(conn: Conn, *tags: str, hard: bool, created_at: datetime) -> None:
    conn.execute(
        "insert into purges (tags, hard, cause, created_at) values (%s, %s, 'operator', %s)",
        (list(tags), hard, created_at),
    )


def count(conn: Conn) -> int:
    row = conn.execute("select count(*) from upstream_responses").fetchone()
    assert row
    return int(row[0])


def test_what_was_put_is_got(conn: Conn) -> None:
    assert queries.archive_put(conn, ROW)
    assert queries.archive_get(conn, ROW.key) == ROW


def test_an_unknown_key_has_no_answer(conn: Conn) -> None:
    assert queries.archive_get(conn, "service:none") is None


def test_a_newer_answer_replaces_an_older_one(conn: Conn) -> None:
    queries.archive_put(conn, ROW)
    newer = replace(ROW, body=b"new", fetched_at=NOW, confirmed_at=NOW, used_at=NOW)
    assert queries.archive_put(conn, newer)
    assert queries.archive_get(conn, ROW.key) == newer


def test_an_older_answer_never_replaces_a_newer_one(conn: Conn) -> None:
    queries.archive_put(conn, ROW)
    earlier = ROW.fetched_at - MINUTE
    assert not queries.archive_put(conn, replace(ROW, body=b"old", fetched_at=earlier))
    assert queries.archive_get(conn, ROW.key) == ROW


def test_an_answer_fetched_before_the_held_one_was_confirmed_is_older(conn: Conn) -> None:
    queries.archive_put(conn, ROW)
    queries.archive_touch(conn, ROW.key, fetched_at=ROW.fetched_at, confirmed_at=NOW)
    between = ROW.fetched_at + MINUTE / 2
    assert not queries.archive_put(conn, replace(ROW, fetched_at=between, confirmed_at=between))


def test_what_was_asked_before_a_hard_purge_is_not_kept_after_it(conn: Conn) -> None:
    purge(conn, "owner:pallets", hard=True, created_at=NOW)
    assert not queries.archive_put(conn, ROW)


def test_what_was_asked_after_a_hard_purge_is_kept(conn: Conn) -> None:
    purge(conn, "owner:pallets", hard=True, created_at=ROW.fetched_at - MINUTE)
    assert queries.archive_put(conn, ROW)


def test_a_soft_purge_refuses_nothing(conn: Conn) -> None:
    purge(conn, "owner:pallets", hard=False, created_at=NOW)
    assert queries.archive_put(conn, ROW)


def test_a_hard_purge_of_others_refuses_nothing(conn: Conn) -> None:
    purge(conn, "owner:psf", hard=True, created_at=NOW)
    assert queries.archive_put(conn, ROW)


def test_a_304_changes_validators_and_times_alone(conn: Conn) -> None:
    queries.archive_put(conn, replace(ROW, link="<next>"))
    assert queries.archive_touch(
        conn, ROW.key, fetched_at=ROW.fetched_at, confirmed_at=NOW, etag='W/"def"'
    )
    expected = replace(ROW, link="<next>", etag='W/"def"', confirmed_at=NOW)
    assert queries.archive_get(conn, ROW.key) == expected


def test_a_304_without_validators_keeps_the_old_ones(conn: Conn) -> None:
    queries.archive_put(conn, ROW)
    queries.archive_touch(conn, ROW.key, fetched_at=ROW.fetched_at, confirmed_at=NOW)
    held = queries.archive_get(conn, ROW.key)
    assert held
    assert (held.etag, held.last_modified) == (ROW.etag, ROW.last_modified)


def test_a_304_about_a_replaced_answer_changes_nothing(conn: Conn) -> None:
    newer = replace(ROW, fetched_at=NOW, confirmed_at=NOW)
    queries.archive_put(conn, newer)
    assert not queries.archive_touch(conn, ROW.key, fetched_at=ROW.fetched_at, confirmed_at=NOW)
    assert queries.archive_get(conn, ROW.key) == newer


def test_a_304_rewrites_no_index(conn: Conn) -> None:
    queries.archive_put(conn, ROW)
    for second in range(20):
        at = NOW + timedelta(seconds=second)
        queries.archive_touch(
            conn, ROW.key, fetched_at=ROW.fetched_at, confirmed_at=at, etag=f'W/"{second}"'
        )
    conn.execute("select pg_stat_force_next_flush()")
    row = conn.execute(
        "select n_tup_upd - n_tup_hot_upd from pg_stat_user_tables"
        " where relname = 'upstream_responses'"
    ).fetchone()
    assert row == (0,)


def test_a_use_is_noted(conn: Conn) -> None:
    queries.archive_put(conn, replace(ROW, used_at=NOW - timedelta(days=6)))
    queries.archive_get(conn, ROW.key, now=NOW)
    held = queries.archive_get(conn, ROW.key, now=NOW + timedelta(days=3))
    assert held


def test_a_use_within_the_hour_is_not_written(conn: Conn) -> None:
    queries.archive_put(conn, ROW)
    queries.archive_get(conn, ROW.key, now=NOW + timedelta(minutes=30))
    held = queries.archive_get(conn, ROW.key, now=NOW + timedelta(minutes=31))
    assert held
    assert held.used_at == ROW.used_at


def test_what_nobody_used_for_seven_days_is_no_longer_served(conn: Conn) -> None:
    queries.archive_put(conn, ROW)
    assert queries.archive_get(conn, ROW.key, now=NOW + timedelta(days=7)) is None


def test_pruning_forgets_what_nobody_used(conn: Conn) -> None:
    queries.archive_put(conn, replace(ROW, key="service:old", used_at=NOW - timedelta(days=8)))
    queries.archive_put(conn, ROW)
    assert queries.archive_prune(conn, now=NOW) == 1
    assert queries.archive_get(conn, ROW.key) == ROW


def test_pruning_goes_by_portions(conn: Conn) -> None:
    for number in range(5):
        row = replace(ROW, key=f"service:{number}", used_at=NOW - timedelta(days=8 + number))
        queries.archive_put(conn, row)
    assert [queries.archive_prune(conn, now=NOW, rows=3) for _ in range(3)] == [3, 2, 0]


def test_one_answer_is_forgotten_by_key(conn: Conn) -> None:
    queries.archive_put(conn, ROW)
    assert [queries.archive_delete(conn, ROW.key) for _ in range(2)] == [True, False]


def test_answers_are_forgotten_by_any_of_their_tags(conn: Conn) -> None:
    queries.archive_put(conn, ROW)
    queries.archive_put(conn, replace(ROW, key="service:2", tags=["org:pallets", "owner:pallets"]))
    queries.archive_put(conn, replace(ROW, key="service:3", tags=["repo:psf/requests"]))
    assert queries.archive_delete_tags(conn, ["owner:pallets", "repo:none/none"]) == 2
    assert count(conn) == 1


def test_every_statement_is_announced_with_its_time(conn: Conn) -> None:
    heard: list[tuple[str, float]] = []

    def hear(_: object, query: str, seconds: float) -> None:
        heard.append((query, seconds))

    with signals.query_ran.connected_to(hear):
        queries.archive_delete(conn, "service:none")
    assert [(name, seconds > 0) for name, seconds in heard] == [("archive_delete", True)]


@pytest.mark.parametrize("name", statements.names())
def test_every_file_is_one_statement_that_says_what_it_serves(name: str) -> None:
    text = statements.load(name)
    assert text.startswith("-- Serves: ")
    assert "-- Index: " in text
    assert ";" not in re.sub(r"--[^\n]*", "", text)


PARAMETERS: dict[str, object] = {
    "key": "service:77",
    "now": NOW,
    "unused_since": NOW - timedelta(days=7),
    "after": 0,
    "rows": 100,
    "tags": ["repo:o/77"],
    "tag": "owner:o77",
    **dict.fromkeys(("link", "content_type", "request_id", "etag", "last_modified")),
    **dict.fromkeys(("path", "accept", "api_version"), ""),
    "status": 200,
    "headers": "{}",
    "body": b"",
    **dict.fromkeys(("cause", "detail"), "webhook"),
    "hard": True,
    "credential": None,
    "ids": [77, 78],
    "since": NOW + timedelta(days=30),
    "before": NOW - timedelta(days=300),
    **dict.fromkeys(("fetched_at", "confirmed_at", "used_at"), NOW),
}


@pytest.fixture(scope="module")
def filled(postgres: Any) -> Iterator[Conn]:
    """Enough rows that a planner would rather not read them all."""
    with (
        migrated_database(postgres, "filled") as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        connection.execute(
            "insert into upstream_responses select 'service:' || n, '/repos/o/' || n,"
            " array['repo:o/' || n, 'owner:o' || n % 100, 'all'], 200, '', '', null, null,"
            " null, null, null, '{}', 'body', now(), now(), now() - n * interval '1 minute'"
            " from generate_series(1, 20000) n"
        )
        connection.execute(
            "insert into purges (tags, hard, cause, created_at, applied_at)"
            " select array['owner:o' || n], n % 50 = 0, 'webhook',"
            " now() - n * interval '1 minute', now() from generate_series(1, 20000) n"
        )
        connection.execute("vacuum analyze upstream_responses")
        connection.execute("vacuum analyze purges")
        yield connection


@pytest.mark.parametrize("name", plans.names_of("test_queries"))
def test_every_statement_is_served_by_the_indexes_it_names(filled: Conn, name: str) -> None:
    plans.assert_served_by_the_indexes_it_names(filled, name, PARAMETERS)


def test_every_statement_has_a_test_of_its_plan() -> None:
    planned = {name for module in plans.SUBJECTS for name in plans.names_of(module)}
    assert planned == set(statements.names())
