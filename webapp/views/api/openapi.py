"""GET /api/openapi.json: OpenAPI 3.1 of all that is under /api but the mirror and GraphQL.

flask-openapi3 describes paths, parameters and bodies from the models; what it can't know is put in
here, off the same facts that the guard and the error handlers act by: who may use what, and the
one form of every error.
"""

from __future__ import annotations

import copy
from typing import Any

from flask import Response, current_app
from flask_openapi3.blueprint import APIBlueprint

from webapp.services import Services
from webapp.settings import Settings
from webapp.views.guard import KEY_MAY_POST, Guard
from webapp.views.responses import DOCUMENTATION, json_response

Json = dict[str, Any]

API = "/api/"
JSON = "application/json"
METHODS = frozenset({"get", "post", "put", "patch", "delete"})
SECURITY = {
    "administrator": {
        "type": "http",
        "scheme": "basic",
        "description": "User `admin` and ADMIN_PASSWORD.",
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "ADMIN_PASSWORD; for reading, also one of API_KEYS (`fwk_…`).",
    },
}
ERROR: Json = {
    "type": "object",
    "title": "Error",
    "description": "GitHub's form of an error. `message` names the parameter that doesn't fit.",
    "required": ["message", "documentation_url", "status"],
    "properties": {
        "message": {"type": "string"},
        "documentation_url": {"type": "string"},
        "status": {"type": "string", "description": "The HTTP status, as text."},
    },
    "examples": [
        {
            "message": "sort: Input should be 'stars', 'pushed', 'updated' or 'name'",
            "documentation_url": DOCUMENTATION,
            "status": "400",
        }
    ],
}
ERRORS = {
    "400": "A parameter or the body doesn't fit; `message` names it.",
    "401": "No credentials, or bad ones.",
    "403": "These credentials may not do this, or GitHub has no budget for it (Retry-After).",
    "404": "There is none.",
    "4XX": "Any other refusal.",
    "502": "GitHub can't be reached, and nothing is held.",
    "503": "A store or the job queue can't be reached, or a wait ran out: Retry-After says when.",
}
ANY_JSON: Json = {
    "description": "Nothing of it is read, but a write says Content-Type: application/json: "
    "no other site's form can.",
    "required": True,
    "content": {JSON: {"schema": {}, "example": {}}},
}
EXAMPLES: dict[str, Json] = {
    "/api/repos/lookup": {"names": ["pallets/flask", "psf/requests"]},
    "/api/purge": {"tags": ["owner:pallets"], "paths": ["/repos/psf/requests"], "hard": False},
    "/api/watches": {"name": "pallets"},
}
"""Bodies to POST."""
INTRODUCTION = (
    "The catalog of every repository seen, and operators' hands on the cache. The mirror of "
    "GitHub's REST API is under /api/v3, GraphQL under /api/graphql: GitHub describes both."
)


def add(views: APIBlueprint, services: Services, guard: Guard) -> None:
    """Put this module's view on the API's blueprint."""

    @views.get("/openapi.json", responses={200: {"description": "This description."}})
    def openapi() -> Response:
        """This description, in OpenAPI 3.1."""
        described = current_app.api_doc  # type: ignore[attr-defined]
        return json_response(finished(described, services.settings, guard.base_url()))


def finished(described: Json, settings: Settings, base_url: str) -> Json:
    """flask-openapi3's description, made whole."""
    document = copy.deepcopy(described)
    document["info"]["description"] = INTRODUCTION
    document["servers"] = [{"url": base_url}]
    components = document.setdefault("components", {})
    components["securitySchemes"] = SECURITY
    schemas = components.setdefault("schemas", {})
    schemas.pop("ValidationErrorModel", None)
    schemas["Error"] = ERROR
    document["paths"] = {
        path: item for path, item in document["paths"].items() if path.startswith(API)
    }
    for path, item in document["paths"].items():
        for method in METHODS & item.keys():
            _finish(item[method], method, path, settings)
    return document


def _finish(operation: Json, method: str, path: str, settings: Settings) -> None:
    operation["description"] = operation.get("description", "").replace("<br/>", "\n").strip()
    operation["security"] = [{"administrator": []}, {"bearer": []}]
    if settings.admin_password is None and settings.loopback:
        # Open to this machine alone.
        operation["security"].append({})
    if method != "get" and path not in KEY_MAY_POST:
        operation["description"] += "\n\nFor the administrator: an API key may only read."
    if method != "get" and "requestBody" not in operation:
        operation["requestBody"] = ANY_JSON
    if method == "post" and path in EXAMPLES:
        operation["requestBody"]["content"][JSON]["example"] = EXAMPLES[path]
    responses = operation.setdefault("responses", {})
    if not any(status.startswith("2") for status in responses):
        responses["200"] = {"description": "OK", "content": {JSON: {"schema": {"type": "object"}}}}
    for status, description in ERRORS.items():
        known = responses.setdefault(status, {})
        known["description"] = known.get("description") or description
        if "content" not in known or status == "400":
            known["content"] = {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}
