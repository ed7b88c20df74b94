"""Evaluates the rules, once a period whoever tries, and decides who is told.

Workers try each minute, and web processes a little later: a worker that is dead can't say so. What
is measured is read first; then one transaction, which only one process at a time can have
(alert_lock) and only one a period does anything in (alert_clocks), moves the alerts on and puts
messages into the outbox. So nobody is told twice, and nothing decided is lost.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Protocol

from webapp.db import alerts as table
from webapp.db.alerts import AlertChange, AlertClock, AlertRow, GroupRow
from webapp.db.statements import Connection
from webapp.telemetry.alerts.alert import Alert, Key, Reading, State, new, step
from webapp.telemetry.alerts.messages import alertmanager
from webapp.telemetry.alerts.notices import Group, Silence, Timing, tell
from webapp.telemetry.alerts.rules import Rule, Severity, named

SUBJECTS_MAX = 500  # of a rule
MISSED_RUNS = 4
"""After so many periods without evaluation what was seen before proves nothing about the time
between."""
HISTORY_KEPT = timedelta(days=90)
MESSAGES_KEPT = timedelta(days=7)
MESSAGES_TRIED = timedelta(days=1)
SILENCES_KEPT = timedelta(days=30)
_UNTOLD = frozenset({State.OK, State.NO_DATA, State.RESOLVED})
"""From one of these to another nothing happened that anyone would look for."""

log = logging.getLogger(__name__)


class Figures(Protocol):
    """What rules measure."""

    def read(self, rule: Rule) -> Sequence[Reading] | None:
        """A reading a subject, [] where there are none; None where nothing can be asked."""


Readings = Mapping[str, Sequence[Reading] | None]
"""By rule."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One process's part in it."""

    rules: tuple[Rule, ...]
    timing: Timing
    figures: Figures
    receivers: Collection[str]
    url: str
    """Forewarm's own, for links; "" where it isn't known."""

    def due(self, clock: AlertClock, now: datetime, late: float = 0.0) -> bool:
        """Whether the rules are to be evaluated. `late` seconds of a period are others'."""
        every = self.timing.every
        passed = math.floor(now.timestamp() / every) - math.floor(
            clock.evaluated_at.timestamp() / every
        )
        if passed == 1:
            return now.timestamp() % every >= late
        # A last time far ahead was noted by a clock that has been set back since.
        return passed > 1 or passed < -MISSED_RUNS

    def readings(self) -> Readings:
        """All rules'. Takes no connection for longer than each needs it."""
        return {rule.name: self.figures.read(rule) for rule in self.rules}

    def run(self, conn: Connection, clock: AlertClock, readings: Readings | None) -> None:
        """Move all on, in the caller's transaction, which has the lock. Without readings only
        what waits to be told is looked at."""
        now = clock.now
        held = {alert.key: alert for alert in self._held(conn)}
        alerts = held if readings is None else self._moved(held, clock, readings)
        _note_changes(conn, held, alerts, now)
        alerts, wake_at = self._told(conn, alerts, now)
        _keep(conn, held, alerts)
        evaluated_at = clock.evaluated_at if readings is None else now
        table.alert_clock_set(conn, evaluated_at=evaluated_at, wake_at=wake_at)
        if now.timestamp() // 3600 != clock.evaluated_at.timestamp() // 3600:
            prune(conn, now)

    def _held(self, conn: Connection) -> list[Alert]:
        """Those of rules there are; others are forgotten."""
        rules, found = named(self.rules), []
        for row in table.alerts_all(conn):
            rule = rules.get(row.rule)
            if rule is None or rule.threshold(Severity(row.severity)) is None:
                table.alert_delete(conn, row.rule, row.severity, row.subject)
            else:
                found.append(alert_of(row))
        return found

    def _moved(
        self, held: Mapping[Key, Alert], clock: AlertClock, readings: Readings
    ) -> dict[Key, Alert]:
        missed = clock.now - clock.evaluated_at > timedelta(seconds=MISSED_RUNS * self.timing.every)
        after = {}
        for rule in self.rules:
            for severity in Severity:
                if rule.threshold(severity) is None:
                    continue
                known = {
                    key.subject
                    for key in held
                    if key.rule == rule.name and key.severity is severity
                }
                for subject, reading in _by_subject(readings[rule.name], known).items():
                    key = Key(rule.name, severity, subject)
                    alert = held.get(key) or new(key, clock.now)
                    after[key] = step(alert, rule, reading, clock.now, missed=missed)
        return after

    def _told(
        self, conn: Connection, alerts: Mapping[Key, Alert], now: datetime
    ) -> tuple[dict[Key, Alert], datetime | None]:
        if not self.receivers:
            return dict(alerts), None
        rules = named(self.rules)
        silences = [Silence(**asdict(row)) for row in table.silences_active(conn, now=now)]
        groups = {row.name: Group(**asdict(row)) for row in table.alert_groups_all(conn)}
        told = tell(list(alerts.values()), rules, silences, groups, timing=self.timing, now=now)
        for notice in told.notices:
            # Who hasn't taken the last message learns nothing from its repetition.
            to = [
                each
                for each in self.receivers
                if not (notice.repeated and table.alert_outbox_waiting(conn, each).waiting)
            ]
            table.alert_outbox_add(conn, to, alertmanager(notice, rules, self.url), now=now)
        changed = [each for each in told.groups if each != groups.get(each.name, Group(each.name))]
        table.alert_group_put(conn, [GroupRow(**asdict(each)) for each in changed])
        return {alert.key: alert for alert in told.alerts}, told.wake_at


def _by_subject(
    readings: Sequence[Reading] | None, known: Collection[str]
) -> dict[str, Reading | None]:
    """What to do a step with. Who was known and isn't read any more is gone; where nothing could
    be read, nothing is known of anyone."""
    if readings is None:
        return dict.fromkeys(known or ("",))
    found: dict[str, Reading | None] = {each.subject: each for each in readings[:SUBJECTS_MAX]}
    gone = {subject: Reading(subject, None, gone=True) for subject in known}
    return {**gone, **found}


def _note_changes(
    conn: Connection, held: Mapping[Key, Alert], alerts: Mapping[Key, Alert], now: datetime
) -> None:
    changes = []
    for key, alert in alerts.items():
        was = held[key].state if key in held else State.OK
        if alert.state is was or {alert.state, was} <= _UNTOLD:
            continue
        states = (was.value, alert.state.value)
        changes.append(
            AlertChange(now, key.rule, key.severity.value, key.subject, *states, alert.value)
        )
        # Also for those whom nobody else tells.
        if alert.state is State.FIRING and was is not State.RECOVERING:
            log.warning("%s alert fires: %s %s: %s", key.severity, *key.named, alert.value)
        elif alert.state is State.RESOLVED:
            log.info("%s alert is over: %s %s", key.severity, *key.named)
    table.alert_change_add(conn, changes)


def _keep(conn: Connection, held: Mapping[Key, Alert], alerts: Mapping[Key, Alert]) -> None:
    for key, alert in alerts.items():
        if alert.dull and key in held:
            table.alert_delete(conn, key.rule, key.severity, key.subject)
    table.alert_put(
        conn,
        [
            row_of(alert)
            for key, alert in alerts.items()
            if not alert.dull and alert != held.get(key)
        ],
    )


def prune(conn: Connection, now: datetime) -> None:
    """Forget what is old."""
    table.alert_changes_prune(conn, before=now - HISTORY_KEPT)
    table.silences_prune(conn, before=now - SILENCES_KEPT)
    table.alert_outbox_prune(conn, before=now - MESSAGES_KEPT)
    if given_up := table.alert_outbox_give_up(conn, now=now, before=now - MESSAGES_TRIED):
        log.error("alerts: %d messages were not delivered within a day", given_up)


def alert_of(row: AlertRow) -> Alert:
    """Of a row."""
    return Alert(
        Key(row.rule, Severity(row.severity), row.subject),
        State(row.state),
        row.since,
        row.value,
        row.fired_at,
        row.resolved_at,
        row.told_at,
        row.runs,
    )


def row_of(alert: Alert) -> AlertRow:
    """For a row."""
    key = alert.key
    return AlertRow(
        *(key.rule, key.severity.value, key.subject, alert.state.value, alert.since, alert.value),
        *(alert.fired_at, alert.resolved_at, alert.told_at, alert.runs),
    )
