"""POST /webhooks/github: 202; 401 bad or no signature; 400 malformed; 413 over BODY_MAX; 503.

What has nothing like a signature is refused unread; bodies are read by a quarter of the threads at
most: whoever knows the address may send one. What is refused changes nothing and is kept nowhere.
"""

from __future__ import annotations

from flask import Blueprint, Response, request

from webapp.changes.webhooks import Envelope
from webapp.errors import RequestRefused, WaitedTooLong
from webapp.services import Services
from webapp.views.bodies import read_body
from webapp.views.responses import json_response

BODY_MAX = 25 * 1024 * 1024  # bytes; GitHub sends nothing larger


def blueprint(services: Services) -> Blueprint:
    """The view."""
    views = Blueprint("webhooks", __name__)

    @views.post("/webhooks/github")
    def receive() -> Response:
        """One delivery."""
        try:
            services.webhooks.secret_for(request.headers.get("X-Hub-Signature-256", ""))
            body = read_body(services.shares, BODY_MAX)
        except (RequestRefused, WaitedTooLong) as error:
            services.webhooks.refused(error)
            raise
        headers = request.headers
        envelope = Envelope(
            event=headers.get("X-GitHub-Event", ""),
            delivery=headers.get("X-GitHub-Delivery", ""),
            signature=headers.get("X-Hub-Signature-256", ""),
            content_type=headers.get("Content-Type", ""),
        )
        receipt = services.webhooks.receive(body, envelope)
        return json_response({"delivery": receipt.delivery, "result": receipt.result}, 202)

    return views
