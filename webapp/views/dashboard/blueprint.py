"""The dashboard: its pages. One module a page beside this."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from flask import Blueprint, Response, redirect, request, url_for
from flask.sansio.blueprints import BlueprintSetupState

from webapp.reports import wording
from webapp.services import Services
from webapp.views.dashboard import (
    alerts,
    cache,
    connect,
    database,
    design,
    github,
    jobs,
    overview,
    repos,
    requests,
    traces,
    warming,
    webhooks,
)
from webapp.views.dashboard.frame import THEME_COOKIE, THEMES, Frame
from webapp.views.guard import Guard

THEME_KEPT = 365 * 86_400  # seconds

PAGES = (
    *(overview, requests, cache, github, jobs, warming, webhooks, database, traces, alerts),
    *(repos, connect, design),
)
"""Each has `add(views, services, guard, frame)`."""


def blueprint(services: Services, guard: Guard) -> Blueprint:
    """The pages."""
    views = Blueprint("dashboard", __name__)
    views.record_once(_prepare_templates)
    frame = Frame(guard)
    for page in PAGES:
        page.add(views, services, guard, frame)

    @views.post("/theme")
    def choose_theme() -> Response:
        """Light, dark, or as the system: a cookie, and back to where the viewer was."""
        response = redirect(_ours(request.form.get("back", "")), 303)
        theme = request.form.get("theme", "")
        if theme in THEMES:
            response.set_cookie(
                THEME_COOKIE, theme, max_age=THEME_KEPT, samesite="Lax", httponly=True
            )
        else:
            response.delete_cookie(THEME_COOKIE)
        assert isinstance(response, Response)
        return response

    return views


def _ours(back: str) -> str:
    """A path of ours with its query; what could lead to another host is the overview."""
    parts = urlsplit(back)
    if parts.netloc or parts.scheme or not re.match(r"/(?![/\\])", parts.path):
        return url_for("dashboard.overview")
    return f"{parts.path}?{parts.query}"


def _prepare_templates(state: BlueprintSetupState) -> None:
    """A line that holds a Jinja tag alone leaves no line behind; figures are worded by filters."""
    env = state.app.jinja_env
    env.trim_blocks = env.lstrip_blocks = True
    for figure in (wording.share, wording.count, wording.duration, wording.rate, wording.size):
        env.filters[figure.__name__] = figure
