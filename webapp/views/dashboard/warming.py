"""Warming: what is watched, how the runs go; add, remove, begin, pause, resume, cancel."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, request

from webapp.errors import RequestRefused
from webapp.reports import warming as reports
from webapp.services import Services
from webapp.views.acts import Acts
from webapp.views.dashboard.frame import Frame
from webapp.views.guard import Guard

SOURCE = "dashboard"


def add(views: Blueprint, services: Services, guard: Guard, frame: Frame) -> None:
    """Put this page on the dashboard."""
    acts = Acts(services, guard)
    moves: dict[str, Callable[[int], object]] = {
        "pause": acts.pause,
        "resume": acts.resume,
        "cancel": acts.cancel,
    }

    @views.get("/warming")
    def warming() -> Response:
        """Is what is watched warm, and what does that cost?"""
        window = frame.window()
        report = reports.report(services, window)
        return frame.page("warming", "Warming", window, verdicts=report.verdicts, report=report)

    @views.post("/warming")
    def change_warming() -> Response:
        """One of a page's forms: `act` says which."""
        act, name = request.form.get("act", ""), request.form.get("name", "").strip()
        try:
            return frame.back("dashboard.warming", changed(act, name))
        except RequestRefused as error:
            return frame.back("dashboard.warming", REFUSED.get((act, error.status), "refused"))

    def changed(act: str, name: str) -> str:
        if act == "watch":
            acts.watch(name, SOURCE)
            return "watch-added"
        if act == "unwatch":
            acts.unwatch(name)
            return "watch-removed"
        if act == "warm":
            acts.warm([name] if name else [], SOURCE)
            return "run-begun"
        run = request.form.get("run", "")
        if act in moves and run.isdecimal():
            moves[act](int(run))
            return f"run-{act}"
        raise RequestRefused(400, "There is no such form.")


REFUSED = {
    ("watch", 400): "watch-name",
    ("warm", 400): "watch-name",
    ("unwatch", 409): "watch-env",
    ("unwatch", 404): "watch-none",
    ("pause", 409): "run-state",
    ("resume", 409): "run-state",
    ("cancel", 409): "run-state",
}
"""What to say of an act that was refused, by its status."""
