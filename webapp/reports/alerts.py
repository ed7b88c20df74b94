"""Alerts: what fires now and what became of others; the rules with their thresholds in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from webapp.db.alerts import AlertChange
from webapp.errors import DatabaseUnavailable
from webapp.reports.periods import Window
from webapp.reports.verdicts import Verdict
from webapp.services import Services
from webapp.telemetry.alerts.alerting import Present
from webapp.telemetry.alerts.rules import Rule, Severity

NEVER = "No rule has been evaluated yet."
LATE = 300.0  # seconds without an evaluation
PAGE = "dashboard.alerts"


@dataclass(frozen=True, slots=True)
class AlertsReport:
    """The page's content; its JSON twin is views/api/alerts.py. None while PostgreSQL is away."""

    present: Present | None
    history: Sequence[AlertChange]
    rules: Sequence[Rule]

    @property
    def verdicts(self) -> list[Verdict]:
        """One."""
        return [_verdict(self.present)]

    def rule(self, name: str) -> Rule | None:
        """By name."""
        return next((each for each in self.rules if each.name == name), None)


def report(services: Services, window: Window) -> AlertsReport:
    """Never raises."""
    alerting = services.alerting
    try:
        return AlertsReport(alerting.present(), alerting.history(window.since), alerting.rules)
    except DatabaseUnavailable:
        return AlertsReport(None, (), alerting.rules)


def verdicts(services: Services, _: Window) -> list[Verdict]:
    """One. Never raises."""
    try:
        return [_verdict(services.alerting.present())]
    except DatabaseUnavailable:
        return [_verdict(None)]


def _verdict(present: Present | None) -> Verdict:
    if present is None:
        reason = "PostgreSQL can’t be reached, so no rule is evaluated."
        return Verdict("Alerts", "fail", reason, page=PAGE)
    late = (present.now - present.evaluated_at).total_seconds()
    if late > LATE:
        ever = present.evaluated_at.year > 1970  # else it is the epoch: there was no run
        reason = f"No rule was evaluated for {late / 60:.0f} min." if ever else NEVER
        return Verdict("Alerts", "fail", reason, "Is telemetry on?", page=PAGE)
    firing = present.firing
    if not firing:
        waiting = len(present.pending)
        reason = f"None fires; {waiting} may soon." if waiting else "None fires."
        return Verdict("Alerts", "ok", reason, page=PAGE)
    worst = "fail" if any(each.key.severity is Severity.CRITICAL for each in firing) else "warn"
    names = ", ".join(dict.fromkeys(each.key.rule for each in firing[:4]))
    return Verdict(
        "Alerts",
        "fail" if worst == "fail" else "warn",
        f"{len(firing)} firing: {names}.",
        "See what each means and what to do.",
        page=PAGE,
    )
