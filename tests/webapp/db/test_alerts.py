"""The statements of alerts on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from script.embedded import Postgres
from tests.stores import migrated_database
from tests.webapp.db import plans
from webapp.db import alerts
from webapp.db.alerts import AlertChange, AlertRow, GroupRow

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ROW = AlertRow("github_budget", "critical", "abc core", "firing", NOW, 3.5, NOW, None, NOW, runs=7)

Conn = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> Iterator[str]:
    with migrated_database(postgres, "alert_statements") as url:
        yield url


@pytest.fixture
def conn(url: str) -> Iterator[Conn]:
    """The statements' own transactions are part of one that is undone."""
    with psycopg.connect(url) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def other(url: str) -> Iterator[Conn]:
    with psycopg.connect(url) as connection:
        yield connection
        connection.rollback()


def test_an_alert_is_kept_as_it_is(conn: Conn) -> None:
    alerts.alert_put(conn, [ROW])
    assert alerts.alerts_all(conn) == [ROW]


def test_an_alert_has_one_row(conn: Conn) -> None:
    later = AlertRow(
        *(ROW.rule, ROW.severity, ROW.subject, "resolved", NOW + MINUTE, 50.0, NOW),
        *(NOW + MINUTE, None, 14),
    )
    alerts.alert_put(conn, [ROW])
    alerts.alert_put(conn, [later])
    assert alerts.alerts_all(conn) == [later]


def test_an_alert_is_forgotten(conn: Conn) -> None:
    alerts.alert_put(conn, [ROW])
    alerts.alert_delete(conn, ROW.rule, ROW.severity, ROW.subject)
    assert alerts.alerts_all(conn) == []


def test_one_transaction_at_a_time_evaluates(conn: Conn, other: Conn) -> None:
    assert alerts.alert_lock(conn)
    assert not alerts.alert_lock(other)
    conn.rollback()
    assert alerts.alert_lock(other)


def test_the_clock_tells_the_last_evaluation(conn: Conn) -> None:
    alerts.alert_clock_set(conn, evaluated_at=NOW, wake_at=NOW + MINUTE)
    clock = alerts.alert_clock_read(conn)
    assert (clock.evaluated_at, clock.wake_at) == (NOW, NOW + MINUTE)


def test_history_is_told_from_its_end(conn: Conn) -> None:
    changes = [
        AlertChange(NOW + n * MINUTE, "hit_rate", "warning", "", "ok", "pending", float(n))
        for n in range(3)
    ]
    alerts.alert_change_add(conn, changes)
    assert alerts.alert_changes_recent(conn, since=NOW + MINUTE) == [changes[2], changes[1]]


def test_old_history_is_forgotten(conn: Conn) -> None:
    alerts.alert_change_add(
        conn, [AlertChange(NOW, "hit_rate", "warning", "", "ok", "pending", None)]
    )
    assert alerts.alert_changes_prune(conn, before=NOW + MINUTE) == 1


def test_groups_are_kept(conn: Conn) -> None:
    alerts.alert_group_put(conn, [GroupRow("jobs", None, NOW), GroupRow("github", NOW, None)])
    alerts.alert_group_put(conn, [GroupRow("jobs", NOW, NOW)])
    assert alerts.alert_groups_all(conn) == [
        GroupRow("github", NOW, None),
        GroupRow("jobs", NOW, NOW),
    ]


def silence(conn: Conn, ends_at: datetime) -> int:
    return alerts.silence_add(
        conn,
        rule="hit_rate",
        subject=None,
        reason="a release",
        created_by="admin",
        created_at=NOW,
        ends_at=ends_at,
    ).id


def test_a_silence_holds_until_it_ends(conn: Conn) -> None:
    held = silence(conn, NOW + MINUTE)
    assert [each.id for each in alerts.silences_active(conn, now=NOW)] == [held]
    assert alerts.silences_active(conn, now=NOW + MINUTE) == []


def test_a_silence_is_ended_once(conn: Conn) -> None:
    held = silence(conn, NOW + 5 * MINUTE)
    assert alerts.silence_end(conn, held, now=NOW + MINUTE)
    assert not alerts.silence_end(conn, held, now=NOW + 2 * MINUTE)
    assert alerts.silences_active(conn, now=NOW + MINUTE) == []


def test_old_silences_are_forgotten(conn: Conn) -> None:
    silence(conn, NOW)
    assert alerts.silences_prune(conn, before=NOW + MINUTE) == 1


def claim(conn: Conn, now: datetime, receiver: str = "webhook") -> alerts.OutgoingMessage | None:
    return alerts.alert_outbox_claim(conn, receiver, now=now, until=now + MINUTE)


def test_a_message_is_for_each_receiver(conn: Conn) -> None:
    alerts.alert_outbox_add(conn, ["webhook", "slack"], {"n": 1}, now=NOW)
    for receiver in ("webhook", "slack"):
        found = claim(conn, NOW, receiver)
        assert found is not None
        assert (found.body, found.attempts) == ({"n": 1}, 1)


def test_a_claimed_message_is_nobody_elses_for_a_while(conn: Conn) -> None:
    alerts.alert_outbox_add(conn, ["webhook"], {}, now=NOW)
    assert claim(conn, NOW)
    assert claim(conn, NOW + MINUTE / 2) is None
    again = claim(conn, NOW + MINUTE)
    assert again is not None
    assert again.attempts == 2


def test_no_message_overtakes_the_one_before_it(conn: Conn) -> None:
    for n in (1, 2):
        alerts.alert_outbox_add(conn, ["webhook"], {"n": n}, now=NOW)
    first = claim(conn, NOW)
    assert first is not None
    alerts.alert_outbox_put_off(conn, first.id, next_try_at=NOW + 5 * MINUTE, error="refused")
    assert claim(conn, NOW + 4 * MINUTE) is None
    again = claim(conn, NOW + 5 * MINUTE)
    assert again is not None
    assert again.body == {"n": 1}


def test_a_message_that_is_done_with_makes_way(conn: Conn) -> None:
    for n in (1, 2):
        alerts.alert_outbox_add(conn, ["webhook"], {"n": n}, now=NOW)
    first = claim(conn, NOW)
    assert first is not None
    alerts.alert_outbox_done(conn, first.id, now=NOW, result="sent")
    second = claim(conn, NOW)
    assert second is not None
    assert second.body == {"n": 2}


def test_what_waits_is_told(conn: Conn) -> None:
    alerts.alert_outbox_add(conn, ["webhook"], {}, now=NOW)
    waiting = alerts.alert_outbox_waiting(conn, "webhook")
    assert (waiting.waiting, waiting.since) == (1, NOW)


def test_old_messages_are_given_up_and_later_forgotten(conn: Conn) -> None:
    alerts.alert_outbox_add(conn, ["webhook"], {}, now=NOW)
    assert alerts.alert_outbox_give_up(conn, now=NOW + MINUTE, before=NOW + MINUTE) == 1
    assert claim(conn, NOW + MINUTE) is None
    assert alerts.alert_outbox_prune(conn, before=NOW + 2 * MINUTE) == 1


def test_owners_of_webhooks_are_told_apart(conn: Conn) -> None:
    for n, owner in enumerate(("psf", "pallets", "psf", "")):
        conn.execute(
            "insert into webhook_deliveries"
            " (delivery, event, owner, hard_tags, soft_tags, list_tags, received_at)"
            " values (%s, 'push', %s, '{}', '{}', '{}', %s)",
            (str(n), owner, NOW + n * MINUTE),
        )
    assert alerts.alert_webhook_owners(conn, since=NOW) == [
        alerts.WebhookOwner("psf", 2, NOW + 2 * MINUTE),
        alerts.WebhookOwner("pallets", 1, NOW + MINUTE),
    ]
    assert len(alerts.alert_webhook_owners(conn, since=NOW + 2 * MINUTE)) == 1


PARAMETERS: dict[str, object] = {
    **dict.fromkeys(("rule", "severity", "subject", "state", "was", "became", "reason"), "x77"),
    **dict.fromkeys(("clock", "name", "created_by", "receiver", "result", "error"), "x77"),
    **dict.fromkeys(("at", "now", "until", "created_at", "evaluated_at", "next_try_at"), NOW),
    **dict.fromkeys(("fired_at", "resolved_at", "told_at", "wake_at", "waiting_since"), NOW),
    "sent_at": NOW,
    "since": NOW - MINUTE,
    "before": NOW - timedelta(days=300),
    "ends_at": NOW,
    "value": 1.0,
    "runs": 0,
    "rows": 100,
    "id": 77,
    "body": "{}",
}
FILLING = (
    "insert into alerts select 'x' || n, 'warning', '', 'ok', now(), 1, null, null, null, 0",
    (
        "insert into alert_changes (at, rule, severity, subject, was, became)"
        " select timestamptz '2026-03-02 12:00Z' - n * interval '1 hour', 'x', 'y', '', 'ok', 'ok'"
    ),
    "insert into alert_groups select 'x' || n",
    (
        "insert into webhook_deliveries"
        " (delivery, event, owner, hard_tags, soft_tags, list_tags, received_at)"
        " select 'x' || n, 'push', 'o' || n % 100, '{}', '{}', '{}',"
        " timestamptz '2026-03-02 12:00Z' - n * interval '1 hour'"
    ),
    "insert into alert_clocks select 'x' || n, now()",
    (
        "insert into silences (reason, created_by, created_at, ends_at)"
        " select '', '', now(), timestamptz '2026-03-02 12:00Z' + (1000 - n) * interval '1 hour'"
    ),
    (
        "insert into alert_outbox (receiver, body, created_at, next_try_at, done_at)"
        " select 'x' || n % 100, '{}', now() - n * interval '1 hour', now(),"
        " case when n % 2 = 0 then now() - n * interval '1 hour' end"
    ),
)


@pytest.fixture(scope="module")
def filled(url: str, postgres: Postgres) -> Iterator[Conn]:
    """Enough rows that a planner would rather not read them all."""
    with (
        migrated_database(postgres, "filled_alerts") as own,
        psycopg.connect(own, autocommit=True) as connection,
    ):
        for filling in FILLING:
            connection.execute(filling + " from generate_series(1, 10000) n")
        connection.execute("vacuum analyze")
        yield connection


@pytest.mark.parametrize("name", plans.names_of("test_alerts"))
def test_every_statement_is_served_by_the_indexes_it_names(filled: Conn, name: str) -> None:
    plans.assert_served_by_the_indexes_it_names(filled, name, PARAMETERS)
