"""The JSON API of our own, under /api (the mirror is /api/v3). One module a subject beside this.

flask-openapi3 validates by the modules' models and documents them; what doesn't fit is a 400 that
names the parameter.
"""

from __future__ import annotations

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import ValidationError

from webapp.services import Services
from webapp.views.api import (
    alerts,
    catalog,
    jobs,
    openapi,
    operators,
    reports,
    traces,
    warming,
    watches,
    webhooks,
)
from webapp.views.guard import Guard
from webapp.views.responses import error_response

SUBJECTS = (alerts, catalog, jobs, openapi, operators, reports, traces, warming, watches, webhooks)
"""Each has `add(views, services, guard)`."""
PATTERN = "doesn't have the form that /api/openapi.json tells"


def blueprint(services: Services, guard: Guard) -> APIBlueprint:
    """The API's views."""
    views = APIBlueprint("api", __name__, url_prefix="/api")
    for subject in SUBJECTS:
        subject.add(views, services, guard)
    return views


def validation_failed(error: ValidationError) -> Response:
    """A 400 of GitHub's shape that names the parameter and never repeats the value."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "body"
    what = PATTERN if first["type"] == "string_pattern_mismatch" else first["msg"]
    return error_response(400, f"{where}: {what.removeprefix('Value error, ')}")
