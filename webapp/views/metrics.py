"""/metrics for Prometheus; an API key may read it."""

from __future__ import annotations

from flask import Blueprint, Response

from webapp.services import Services
from webapp.telemetry.prometheus import CONTENT_TYPE, Exposition


def blueprint(services: Services) -> Blueprint:
    """/metrics."""
    views = Blueprint("metrics", __name__)
    exposition = Exposition(
        redis=services.redis,
        database=services.database,
        windows=services.windows,
        points=services.points,
        gauges=services.gauges,
        metrics=services.metrics,
    )

    @views.get("/metrics")
    def metrics() -> Response:
        """Everything that is counted, right across processes."""
        headers = {"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"}
        return Response(exposition.text(), headers=headers)

    return views
