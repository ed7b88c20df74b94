"""An alert's state, run by run. Pure: what was, what is read now, and the time give what is.

            beyond the threshold          for `wait`                 at `clear` of it
    OK ───────────────────────▶ PENDING ─────────────▶ FIRING ───────────────────────▶ RECOVERING
     ▲◀────────────────────────────┘ back below            ▲◀───── beyond `clear` again ──────┤
     └──────────────── RESOLVED ◀───────────────────────────────── clear for `keep` ──────────┘

NO_DATA is a state of its own of an alert that doesn't fire. One that fires and gets no data does
what its rule says (rules.NoData). A flapping alert doesn't resolve until it has calmed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from webapp.telemetry.alerts.rules import NoData, Rule, Severity

FLAPPING_RUNS = 20
FLAPPING_CHANGES = 4


class State(StrEnum):
    """Of one alert."""

    OK = "ok"
    NO_DATA = "no data"
    PENDING = "pending"
    FIRING = "firing"
    RECOVERING = "recovering"
    RESOLVED = "resolved"


LOUD = frozenset({State.FIRING, State.RECOVERING})
"""To whoever is told, these are firing."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was measured of a subject ("" where a rule has but one), over so many samples.

    `value` is None where there is nothing to measure; `gone` a subject that no longer exists.
    """

    subject: str
    value: float | None
    samples: int = 1
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """Which alert."""

    rule: str
    severity: Severity
    subject: str = ""

    @property
    def named(self) -> tuple[str, str]:
        """Rule and subject, for a line of a log."""
        return self.rule, self.subject or "-"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert as of its last run.

    `since` is when its state began, `fired_at` when it last began to fire, `told_at` when
    receivers were last told that it fires (None: they don't know, or know that it is over).
    `runs` has a bit a run, the latest lowest: whether it was beyond the threshold.
    """

    key: Key
    state: State
    since: datetime
    value: float | None = None
    fired_at: datetime | None = None
    resolved_at: datetime | None = None
    told_at: datetime | None = None
    runs: int = 0

    @property
    def loud(self) -> bool:
        """Whether it fires, as far as receivers are concerned."""
        return self.state in LOUD

    @property
    def flapping(self) -> bool:
        """Whether it changed too often of late."""
        changed = (self.runs ^ (self.runs >> 1)) & ((1 << (FLAPPING_RUNS - 1)) - 1)
        return changed.bit_count() >= FLAPPING_CHANGES

    @property
    def dull(self) -> bool:
        """Whether there is nothing to remember of it."""
        return self.state is State.OK and self.runs == 0 and self.told_at is None


class Side(StrEnum):
    """Where a reading lies."""

    BEYOND = "beyond"  # the threshold
    BETWEEN = "between"  # threshold and where it clears
    CLEAR = "clear"
    UNKNOWN = "unknown"


def new(key: Key, now: datetime) -> Alert:
    """An alert never evaluated."""
    return Alert(key, State.OK, now)


def side(rule: Rule, severity: Severity, reading: Reading | None) -> Side:
    """Of a reading; None and too few samples are unknown. Thresholds themselves are beyond."""
    threshold = rule.threshold(severity)
    assert threshold is not None
    if reading is not None and reading.gone:
        return Side.CLEAR
    if reading is None or reading.value is None or reading.samples < rule.minimum:
        return Side.UNKNOWN
    value, cleared = reading.value, threshold * rule.clear
    if rule.below:
        value, threshold, cleared = -value, -threshold, -threshold / rule.clear
    if value >= threshold:
        return Side.BEYOND
    return Side.CLEAR if value < cleared or cleared == threshold else Side.BETWEEN


def step(
    alert: Alert, rule: Rule, reading: Reading | None, now: datetime, *, missed: bool = False
) -> Alert:
    """The alert after a run. `missed` says that runs before this one were missed: waits begin
    again."""
    where = side(rule, alert.key.severity, reading)
    value = reading.value if reading is not None else None
    if where is Side.UNKNOWN:
        if rule.no_data is NoData.ALERT:
            where = Side.BEYOND
        elif rule.no_data is NoData.QUIET and alert.loud:
            where = Side.CLEAR
        elif not alert.loud:
            kept = alert.state is State.PENDING and rule.no_data is NoData.HOLD
            return alert if kept else _moved(alert, State.NO_DATA, now, None, wrong=False)
        else:
            return alert
    if missed and alert.state in {State.PENDING, State.RECOVERING}:
        alert = replace(alert, since=now)
    wrong = where is Side.BEYOND or (alert.loud and where is Side.BETWEEN)
    return _moved(alert, _next(alert, rule, now, wrong=wrong), now, value, wrong=wrong)


def _next(alert: Alert, rule: Rule, now: datetime, *, wrong: bool) -> State:
    lasted = now - alert.since
    if wrong:
        if alert.loud:
            return State.FIRING
        waited = timedelta(0) if alert.state is not State.PENDING else lasted
        return State.FIRING if waited >= timedelta(seconds=rule.wait) else State.PENDING
    if not alert.loud:
        return State.OK
    cleared = timedelta(0) if alert.state is State.FIRING else lasted
    calm = not _with_run(alert, wrong=False).flapping
    over = cleared >= timedelta(seconds=rule.keep) and calm
    return State.RESOLVED if over else State.RECOVERING


def _with_run(alert: Alert, *, wrong: bool) -> Alert:
    return replace(alert, runs=(alert.runs << 1 | wrong) & ((1 << FLAPPING_RUNS) - 1))


def _moved(alert: Alert, state: State, now: datetime, value: float | None, *, wrong: bool) -> Alert:
    after = replace(_with_run(alert, wrong=wrong), value=value)
    if state is alert.state:
        return after
    after = replace(after, state=state, since=now)
    if state is State.FIRING and not alert.loud:
        return replace(after, fired_at=now, resolved_at=None)
    if state is State.RESOLVED:
        return replace(after, resolved_at=now)
    return after
