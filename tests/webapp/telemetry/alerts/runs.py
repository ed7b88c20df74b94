"""Runs of one alert by a fake clock: what is read, run by run, and the states that follow."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from webapp.telemetry.alerts.alert import Alert, Key, Reading, State, new, step
from webapp.telemetry.alerts.rules import NoData, Rule, Severity

START = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

RULE = Rule(
    name="a_rule",
    group="a_group",
    measure="something",
    unit="s",
    meaning="Something.",
    action="Something.",
    critical=100,
    wait=120,
    keep=180,
    minimum=10,
)


class Runs:
    """One alert; each `read` is a run, a minute after the one before."""

    def __init__(
        self, rule: Rule = RULE, severity: Severity = Severity.CRITICAL, every: float = 60
    ) -> None:
        self.rule = rule
        self.now = START
        self.every = timedelta(seconds=every)
        self.alert: Alert = new(Key(rule.name, severity), START)

    def read(self, value: float | None, samples: int = 1_000_000, *, missed: bool = False) -> State:
        """The state after a run that read so much; None for nothing."""
        self.now += self.every
        reading = None if value is None else Reading("", value, samples)
        self.alert = step(self.alert, self.rule, reading, self.now, missed=missed)
        return self.alert.state

    def reads(self, *values: float | None) -> list[State]:
        return [self.read(value) for value in values]

    def until(self, state: State, value: float | None, most: int = 5_000) -> int:
        """Runs until a state is reached."""
        for run in range(1, most + 1):
            if self.read(value) is state:
                return run
        raise AssertionError(f"not {state} after {most} runs of {value}")


def values_of(rule: Rule, severity: Severity) -> tuple[float, float, float]:
    """A value beyond the threshold, one between it and where it clears, and one that is clear."""
    threshold = rule.threshold(severity)
    assert threshold is not None
    if rule.below:
        return threshold * 0.99, threshold * 1.01, threshold / rule.clear * 1.01
    return threshold * 1.01, threshold * 0.99, threshold * rule.clear * 0.99


def every_alert(rules: Iterable[Rule]) -> list[tuple[Rule, Severity]]:
    return [
        (rule, severity)
        for rule in rules
        for severity in Severity
        if rule.threshold(severity) is not None
    ]


__all__ = ["MINUTE", "RULE", "START", "NoData", "Runs", "every_alert", "values_of"]
