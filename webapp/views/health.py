"""Alive, and able to serve. Cheap, open to all, and telling nothing but up or down."""

from __future__ import annotations

from flask import Blueprint, Response

from webapp.errors import DatabaseUnavailable, StoreUnavailable
from webapp.services import Services
from webapp.views.responses import json_response


def blueprint(services: Services) -> Blueprint:
    """/healthz and /readyz."""
    views = Blueprint("health", __name__)

    @views.get("/healthz")
    def healthz() -> Response:
        """The process answers."""
        return json_response({"status": "ok"})

    @views.get("/readyz")
    def readyz() -> Response:
        """503 only when nothing can be served: no shelf and no GitHub."""
        states, mode = readiness(services)
        return json_response({**states, "mode": mode}, 503 if mode == "down" else 200)

    return views


def readiness(services: Services) -> tuple[dict[str, str], str]:
    """Each part's state (up, down, or for GitHub unknown), and the mode that follows."""
    states = {
        "redis": _redis(services),
        "postgres": _postgres(services),
        "github": services.client.state,
    }
    down = [name for name, state in states.items() if state == "down"]
    mode = "down" if len(down) == len(states) else "degraded" if down else "full"
    return states, mode


def _redis(services: Services) -> str:
    try:
        services.redis.ping()
    except StoreUnavailable:
        return "down"
    return "up"


def _postgres(services: Services) -> str:
    try:
        with services.database.connection() as conn:
            conn.execute("select 1")
    except DatabaseUnavailable:
        return "down"
    return "up"
