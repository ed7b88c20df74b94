"""Alerts: what fires and why, what happened, what is silenced, which thresholds are in force."""

from __future__ import annotations

from flask import Blueprint, Response, request

from webapp.errors import DatabaseUnavailable, RequestRefused
from webapp.reports import alerts as reports
from webapp.services import Services
from webapp.views.acts import Acts
from webapp.views.dashboard.frame import Frame
from webapp.views.guard import Guard


def add(views: Blueprint, services: Services, guard: Guard, frame: Frame) -> None:
    """Put this page on the dashboard."""
    acts = Acts(services, guard)

    @views.get("/alerts")
    def alerts() -> Response:
        """What fires, since when, and what to do?"""
        window = frame.window()
        report = reports.report(services, window)
        return frame.page("alerts", "Alerts", window, verdicts=report.verdicts, report=report)

    @views.post("/alerts")
    def change_alerts() -> Response:
        """One of the page's forms: `act` says which."""
        try:
            said = changed(request.form.get("act", ""))
        except RequestRefused:
            said = "silence-refused"
        except DatabaseUnavailable:
            said = "postgres-away"
        return frame.back("dashboard.alerts", said)

    def changed(act: str) -> str:
        form = request.form
        if act == "silence":
            rule, subject = form.get("rule") or None, form.get("subject", "").strip() or None
            acts.silence(rule, subject, form.get("reason", "")[:500], _hours(form.get("hours", "")))
            return "silenced"
        if act == "end" and form.get("id", "").isdecimal():
            acts.end_silence(int(form["id"][:18]))
            return "silence-ended"
        if act == "test":
            results = acts.test_alerts()
            if not results:
                return "test-nobody"
            return "test-failed" if any(results.values()) else "test-sent"
        raise RequestRefused(400, "There is no such form.")


def _hours(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise RequestRefused(400, "hours: a number.") from None
