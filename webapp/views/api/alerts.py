"""Alerts for programs: what fires, what happened, the rules in force; silences and a test message.

What an operator changes leaves an audit row.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field

from webapp.db.alerts import AlertChange, WaitingMessages
from webapp.reports.alerts import report
from webapp.services import Services
from webapp.telemetry.alerts.alert import Alert
from webapp.telemetry.alerts.alerting import Present
from webapp.telemetry.alerts.messages import summary
from webapp.telemetry.alerts.notices import Silence
from webapp.telemetry.alerts.rules import RULES, Rule, named
from webapp.views.acts import SILENCE_HOURS_MAX, Acts
from webapp.views.api.reports import PeriodQuery, Report, window_of
from webapp.views.guard import Guard
from webapp.views.responses import json_response

TEXT = r"^[^\x00]*$"  # PostgreSQL's text holds all but this
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=TEXT)]
RuleName = Annotated[str, Field(json_schema_extra={"enum": [each.name for each in RULES]})]


class AlertItem(BaseModel):
    """An alert; `muted` says why nobody is told of it ("" where they are)."""

    rule: str
    severity: Literal["warning", "critical"]
    subject: str
    state: str
    since: str
    fired_at: str | None
    value: float | None
    summary: str
    meaning: str
    action: str
    flapping: bool
    muted: str


class ChangeItem(BaseModel):
    """A change of an alert's state."""

    at: str
    rule: str
    severity: str
    subject: str
    was: str
    became: str
    value: float | None


class RuleItem(BaseModel):
    """A rule with what is in force: ALERT_RULES over the table. Periods in seconds."""

    name: str
    group: str
    unit: str
    meaning: str
    action: str
    warn: float | None
    critical: float | None
    below: bool
    window: float
    short_window: float
    wait: float = Field(alias="for")
    keep_firing_for: float
    clear: float
    minimum_samples: int
    no_data: str


class SilenceItem(BaseModel):
    """Whom nobody is told of; null matches any."""

    id: int
    rule: str | None
    subject: str | None
    reason: str
    created_by: str
    created_at: str
    ends_at: str


class ReceiverItem(BaseModel):
    """Messages that a receiver hasn't taken yet, since when, and why."""

    name: str
    waiting: int
    since: str | None
    error: str | None


class AlertsReport(Report):
    """All of it; `evaluated_at` is when the rules last were."""

    evaluated_at: str | None
    firing: list[AlertItem]
    pending: list[AlertItem]
    history: list[ChangeItem]
    rules: list[RuleItem]
    silences: list[SilenceItem]
    receivers: list[ReceiverItem]


class SilenceList(BaseModel):
    """Those that hold, the first to end first."""

    items: list[SilenceItem]


class SilenceBody(BaseModel):
    """Without a rule it is about all of them, without a subject about all of a rule's."""

    model_config = ConfigDict(extra="forbid")
    rule: RuleName | None = None
    subject: Name | None = None
    reason: Annotated[str, Field(min_length=1, max_length=500, pattern=TEXT)]
    hours: Annotated[float, Field(ge=0.01, le=SILENCE_HOURS_MAX)]


class SilenceMade(BaseModel):
    """Its number."""

    id: int


class SilencePath(BaseModel):
    """A silence."""

    id: Annotated[int, Field(ge=1, le=2**62)]


class TestResults(BaseModel):
    """By receiver: "" where it took the message, else what went wrong."""

    receivers: dict[str, str]


def add(views: APIBlueprint, services: Services, guard: Guard) -> None:
    """Put this module's views on the API's blueprint."""
    alerting, acts = services.alerting, Acts(services, guard)

    @views.get("/alerts", responses={200: AlertsReport})
    def alerts(query: PeriodQuery) -> Response:
        """What fires, what is about to, what happened in the period, and the rules in force."""
        window = window_of(query)
        found = report(services, window)
        rules, present = named(alerting.rules), found.present
        return json_response(
            {
                "as_of": window.now.isoformat(),
                "period": window.name,
                "verdicts": [each.as_json() for each in found.verdicts],
                "evaluated_at": _moment(present.evaluated_at) if present else None,
                "firing": _alerts(present, rules, present.firing if present else []),
                "pending": _alerts(present, rules, present.pending if present else []),
                "history": [_change(each) for each in found.history],
                "rules": [_rule(each) for each in alerting.rules],
                "silences": [_silence(each) for each in (present.silences if present else ())],
                "receivers": [
                    _receiver(name, each)
                    for name, each in (present.receivers if present else {}).items()
                ],
            }
        )

    @views.get("/silences", responses={200: SilenceList})
    def silences() -> Response:
        """Of which alerts nobody is told."""
        return json_response({"items": [_silence(each) for each in alerting.present().silences]})

    @views.post("/silences", responses={201: SilenceMade})
    def add_silence(body: SilenceBody) -> Response:
        """Tell nobody of matching alerts for so many hours; that one is over is told all the
        same."""
        made = acts.silence(body.rule, body.subject, body.reason, body.hours)
        return json_response({"id": made}, 201)

    @views.delete("/silences/<int:id>", responses={204: None})
    def end_silence(path: SilencePath) -> Response:
        """Tell of them again."""
        acts.end_silence(path.id)
        return Response(status=204)

    @views.post("/alerts/test", responses={200: TestResults})
    def test_alerts() -> Response:
        """Send a test message to each receiver, once."""
        return json_response({"receivers": acts.test_alerts()})


def _alerts(
    present: Present | None, rules: dict[str, Rule], alerts: list[Alert]
) -> list[dict[str, Any]]:
    return [
        {
            "rule": each.key.rule,
            "severity": each.key.severity.value,
            "subject": each.key.subject,
            "state": each.state.value,
            "since": each.since.isoformat(),
            "fired_at": _moment(each.fired_at),
            "value": each.value,
            "summary": summary(each, rules[each.key.rule]),
            "meaning": rules[each.key.rule].meaning,
            "action": rules[each.key.rule].action,
            "flapping": each.flapping,
            "muted": present.muted[each] if present else "",
        }
        for each in alerts
    ]


def _change(change: AlertChange) -> dict[str, Any]:
    return {
        "at": change.at.isoformat(),
        "rule": change.rule,
        "severity": change.severity,
        "subject": change.subject,
        "was": change.was,
        "became": change.became,
        "value": change.value,
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        "name": rule.name,
        "group": rule.group,
        "unit": rule.unit,
        "meaning": rule.meaning,
        "action": rule.action,
        "warn": rule.warn,
        "critical": rule.critical,
        "below": rule.below,
        "window": rule.window,
        "short_window": rule.short,
        "for": rule.wait,
        "keep_firing_for": rule.keep,
        "clear": rule.clear,
        "minimum_samples": rule.minimum,
        "no_data": rule.no_data.value,
    }


def _silence(silence: Silence) -> dict[str, Any]:
    return {
        "id": silence.id,
        "rule": silence.rule,
        "subject": silence.subject,
        "reason": silence.reason,
        "created_by": silence.created_by,
        "created_at": silence.created_at.isoformat(),
        "ends_at": silence.ends_at.isoformat(),
    }


def _receiver(name: str, messages: WaitingMessages) -> dict[str, Any]:
    return {
        "name": name,
        "waiting": messages.waiting,
        "since": _moment(messages.since),
        "error": messages.error,
    }


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
