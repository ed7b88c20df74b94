"""Jobs: what waits, runs and died; each dead letter can be retried or deleted."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, Response, request

from webapp.errors import RequestRefused
from webapp.reports import jobs as reports
from webapp.services import Services
from webapp.views.acts import ALL, Acts
from webapp.views.dashboard.frame import Frame
from webapp.views.guard import Guard

LETTERS_MAX = 100


def add(views: Blueprint, services: Services, guard: Guard, frame: Frame) -> None:
    """Put this page on the dashboard."""
    acts = Acts(services, guard)

    @views.get("/jobs")
    def jobs() -> Response:
        """Is work late, lost or failing?"""
        window = frame.window()
        report = reports.report(services, window)
        return frame.page(
            "jobs",
            "Jobs",
            window,
            verdicts=report.verdicts,
            report=report,
            moment_of=_moment,
        )

    @views.post("/jobs")
    def change_jobs() -> Response:
        """Retry or delete the dead letters that are ticked, or all."""
        act = acts.retry if request.form.get("act") == "retry" else acts.delete
        chosen = request.form.getlist("id")
        if request.form.get("all"):
            chosen = [ALL]
        if not chosen:
            return frame.back("dashboard.jobs", "jobs-none")
        done = 0
        for each in chosen[:LETTERS_MAX]:
            try:
                done += act(each)
            except RequestRefused:
                continue  # somebody else was faster
        said = f"jobs-{'retried' if act == acts.retry else 'deleted'}"
        return frame.back("dashboard.jobs", said if done else "jobs-gone")


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
