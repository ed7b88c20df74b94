"""The dashboard's pages. For now the first: what runs, and what to tell a client."""

from __future__ import annotations

from flask import Blueprint, render_template

from webapp.services import Services
from webapp.views.guard import Guard
from webapp.views.health import readiness
from webapp.views.mirror import PREFIX


def blueprint(services: Services, guard: Guard) -> Blueprint:
    """The pages."""
    views = Blueprint("dashboard", __name__)
    settings = services.settings

    @views.get("/")
    def overview() -> str:
        """What is running, demo or not, and the base URL to give to clients."""
        states, mode = readiness(services)
        return render_template(
            "overview.html",
            states=states,
            mode=mode,
            base_url=guard.base_url() + PREFIX,
            api_url=settings.github_api_url,
            anonymous_scope=settings.anonymous_scope,
            key_names=[each.name for each in settings.api_keys],
            credentials=len(settings.github_tokens),
            app_id=settings.github_app_id,
            watched=settings.watch,
            periods=settings.fresh,
        )

    return views
