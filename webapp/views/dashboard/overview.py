"""The overview: a verdict a line, the figures behind them, and where to look further."""

from __future__ import annotations

from flask import Blueprint, Response

from webapp.hitpath import PREFIX
from webapp.services import Services
from webapp.views.dashboard.frame import Frame
from webapp.views.guard import Guard


def add(views: Blueprint, _: Services, guard: Guard, frame: Frame) -> None:
    """Put this page on the dashboard."""

    @views.get("/")
    def overview() -> Response:
        """Is it fast, is it fresh, what eats the budget, what is about to break?"""
        return frame.page(
            "overview", "Overview", frame.window(), base_url=guard.base_url() + PREFIX
        )
