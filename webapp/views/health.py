"""Alive, and able to serve. Cheap, open to all, and telling nothing but up or down.

Whoever asks without end asks Redis and PostgreSQL once in KEPT: one looks, the others take what
was found.
"""

from __future__ import annotations

import threading
import time

from flask import Blueprint, Response

from webapp.errors import DatabaseUnavailable, StoreUnavailable
from webapp.services import Services
from webapp.views.responses import json_response

KEPT = 0.5  # seconds

Readiness = tuple[dict[str, str], str]
"""Each part's state (up, down, or for GitHub unknown), and the mode that follows."""


def blueprint(services: Services) -> Blueprint:
    """/healthz and /readyz."""
    views = Blueprint("health", __name__)
    looked = _Looked(services)

    @views.get("/healthz")
    def healthz() -> Response:
        """The process answers."""
        return json_response({"status": "ok"})

    @views.get("/readyz")
    def readyz() -> Response:
        """503 only when nothing can be served: no shelf and no GitHub."""
        states, mode = looked.lately()
        return json_response({**states, "mode": mode}, 503 if mode == "down" else 200)

    return views


class _Looked:
    """What was found, and when."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._found: Readiness | None = None
        self._until = 0.0

    def lately(self) -> Readiness:
        """What is true, or was until KEPT ago; longer where another looks right now."""
        found = self._found
        if found is not None and (time.monotonic() < self._until or self._lock.locked()):
            return found
        with self._lock:
            if self._found is None or time.monotonic() >= self._until:
                self._found = readiness(self._services)
                self._until = time.monotonic() + KEPT
            return self._found


def readiness(services: Services) -> Readiness:
    """What is true at this moment."""
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
