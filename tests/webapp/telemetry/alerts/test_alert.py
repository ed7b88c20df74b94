"""The states of an alert: each rule and each transition by a fake clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.webapp.telemetry.alerts.runs import (
    MINUTE,
    RULE,
    START,
    Runs,
    every_alert,
    values_of,
)
from webapp.telemetry.alerts.alert import FLAPPING_RUNS, Key, Reading, State, new, step
from webapp.telemetry.alerts.rules import RULES, NoData, Rule, Severity

OK, PENDING, FIRING = State.OK, State.PENDING, State.FIRING
RECOVERING, RESOLVED, NO_DATA = State.RECOVERING, State.RESOLVED, State.NO_DATA
BEYOND, BETWEEN, CLEAR = 100.0, 90.0, 79.9

EVERY = every_alert(RULES)
NAMES = [f"{rule.name}-{severity}" for rule, severity in EVERY]
each_alert = pytest.mark.parametrize(("rule", "severity"), EVERY, ids=NAMES)


# Each rule


@each_alert
def test_a_rule_fires_after_its_for_time(rule: Rule, severity: Severity) -> None:
    runs = Runs(rule, severity)
    beyond, _, _ = values_of(rule, severity)
    assert runs.until(FIRING, beyond) == 1 + -(-rule.wait // 60)
    assert runs.alert.fired_at == runs.now


@each_alert
def test_a_rule_is_over_after_its_keep_firing_for(rule: Rule, severity: Severity) -> None:
    runs = Runs(rule, severity)
    beyond, _, clear = values_of(rule, severity)
    runs.until(FIRING, beyond)
    assert runs.until(RESOLVED, clear) == 1 + -(-rule.keep // 60)
    assert runs.read(clear) is OK


@each_alert
def test_a_rule_that_fires_goes_on_between_its_thresholds(rule: Rule, severity: Severity) -> None:
    runs = Runs(rule, severity)
    beyond, between, _ = values_of(rule, severity)
    runs.until(FIRING, beyond)
    assert set(runs.reads(*[between] * 30)) == {FIRING}


@each_alert
def test_a_rule_does_not_begin_to_fire_between_its_thresholds(
    rule: Rule, severity: Severity
) -> None:
    _, between, _ = values_of(rule, severity)
    assert set(Runs(rule, severity).reads(*[between] * 30)) == {OK}


@each_alert
def test_a_rule_says_nothing_of_too_few_samples(rule: Rule, severity: Severity) -> None:
    runs = Runs(rule, severity)
    beyond, _, _ = values_of(rule, severity)
    states = {runs.read(beyond, rule.minimum - 1) for _ in range(30)}
    assert FIRING not in states or rule.no_data is NoData.ALERT


@each_alert
def test_a_threshold_itself_is_beyond_it(rule: Rule, severity: Severity) -> None:
    assert Runs(rule, severity).read(rule.threshold(severity)) in {PENDING, FIRING}


def test_a_warning_comes_before_its_critical_alert() -> None:
    both = [rule for rule in RULES if rule.warn is not None and rule.critical is not None]
    assert [
        rule.name for rule in both if ((rule.critical or 0) < (rule.warn or 0)) != rule.below
    ] == []


def test_rules_stand_behind_rules_there_are() -> None:
    names = {rule.name for rule in RULES}
    assert {cause for rule in RULES for cause in rule.behind} <= names


# Each transition


def test_an_alert_waits_before_it_fires() -> None:
    assert Runs().reads(BEYOND, BEYOND, BEYOND) == [PENDING, PENDING, FIRING]


@pytest.mark.parametrize("value", [BETWEEN, CLEAR])
def test_a_wait_begins_anew_after_one_good_run(value: float) -> None:
    states = Runs().reads(BEYOND, BEYOND, value, BEYOND, BEYOND, BEYOND)
    assert states == [PENDING, PENDING, OK, PENDING, PENDING, FIRING]


def fired(rule: Rule = RULE) -> Runs:
    runs = Runs(rule)
    runs.until(FIRING, BEYOND)
    return runs


def test_an_alert_recovers_before_it_is_over() -> None:
    assert fired().reads(*[CLEAR] * 5) == [RECOVERING] * 3 + [RESOLVED, OK]


@pytest.mark.parametrize("value", [BETWEEN, BEYOND])
def test_a_recovery_ends_where_it_is_not_clear(value: float) -> None:
    runs = fired()
    began = runs.alert.fired_at
    assert runs.reads(CLEAR, CLEAR, value) == [RECOVERING, RECOVERING, FIRING]
    assert runs.alert.fired_at == began


def test_what_is_over_waits_again_before_it_fires() -> None:
    runs = fired()
    runs.until(RESOLVED, CLEAR)
    assert runs.reads(BEYOND, BEYOND, BEYOND) == [PENDING, PENDING, FIRING]
    assert runs.alert.resolved_at is None


def test_without_waits_an_alert_follows_its_readings() -> None:
    runs = Runs(replace(RULE, wait=0, keep=0))
    assert runs.reads(BEYOND, CLEAR, CLEAR) == [FIRING, RESOLVED, OK]


def test_a_state_remembers_when_it_began() -> None:
    runs = Runs()
    runs.reads(BEYOND, BEYOND)
    assert runs.alert.since == START + MINUTE


def test_a_clock_that_is_set_back_fires_nothing() -> None:
    runs = Runs()
    runs.read(BEYOND)
    runs.now -= timedelta(hours=3)
    assert runs.read(BEYOND) is PENDING


def test_a_wait_begins_anew_where_runs_were_missed() -> None:
    runs = Runs()
    runs.reads(BEYOND, BEYOND)
    runs.now += timedelta(hours=1)
    assert runs.read(BEYOND, missed=True) is PENDING
    assert runs.reads(BEYOND, BEYOND) == [PENDING, FIRING]


def test_a_recovery_begins_anew_where_runs_were_missed() -> None:
    runs = fired()
    runs.read(CLEAR)
    runs.now += timedelta(hours=1)
    assert runs.read(CLEAR, missed=True) is RECOVERING


# No data


def quiet(no_data: NoData) -> Rule:
    return replace(RULE, no_data=no_data)


@pytest.mark.parametrize("no_data", [NoData.QUIET, NoData.HOLD])
def test_no_data_is_a_state_of_its_own(no_data: NoData) -> None:
    assert Runs(quiet(no_data)).reads(None, None, CLEAR) == [NO_DATA, NO_DATA, OK]


def test_an_alert_may_come_after_no_data() -> None:
    assert Runs().reads(None, BEYOND, BEYOND, BEYOND) == [NO_DATA, PENDING, PENDING, FIRING]


def test_no_data_ends_a_wait() -> None:
    states = Runs(quiet(NoData.QUIET)).reads(BEYOND, BEYOND, None, BEYOND)
    assert states == [PENDING, PENDING, NO_DATA, PENDING]


def test_a_wait_is_held_where_no_data_says_nothing() -> None:
    states = Runs(quiet(NoData.HOLD)).reads(BEYOND, None, BEYOND)
    assert states == [PENDING, PENDING, FIRING]


def test_a_quiet_rule_is_over_without_data() -> None:
    assert fired(quiet(NoData.QUIET)).reads(*[None] * 5) == [RECOVERING] * 3 + [RESOLVED, NO_DATA]


def test_a_held_rule_fires_on_without_data() -> None:
    assert set(fired(quiet(NoData.HOLD)).reads(*[None] * 60)) == {FIRING}


def test_no_data_may_be_the_fault_itself() -> None:
    runs = Runs(quiet(NoData.ALERT))
    assert runs.reads(None, None, None, None) == [PENDING, PENDING, FIRING, FIRING]
    assert runs.alert.value is None


def test_a_subject_that_is_gone_is_over_whatever_its_rule_says_of_no_data() -> None:
    alert = fired(quiet(NoData.HOLD)).alert
    gone = Reading("", None, gone=True)
    assert step(alert, quiet(NoData.HOLD), gone, START, missed=False).state is RECOVERING


# Flapping


def test_an_alert_that_comes_and_goes_fires_until_it_has_calmed() -> None:
    runs = Runs(replace(RULE, wait=0, keep=0))
    for value in (BEYOND, CLEAR) * 2:
        runs.read(value)
    assert runs.alert.flapping
    assert set(runs.reads(*(BEYOND, CLEAR) * 20)) == {FIRING, RECOVERING}
    calm = runs.until(RESOLVED, CLEAR)
    assert FLAPPING_RUNS - 5 <= calm <= FLAPPING_RUNS
    assert not runs.alert.flapping


def test_three_changes_are_no_flapping() -> None:
    runs = Runs(replace(RULE, wait=0, keep=0))
    assert runs.reads(BEYOND, CLEAR, BEYOND) == [FIRING, RESOLVED, FIRING]
    assert not runs.alert.flapping


def test_changes_long_ago_are_no_flapping() -> None:
    runs = Runs(replace(RULE, wait=0, keep=0))
    for value in (BEYOND, CLEAR) * 2:
        runs.reads(*[value] * 10)
    assert runs.alert.state in {RESOLVED, OK}


def test_nothing_is_remembered_of_an_alert_that_is_long_over() -> None:
    runs = fired()
    runs.until(RESOLVED, CLEAR)
    runs.reads(*[CLEAR] * FLAPPING_RUNS)
    assert runs.alert.dull


def test_an_alert_that_receivers_believe_in_is_remembered() -> None:
    alert = new(Key("a_rule", Severity.WARNING), START)
    assert alert.dull
    assert not replace(alert, told_at=START).dull
