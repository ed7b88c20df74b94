"""Who is told what, and when: groups, repeats, silences, and what stands behind what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.webapp.telemetry.alerts.runs import MINUTE, RULE, START
from webapp.telemetry.alerts.alert import Alert, Key, State
from webapp.telemetry.alerts.notices import Group, Notice, Silence, Timing, tell
from webapp.telemetry.alerts.rules import Severity, named

RULES = named(
    (
        replace(RULE, name="cause", group="one"),
        replace(RULE, name="effect", group="one", behind=("cause",)),
        replace(RULE, name="other", group="two"),
    )
)
TIMING = Timing(group_wait=30, group_interval=300, repeat=4 * 3600)
HOUR = timedelta(hours=1)


class Told:
    """A receiver, and what it is told as time goes by."""

    def __init__(self) -> None:
        self.now = START
        self.alerts: dict[Key, Alert] = {}
        self.groups: dict[str, Group] = {}
        self.silences: list[Silence] = []

    def set(
        self, rule: str, state: State, subject: str = "", severity: Severity = Severity.CRITICAL
    ) -> None:
        key = Key(rule, severity, subject)
        before = self.alerts.get(key, Alert(key, state, self.now))
        self.alerts[key] = replace(before, state=state, since=self.now)

    def after(self, time: timedelta = timedelta(0)) -> list[Notice]:
        self.now += time
        told = tell(
            list(self.alerts.values()),
            RULES,
            self.silences,
            self.groups,
            timing=TIMING,
            now=self.now,
        )
        self.alerts = {each.key: each for each in told.alerts}
        self.groups = {each.name: each for each in told.groups}
        self.wake_at = told.wake_at
        return list(told.notices)


@pytest.fixture
def told() -> Told:
    return Told()


def names(alerts: Sequence[Alert]) -> list[str]:
    return [each.key.rule + each.key.subject for each in alerts]


def said(notices: Sequence[Notice]) -> list[tuple[list[str], list[str]]]:
    return [(names(each.firing), names(each.resolved)) for each in notices]


def test_a_group_waits_for_more_of_its_kind(told: Told) -> None:
    told.set("cause", State.FIRING, "1")
    assert told.after() == []
    assert told.wake_at == START + timedelta(seconds=30)
    told.set("cause", State.FIRING, "2")
    assert said(told.after(timedelta(seconds=30))) == [(["cause1", "cause2"], [])]


def test_groups_are_told_apart(told: Told) -> None:
    told.set("cause", State.FIRING)
    told.set("other", State.FIRING)
    told.after()
    assert said(told.after(MINUTE)) == [(["cause"], []), (["other"], [])]


def test_what_is_told_is_not_told_again(told: Told) -> None:
    told.set("cause", State.FIRING)
    told.after()
    assert told.after(MINUTE)
    for _ in range(30):
        assert told.after(MINUTE) == []


def test_what_is_new_waits_for_the_interval(told: Told) -> None:
    told.set("cause", State.FIRING, "1")
    told.after()
    told.after(MINUTE)
    told.set("cause", State.FIRING, "2")
    assert told.after(4 * MINUTE) == []
    assert said(told.after(MINUTE)) == [(["cause1", "cause2"], [])]


def test_what_fires_on_is_repeated(told: Told) -> None:
    told.set("cause", State.FIRING)
    told.after()
    told.after(MINUTE)
    assert told.after(4 * HOUR - MINUTE) == []
    (again,) = told.after(MINUTE)
    assert (names(again.firing), again.repeated) == (["cause"], True)


def test_what_is_over_is_told_once(told: Told) -> None:
    told.set("cause", State.FIRING)
    told.after()
    told.after(MINUTE)
    told.set("cause", State.RESOLVED)
    assert said(told.after(5 * MINUTE)) == [([], ["cause"])]
    for _ in range(300):
        assert told.after(MINUTE) == []


def test_a_recovery_is_still_firing(told: Told) -> None:
    told.set("cause", State.FIRING)
    told.after()
    told.after(MINUTE)
    told.set("cause", State.RECOVERING)
    assert told.after(10 * MINUTE) == []


def test_what_was_over_before_it_was_told_is_never_told(told: Told) -> None:
    told.set("cause", State.FIRING)
    told.after()
    told.set("cause", State.RESOLVED)
    assert told.after(MINUTE) == []
    assert told.groups["one"] == Group("one")


def test_what_is_over_and_what_fires_are_one_message(told: Told) -> None:
    told.set("cause", State.FIRING, "1")
    told.after()
    told.after(MINUTE)
    told.set("cause", State.RESOLVED, "1")
    told.set("cause", State.FIRING, "2")
    assert said(told.after(5 * MINUTE)) == [(["cause2"], ["cause1"])]


def test_a_group_that_is_over_begins_anew(told: Told) -> None:
    told.set("cause", State.FIRING)
    told.after()
    told.after(MINUTE)
    told.set("cause", State.RESOLVED)
    told.after(5 * MINUTE)
    told.set("cause", State.FIRING)
    assert told.after(MINUTE) == []
    assert said(told.after(timedelta(seconds=30))) == [(["cause"], [])]


def silence(told: Told, rule: str | None = None, subject: str | None = None) -> None:
    ends = told.now + HOUR
    told.silences = [Silence(1, rule, subject, "a release", "admin", told.now, ends)]


@pytest.mark.parametrize(
    ("rule", "subject"), [(None, None), ("cause", None), ("cause", "1"), (None, "1")]
)
def test_nobody_is_told_of_what_is_silenced(
    told: Told, rule: str | None, subject: str | None
) -> None:
    silence(told, rule, subject)
    told.set("cause", State.FIRING, "1")
    told.after()
    assert told.after(MINUTE) == []


@pytest.mark.parametrize(("rule", "subject"), [("other", None), ("cause", "2"), (None, "2")])
def test_a_silence_is_about_what_it_names(
    told: Told, rule: str | None, subject: str | None
) -> None:
    silence(told, rule, subject)
    told.set("cause", State.FIRING, "1")
    told.after()
    assert said(told.after(MINUTE)) == [(["cause1"], [])]


def test_what_still_fires_is_told_when_its_silence_ends(told: Told) -> None:
    silence(told)
    told.set("cause", State.FIRING)
    assert told.after(HOUR - MINUTE) == []
    told.after(MINUTE)
    assert said(told.after(MINUTE)) == [(["cause"], [])]


def test_what_was_told_is_told_to_be_over_in_spite_of_a_silence(told: Told) -> None:
    told.set("cause", State.FIRING)
    told.after()
    told.after(MINUTE)
    silence(told)
    told.set("cause", State.RESOLVED)
    assert said(told.after(10 * MINUTE)) == [([], ["cause"])]


def test_a_silenced_alert_is_not_repeated(told: Told) -> None:
    told.set("cause", State.FIRING)
    told.after()
    told.after(MINUTE)
    told.silences = [Silence(1, None, None, "", "", told.now, told.now + 10 * HOUR)]
    assert told.after(5 * HOUR) == []


def test_a_warning_is_not_told_beside_its_critical_alert(told: Told) -> None:
    told.set("cause", State.FIRING, severity=Severity.WARNING)
    told.set("cause", State.FIRING, severity=Severity.CRITICAL)
    told.after()
    (notice,) = told.after(MINUTE)
    assert [each.key.severity for each in notice.firing] == [Severity.CRITICAL]


def test_a_warning_is_told_once_its_critical_alert_is_over(told: Told) -> None:
    told.set("cause", State.FIRING, severity=Severity.WARNING)
    told.set("cause", State.FIRING, severity=Severity.CRITICAL)
    told.after()
    told.after(MINUTE)
    told.set("cause", State.RESOLVED, severity=Severity.CRITICAL)
    (notice,) = told.after(5 * MINUTE)
    assert [each.key.severity for each in notice.firing] == [Severity.WARNING]
    assert [each.key.severity for each in notice.resolved] == [Severity.CRITICAL]


@pytest.mark.parametrize("subject", ["", "1"])
def test_a_consequence_is_not_told_beside_its_cause(told: Told, subject: str) -> None:
    told.set("cause", State.FIRING, subject)
    told.set("effect", State.FIRING, "1")
    told.after()
    assert said(told.after(MINUTE)) == [([f"cause{subject}"], [])]


def test_a_consequence_is_not_told_while_its_cause_waits_to_fire(told: Told) -> None:
    told.set("cause", State.PENDING)
    told.set("effect", State.FIRING)
    told.after()
    assert told.after(MINUTE) == []
    told.set("cause", State.OK)
    told.after(MINUTE)
    assert said(told.after(MINUTE)) == [(["effect"], [])]


def test_a_consequence_that_outlives_its_cause_while_it_recovers_is_never_told(
    told: Told,
) -> None:
    told.set("cause", State.FIRING)
    told.set("effect", State.FIRING)
    told.after()
    told.after(MINUTE)
    told.set("cause", State.RESOLVED)
    told.set("effect", State.RECOVERING)
    assert said(told.after(10 * MINUTE)) == [([], ["cause"])]
    told.set("effect", State.RESOLVED)
    assert told.after(10 * MINUTE) == []


def test_a_consequence_is_told_beside_anothers_cause(told: Told) -> None:
    told.set("cause", State.FIRING, "2")
    told.set("effect", State.FIRING, "1")
    told.after()
    assert said(told.after(MINUTE)) == [(["cause2", "effect1"], [])]
