"""Alerts and notices against a simple model, by any sequence of readings, silences and pauses.

The model is a receiver: it believes what it is told. Whatever happens, it is never told that
something is over that it wasn't told of, never told news it has, and once all is calm it believes
that nothing fires.
"""

from __future__ import annotations

import os
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.webapp.telemetry.alerts.runs import START, values_of
from webapp.telemetry.alerts.alert import Alert, Key, Reading, State, new, step
from webapp.telemetry.alerts.notices import Group, Silence, Timing, tell
from webapp.telemetry.alerts.rules import NoData, Rule, Severity, named

EXAMPLES = 3_000 if os.environ.get("FOREWARM_LONG") else 20
TIMING = Timing(every=60, group_wait=30, group_interval=300, repeat=3600)


def a_rule(name: str, no_data: NoData, *, wait: float, keep: float, below: bool = False) -> Rule:
    return Rule(
        name=name,
        group="one" if name < "c" else "two",
        measure="m",
        unit="",
        meaning="",
        action="",
        warn=50 if below else 100,
        critical=20 if below else 200,
        below=below,
        wait=wait,
        keep=keep,
        minimum=5,
        no_data=no_data,
        behind=("a",) if name == "b" else (),
    )


RULES = (
    a_rule("a", NoData.QUIET, wait=0, keep=0),
    a_rule("b", NoData.HOLD, wait=120, keep=180),
    a_rule("c", NoData.ALERT, wait=60, keep=0, below=True),
)
KEYS = [Key(each.name, severity) for each in RULES for severity in Severity]
BY_NAME = named(RULES)
sides = st.sampled_from(["beyond", "between", "clear", "none", "few", "gone"])


class Receiver(RuleBasedStateMachine):
    """One evaluator, one receiver."""

    @initialize()
    def begin(self) -> None:
        self.now = START
        self.alerts: dict[Key, Alert] = {key: new(key, START) for key in KEYS}
        self.groups: dict[str, Group] = {}
        self.silences: list[Silence] = []
        self.believes: set[Key] = set()
        self.last_told: dict[str, float] = {}

    @rule(side=sides, which=st.sampled_from(KEYS), runs=st.integers(1, 8))
    def read(self, side: str, which: Key, runs: int) -> None:
        for _ in range(runs):
            self.run({which: side})

    @rule(side=sides, runs=st.integers(1, 25))
    def read_all(self, side: str, runs: int) -> None:
        for _ in range(runs):
            self.run(dict.fromkeys(KEYS, side))

    @rule(which=st.sampled_from(KEYS))
    def silence(self, which: Key) -> None:
        until = self.now + timedelta(minutes=7)
        self.silences = [Silence(1, which.rule, None, "", "", self.now, until)]

    @rule()
    def stop_for_an_hour(self) -> None:
        self.now += timedelta(hours=1)
        self.run({}, missed=True)

    @rule()
    def calm_down(self) -> None:
        for _ in range(60):
            self.run(dict.fromkeys(KEYS, "clear"))
        assert self.believes == set()
        assert {each.state for each in self.alerts.values()} == {State.OK}

    def run(self, sides: dict[Key, str], *, missed: bool = False) -> None:
        self.now += timedelta(minutes=1)
        for key, alert in self.alerts.items():
            reading = self.reading(key, sides.get(key, "clear"))
            after = step(alert, BY_NAME[key.rule], reading, self.now, missed=missed)
            if after.state is State.FIRING and not alert.loud:
                waited = self.now - alert.since
                instantly = BY_NAME[key.rule].wait == 0
                assert instantly or waited >= timedelta(seconds=BY_NAME[key.rule].wait)
            self.alerts[key] = after
        told = tell(
            list(self.alerts.values()),
            BY_NAME,
            self.silences,
            self.groups,
            timing=TIMING,
            now=self.now,
        )
        for notice in told.notices:
            news = [key for key in (each.key for each in notice.firing) if key not in self.believes]
            over = [each.key for each in notice.resolved]
            assert set(over) <= self.believes
            assert not any(self.alerts[key].loud for key in over)
            assert notice.repeated == (not news and not over)
            self.bounded(notice.group, repeated=notice.repeated)
            self.believes |= set(news)
            self.believes -= set(over)
        self.alerts = {each.key: each for each in told.alerts}
        self.groups = {each.name: each for each in told.groups}

    def bounded(self, group: str, *, repeated: bool) -> None:
        """Never twice within the interval, unless all was over in between."""
        before = self.groups.get(group, Group(group)).sent_at
        if before is not None:
            least = TIMING.repeat if repeated else TIMING.group_interval
            assert self.now - before >= timedelta(seconds=least)

    def reading(self, key: Key, side: str) -> Reading | None:
        beyond, between, clear = values_of(BY_NAME[key.rule], key.severity)
        match side:
            case "none":
                return None
            case "gone":
                return Reading("", None, gone=True)
            case "few":
                return Reading("", beyond, 1)
        return Reading("", {"beyond": beyond, "between": between, "clear": clear}[side], 100)

    @invariant()
    def what_is_remembered_agrees(self) -> None:
        if hasattr(self, "alerts"):
            assert {key for key, each in self.alerts.items() if each.told_at} == self.believes


Receiver.TestCase.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=25, deadline=None, database=None
)
TestReceiver = Receiver.TestCase
