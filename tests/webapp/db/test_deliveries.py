"""The statements of the journal of deliveries on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from script.embedded import Postgres
from tests.stores import migrated_database
from tests.webapp.db import plans
from webapp.db import deliveries
from webapp.db.deliveries import Delivery, OwedList

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PAUSE, LAG = 60 * SECOND, 20 * SECOND
ROW = Delivery(
    delivery="g-1",
    event="issues",
    action="opened",
    owner="pallets",
    repo="flask",
    hard_tags=[],
    soft_tags=["repo:pallets/flask"],
    list_tags=["repos:any", "repos:pallets"],
    received_at=NOW,
    lag=1.5,
    next_look_at=NOW + 2 * SECOND,
)

Conn = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> Iterator[str]:
    with migrated_database(postgres, "delivery_statements") as url:
        yield url


@pytest.fixture
def conn(url: str) -> Iterator[Conn]:
    """The statements' own transactions are part of one that is undone."""
    with psycopg.connect(url) as connection:
        yield connection
        connection.rollback()


def test_a_delivery_is_kept_as_it_is(conn: Conn) -> None:
    assert deliveries.delivery_note(conn, ROW) == 0
    assert deliveries.delivery_get(conn, "g-1") == ROW
    assert deliveries.delivery_get(conn, "g-2") is None


def test_a_delivery_that_comes_again_is_one_row_to_be_done_anew(conn: Conn) -> None:
    deliveries.delivery_note(conn, ROW)
    deliveries.delivery_purged(conn, "g-1", now=NOW)
    deliveries.delivery_looked(conn, "g-1", 2, next_look_at=None)
    again = replace(ROW, received_at=NOW + 60 * SECOND, next_look_at=NOW + 62 * SECOND)
    assert deliveries.delivery_note(conn, again) == 1
    assert deliveries.delivery_get(conn, "g-1") == replace(
        ROW, duplicates=1, next_look_at=NOW + 62 * SECOND
    )


def test_a_later_look_is_not_undone_by_an_earlier_one(conn: Conn) -> None:
    deliveries.delivery_note(conn, ROW)
    deliveries.delivery_looked(conn, "g-1", 2, next_look_at=None)
    deliveries.delivery_looked(conn, "g-1", 1, next_look_at=NOW)
    row = deliveries.delivery_get(conn, "g-1")
    assert row is not None
    assert (row.looks_done, row.next_look_at) == (2, None)


def test_a_delivery_is_due_to_one_sweeper_alone(url: str, conn: Conn) -> None:
    with psycopg.connect(url) as other:
        deliveries.delivery_note(other, ROW)
        other.commit()
        due = deliveries.deliveries_due(conn, before=NOW + 2 * SECOND, rows=10)
        assert [row.delivery for row in due] == ["g-1"]
        assert deliveries.deliveries_due(other, before=NOW + 2 * SECOND, rows=10) == []
        conn.rollback()
        other.execute("delete from webhook_deliveries")
        other.commit()


def test_a_repositorys_deliveries_come_the_last_first(conn: Conn) -> None:
    for number, repo in enumerate(("flask", "click", "flask", "")):
        received_at = NOW + number * SECOND
        row = replace(ROW, delivery=f"g-{number}", repo=repo, received_at=received_at)
        deliveries.delivery_note(conn, row)
    found = deliveries.deliveries_of_repo(conn, "pallets", "flask", rows=9)
    assert [row.delivery for row in found] == ["g-2", "g-0"]
    assert len(deliveries.deliveries_of_repo(conn, "pallets", "flask", rows=1)) == 1


def test_deliveries_are_counted_by_event_and_action(conn: Conn) -> None:
    for number in range(3):
        deliveries.delivery_note(conn, replace(ROW, delivery=f"g-{number}", lag=float(number)))
    ping = replace(ROW, delivery="p", event="ping", action="", soft_tags=[], list_tags=[])
    deliveries.delivery_note(conn, replace(ping, lag=None))
    deliveries.delivery_note(conn, replace(ROW, delivery="old", received_at=NOW - 60 * SECOND))
    counted = deliveries.deliveries_counted(conn, since=NOW)
    assert [(each.event, each.deliveries, each.ignored, each.lag_p95) for each in counted] == [
        ("issues", 3, 0, pytest.approx(1.9)),
        ("ping", 1, 1, None),
    ]


def test_old_deliveries_are_forgotten_the_oldest_first(conn: Conn) -> None:
    for number in range(4):
        received_at = NOW - number * SECOND
        deliveries.delivery_note(conn, replace(ROW, delivery=f"{number}", received_at=received_at))
    assert deliveries.deliveries_prune(conn, before=NOW, rows=2) == 2
    assert [
        row.delivery for row in deliveries.deliveries_recent(conn, since=NOW - PAUSE, rows=9)
    ] == [
        *("0", "1"),
    ]


def claim(conn: Conn, seconds: float, *tags: str) -> list[str]:
    """The tags that may be purged then."""
    now = NOW + seconds * SECOND
    told = {"cause": "webhook", "detail": f"at {seconds}"}
    claims = deliveries.list_purge_claim(conn, tags, now=now, pause=PAUSE, **told)
    return [each.tag for each in claims if each.now]


def test_a_list_may_be_purged_once_a_pause(conn: Conn) -> None:
    assert claim(conn, 0, "repos:a") == ["repos:a"]
    assert claim(conn, 59, "repos:a", "repos:b") == ["repos:b"]
    assert claim(conn, 60, "repos:a", "repos:b") == ["repos:a"]


def test_an_owed_list_names_its_last_change(conn: Conn) -> None:
    claim(conn, 0, "repos:a")
    claim(conn, 5, "repos:a")
    assert deliveries.list_purges_due(conn, now=NOW + 59 * SECOND, rows=10) == []
    due = deliveries.list_purges_due(conn, now=NOW + PAUSE, rows=10)
    assert due == [OwedList("repos:a", "webhook", "at 5")]


@pytest.mark.parametrize(("changed", "owed"), [(39, []), (41, ["repos:a"])])
def test_a_list_is_owed_once_more_where_its_change_is_young(
    conn: Conn, changed: float, owed: list[str]
) -> None:
    claim(conn, 0, "repos:a")
    claim(conn, changed, "repos:a")
    done = deliveries.list_purges_done(conn, ["repos:a"], now=NOW + PAUSE, pause=PAUSE, lag=LAG)
    assert done == owed


# Plans

PARAMETERS: dict[str, object] = {
    **{name: ["repo:a/b"] for name in ("hard_tags", "soft_tags", "list_tags")},
    **dict.fromkeys(("event", "action", "cause", "detail"), "x"),
    "owner": "o2",
    "repo": "r51",
    **dict.fromkeys(("now", "received_at", "next_look_at"), NOW),
    "tags": ["repos:o77"],
    "delivery": "g-77",
    "number": 1,
    "lag": LAG,
    "pause": PAUSE,
    "rows": 10,
    "before": NOW - timedelta(days=13),
    "since": NOW - timedelta(minutes=30),
}


@pytest.fixture(scope="module")
def filled(url: str) -> Iterator[Conn]:
    """Enough rows that a planner would rather not read them all."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "insert into webhook_deliveries (delivery, event, owner, repo, hard_tags, soft_tags,"
            " list_tags, received_at, purged_at, next_look_at)"
            " select 'g-' || n, 'push', 'o' || n %% 7, 'r' || n %% 300, '{}', '{}', '{}',"
            " %(now)s - n * interval '1 minute', now(),"
            " case when n <= 20 then %(now)s - interval '14 days' end"
            " from generate_series(1, 20000) n",
            {"now": NOW},
        )
        connection.execute(
            "insert into list_purges select 'repos:o' || n, now(), now(),"
            " case when n < 20 then %(now)s - interval '14 days' end, '', ''"
            " from generate_series(1, 20000) n",
            {"now": NOW},
        )
        connection.execute("vacuum analyze webhook_deliveries")
        connection.execute("vacuum analyze list_purges")
        yield connection
        connection.execute("truncate webhook_deliveries, list_purges")


@pytest.mark.parametrize("name", plans.names_of("test_deliveries"))
def test_every_statement_is_served_by_the_indexes_it_names(filled: Conn, name: str) -> None:
    own = {"lag": 1.5} if name == "delivery_note" else {}
    plans.assert_served_by_the_indexes_it_names(filled, name, {**PARAMETERS, **own})
