"""Evaluation on a real PostgreSQL: restarts, several evaluators, receivers that are away."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from script.embedded import Postgres
from tests.webapp.telemetry.alerts.receiver import AlertReceiver
from tests.webapp.telemetry.alerts.runs import RULE, START
from tests.webapp.telemetry.alerts.store import Clock, Given, alert_database, emptied, outbox
from tests.workers.processes import wait_for
from webapp.db.pool import Database
from webapp.errors import DatabaseUnavailable
from webapp.secret import Secret
from webapp.telemetry.alerts.alert import Reading
from webapp.telemetry.alerts.alerting import Alerting
from webapp.telemetry.alerts.delivery import Webhook
from webapp.telemetry.alerts.notices import Timing
from webapp.telemetry.alerts.rounds import Rounds
from webapp.telemetry.alerts.rules import NoData, Rule

RULES = (
    replace(RULE, name="first", wait=120, keep=0, warn=50),
    replace(RULE, name="second", wait=0, keep=0, no_data=NoData.HOLD),
    replace(RULE, name="third", wait=0, keep=0, group="another"),
)


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> Iterator[str]:
    with alert_database(postgres, "alerting") as url:
        yield url


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    with emptied(url) as database:
        yield database


@pytest.fixture
def receiver() -> Iterator[AlertReceiver]:
    with AlertReceiver() as running:
        yield running


class Evaluated:
    """An Alerting over figures of the test's, its rules evaluated as its clock is moved."""

    def __init__(
        self,
        database: Database,
        receiver: AlertReceiver,
        rules: tuple[Rule, ...] = RULES,
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.figures = Given()
        self.figures.values = dict.fromkeys((rule.name for rule in rules), 0.0)
        self.receiver = receiver
        self.alerting = Alerting(
            database,
            self.figures,
            rules,
            Timing(),
            {"webhook": Webhook(Secret(receiver.url), None)},
            clock=self.clock,
        )
        self.alerting.stop()  # no pauses between tries

    def minutes(self, number: int = 1) -> None:
        """A round each half minute."""
        for _ in range(2 * number):
            self.clock.move(seconds=30)
            self.alerting.evaluate()
            self.alerting.deliver()

    def states(self) -> dict[str, str]:
        return {
            f"{each.key.rule}{each.key.subject}": each.state.value
            for each in self.alerting.present().alerts
            if each.key.severity == "critical"
        }

    @property
    def said(self) -> list[tuple[str, list[str]]]:
        return [post.said for post in self.receiver.posts]


@pytest.fixture
def evaluated(database: Database, receiver: AlertReceiver) -> Evaluated:
    return Evaluated(database, receiver)


def test_an_alert_fires_and_is_over_once(evaluated: Evaluated) -> None:
    evaluated.figures.values["second"] = 101
    evaluated.minutes(5)
    evaluated.figures.values["second"] = 1
    evaluated.minutes(30)
    evaluated.clock.move(hours=5)
    evaluated.minutes(5)
    assert evaluated.said == [
        ("firing", ["second:firing"]),
        ("resolved", ["second:resolved"]),
    ]


def test_alerts_of_a_group_come_in_one_message(evaluated: Evaluated) -> None:
    evaluated.figures.values |= {"second": 101, "third": 101}
    evaluated.figures.values["second"] = [Reading(each, 101, 99) for each in ("a", "b", "c")]
    evaluated.minutes(2)
    assert evaluated.said == [("firing", ["second:firing"] * 3), ("firing", ["third:firing"])]


def test_rules_are_evaluated_once_a_period(evaluated: Evaluated) -> None:
    evaluated.clock.move(minutes=1)
    assert evaluated.alerting.evaluate()
    evaluated.clock.move(seconds=59)
    assert not evaluated.alerting.evaluate()
    evaluated.clock.move(seconds=1)
    assert evaluated.alerting.evaluate()


def test_who_is_late_leaves_a_period_to_others_for_a_while(evaluated: Evaluated) -> None:
    evaluated.minutes()
    evaluated.clock.now = START + timedelta(minutes=5, seconds=-41)
    evaluated.alerting.evaluate()
    evaluated.clock.move(minutes=1)
    assert not evaluated.alerting.evaluate(late=20)
    evaluated.clock.move(seconds=1)
    assert evaluated.alerting.evaluate(late=20)


def test_a_clock_that_was_far_ahead_stops_nobody(evaluated: Evaluated) -> None:
    evaluated.clock.move(days=300)
    assert evaluated.alerting.evaluate()
    evaluated.clock.move(days=-300)
    assert evaluated.alerting.evaluate()


def test_a_restart_forgets_no_wait(
    database: Database, receiver: AlertReceiver, evaluated: Evaluated
) -> None:
    evaluated.figures.values["first"] = 101
    evaluated.minutes(2)
    assert evaluated.states() == {"first": "pending"}
    again = Evaluated(database, receiver, clock=evaluated.clock)
    again.figures.values["first"] = 101
    again.minutes(1)
    assert again.states() == {"first": "firing"}


def test_a_wait_begins_anew_after_an_hour_without_evaluation(evaluated: Evaluated) -> None:
    evaluated.figures.values["first"] = 101
    evaluated.minutes(1)
    evaluated.clock.move(hours=1)
    evaluated.minutes(1)
    assert evaluated.states() == {"first": "pending"}


def test_eight_evaluators_send_once(url: str, database: Database, receiver: AlertReceiver) -> None:
    clock = Clock()
    databases = [Database(Secret(url), size=1) for _ in range(8)]
    evaluators = [Evaluated(each, receiver, clock=clock) for each in databases]
    for each in evaluators:
        each.figures.values |= {"second": 101, "third": 101}
        each.states()  # connected
    turns = 12
    barrier = threading.Barrier(8)
    done: list[bool] = []

    def rounds(evaluator: Evaluated) -> None:
        barrier.wait()
        done.append(evaluator.alerting.evaluate())
        evaluator.alerting.deliver()

    for _ in range(turns):
        clock.move(seconds=30)
        threads = [threading.Thread(target=rounds, args=(each,)) for each in evaluators]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for own in databases:
        own.close()
    said = sorted(post.said for post in receiver.posts)
    assert said == [("firing", ["second:firing"]), ("firing", ["third:firing"])]
    # At most one of them a turn; now and then none, where all met the one that had the lock.
    assert 6 <= sum(done) <= turns
    assert Evaluated(database, receiver).states() == {"second": "firing", "third": "firing"}


def test_who_was_overtaken_while_it_read_does_nothing(
    database: Database, receiver: AlertReceiver, evaluated: Evaluated
) -> None:
    faster = Evaluated(database, receiver, clock=evaluated.clock)

    class Overtaken(Given):
        def read(self, rule: Rule) -> Sequence[Reading] | None:
            faster.alerting.evaluate()
            return [Reading("", 101, 99)]

    slower = Alerting(database, Overtaken(), RULES, Timing(), {}, clock=evaluated.clock)
    evaluated.clock.move(minutes=1)
    assert not slower.evaluate()
    assert evaluated.states() == {}


def test_a_receiver_that_is_away_for_an_hour_misses_nothing(evaluated: Evaluated) -> None:
    evaluated.receiver.status = 503
    evaluated.figures.values["second"] = 101
    evaluated.minutes(20)
    evaluated.figures.values["second"] = 1
    evaluated.minutes(40)
    assert evaluated.said == []
    evaluated.receiver.status = 200
    evaluated.minutes(15)
    assert evaluated.said == [
        ("firing", ["second:firing"]),
        ("resolved", ["second:resolved"]),
    ]


def test_a_receiver_that_is_away_gets_no_repetitions_later(evaluated: Evaluated, url: str) -> None:
    evaluated.receiver.status = 503
    evaluated.figures.values["second"] = 101
    for _ in range(13):
        evaluated.minutes(2)
        evaluated.clock.move(hours=1)
    assert len(outbox(url)) == 1


def test_what_nobody_took_within_a_day_is_given_up(
    evaluated: Evaluated, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    evaluated.receiver.status = 503
    evaluated.figures.values["second"] = 101
    evaluated.minutes(2)
    evaluated.clock.move(days=1, hours=1)
    evaluated.minutes(1)
    assert [each["result"] for each in outbox(url)][:1] == ["given up"]
    assert "1 messages were not delivered within a day" in caplog.text


def test_what_is_old_is_forgotten(evaluated: Evaluated, database: Database, url: str) -> None:
    evaluated.figures.values["second"] = 101
    evaluated.minutes(2)
    evaluated.alerting.silence("first", None, "a release", "admin", timedelta(hours=1))
    evaluated.figures.values["second"] = 1
    evaluated.minutes(30)
    evaluated.clock.move(days=91)
    evaluated.minutes(1)
    with psycopg.connect(url) as conn:
        for table in ("alerts", "alert_changes", "alert_outbox", "silences"):
            row = conn.execute(f"select count(*) from {table}").fetchone()
            assert (table, row) == (table, (0,))


def test_a_silence_keeps_an_alert_from_being_told(evaluated: Evaluated) -> None:
    silence = evaluated.alerting.silence("second", None, "a release", "admin", timedelta(hours=1))
    evaluated.figures.values["second"] = 101
    evaluated.minutes(5)
    assert evaluated.said == []
    present = evaluated.alerting.present()
    assert [each.id for each in present.silences] == [silence.id]
    assert present.muted[present.firing[0]] == "silenced"
    assert evaluated.alerting.end_silence(silence.id)
    evaluated.minutes(2)
    assert evaluated.said == [("firing", ["second:firing"])]


def test_a_silence_is_ended_once(evaluated: Evaluated) -> None:
    silence = evaluated.alerting.silence(None, None, "a release", "admin", timedelta(hours=1))
    assert evaluated.alerting.end_silence(silence.id)
    assert not evaluated.alerting.end_silence(silence.id)


@pytest.mark.parametrize("readings", [[], [Reading("b", 1, 99)]])
def test_a_subject_that_is_no_longer_read_is_over(
    evaluated: Evaluated, readings: Sequence[Reading]
) -> None:
    evaluated.figures.values["second"] = [Reading("a", 101, 99)]
    evaluated.minutes(2)
    evaluated.figures.values["second"] = readings
    evaluated.minutes(6)
    assert evaluated.said[-1] == ("resolved", ["second:resolved"])


def test_what_cannot_be_read_is_not_over(evaluated: Evaluated) -> None:
    evaluated.figures.values["second"] = [Reading("a", 101, 99)]
    evaluated.minutes(2)
    evaluated.figures.values["second"] = None
    evaluated.minutes(60)
    assert evaluated.states() == {"seconda": "firing"}


def test_no_data_is_shown(evaluated: Evaluated) -> None:
    evaluated.figures.values["second"] = None
    evaluated.minutes(1)
    assert evaluated.states() == {"second": "no data"}


def test_an_alert_of_a_rule_that_is_gone_is_forgotten(
    database: Database, receiver: AlertReceiver, evaluated: Evaluated
) -> None:
    evaluated.figures.values["second"] = 101
    evaluated.minutes(2)
    without = Evaluated(database, receiver, RULES[:1], clock=evaluated.clock)
    without.minutes(1)
    assert without.states() == {}


def test_a_warning_becomes_a_critical_alert(evaluated: Evaluated) -> None:
    evaluated.figures.values["first"] = 60
    evaluated.minutes(5)
    evaluated.figures.values["first"] = 120
    evaluated.minutes(10)
    severities = [
        [each["labels"]["severity"] for each in post.json["alerts"]]
        for post in evaluated.receiver.posts
    ]
    assert severities == [["warning"], ["critical"]]


def test_history_tells_what_became_of_an_alert(evaluated: Evaluated) -> None:
    evaluated.figures.values["first"] = 101
    evaluated.minutes(4)
    evaluated.figures.values["first"] = 1
    evaluated.minutes(1)
    told = [
        (each.was, each.became)
        for each in evaluated.alerting.history(START)
        if each.severity == "critical"
    ]
    assert told == [("firing", "resolved"), ("pending", "firing"), ("ok", "pending")]


def test_alerts_are_logged_for_those_whom_nobody_else_tells(
    database: Database, receiver: AlertReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    alone = Evaluated(database, receiver)
    alone.alerting = Alerting(database, alone.figures, RULES, Timing(), {}, clock=alone.clock)
    alone.figures.values["second"] = 101.0
    alone.minutes(1)
    alone.figures.values["second"] = 1
    alone.minutes(1)
    ours = [each.getMessage() for each in caplog.records if "alert" in each.name]
    assert ours == ["critical alert fires: second -: 101.0", "critical alert is over: second -"]


def test_evaluation_fails_without_a_database_and_goes_on_with_it(
    postgres: Postgres, database: Database, receiver: AlertReceiver, url: str
) -> None:
    hasty = Database(Secret(url), size=2, statement_timeout=0.2)
    evaluated = Evaluated(hasty, receiver)
    evaluated.figures.values["second"] = 101
    evaluated.minutes(1)
    postgres.pause()
    try:
        evaluated.clock.move(minutes=1)
        with pytest.raises(DatabaseUnavailable):
            evaluated.alerting.evaluate()
    finally:
        postgres.resume()
    wait_for(lambda: _again(evaluated), "evaluation after the outage")
    assert evaluated.states() == {"second": "firing"}
    hasty.close()


def _again(evaluated: Evaluated) -> bool:
    try:
        evaluated.minutes(1)
    except DatabaseUnavailable:
        return False
    return True


def test_a_test_message_tells_what_went_wrong(evaluated: Evaluated) -> None:
    assert evaluated.alerting.send_test() == {"webhook": ""}
    evaluated.receiver.status = 404
    assert evaluated.alerting.send_test() == {"webhook": "HTTP 404"}
    assert evaluated.said == [("firing", ["test:firing"])]


def test_web_processes_evaluate_by_themselves(database: Database, receiver: AlertReceiver) -> None:
    figures = Given()
    figures.values = {"second": 101.0}
    alerting = Alerting(
        database,
        figures,
        RULES[1:2],
        Timing(every=1, group_wait=0),
        {"webhook": Webhook(Secret(receiver.url), None)},
    )
    rounds = Rounds(alerting)
    rounds.every = 0.05
    rounds.start()
    try:
        receiver.wait_for(1)
    finally:
        alerting.stop()
    (post,) = receiver.posts
    assert post.said == ("firing", ["second:firing"])
