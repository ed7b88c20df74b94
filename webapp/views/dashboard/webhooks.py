"""Webhooks: what came, how late, what it purged; replay one; how to set a hook up."""

from __future__ import annotations

from flask import Blueprint, Response, request

from webapp.errors import RequestRefused
from webapp.policy import RESOURCES
from webapp.reports import webhooks as reports
from webapp.services import Services
from webapp.views.acts import Acts
from webapp.views.dashboard.frame import Frame
from webapp.views.guard import Guard

EVENTS = sorted({event for row in RESOURCES for event in row.purged_by})


def add(views: Blueprint, services: Services, guard: Guard, frame: Frame) -> None:
    """Put this page on the dashboard."""
    acts = Acts(services, guard)

    @views.get("/webhooks")
    def webhooks() -> Response:
        """Do changes arrive, and what do they purge?"""
        window = frame.window()
        report = reports.report(services, window)
        return frame.page(
            "webhooks",
            "Webhooks",
            window,
            verdicts=report.verdicts,
            report=report,
            hook_url=f"{guard.base_url()}/webhooks/github",
            secret_set=services.settings.github_webhook_secret is not None,
            events=EVENTS,
        )

    @views.post("/webhooks")
    def replay_delivery() -> Response:
        """Purge again what one delivery purged."""
        try:
            acts.replay(request.form.get("delivery", ""))
        except RequestRefused:
            return frame.back("dashboard.webhooks", "delivery-unknown")
        return frame.back("dashboard.webhooks", "delivery-replayed")
