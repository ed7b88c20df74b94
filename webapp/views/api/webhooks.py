"""Webhook deliveries for operators: what came, how late, what it purged; purged again by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, Field, StringConstraints

from webapp.db import deliveries
from webapp.errors import DatabaseUnavailable
from webapp.reports import webhooks as reports
from webapp.reports.periods import DEFAULT, PERIODS, window
from webapp.services import Services
from webapp.views.acts import Acts
from webapp.views.guard import Guard
from webapp.views.responses import json_response


class WebhooksQuery(BaseModel):
    """Of which time."""

    period: Annotated[str, StringConstraints(pattern=f"^({'|'.join(PERIODS)})$")] = DEFAULT


class DeliveryPath(BaseModel):
    """A delivery, by GitHub's id of it."""

    delivery: Annotated[str, StringConstraints(pattern="^[0-9A-Za-z-]{1,64}$")]


class Webhooks(BaseModel):
    """Deliveries of a period: how many of each event, and the last of them."""

    as_of: datetime
    period: str
    verdicts: list[dict[str, str]]
    results: dict[str, int] = Field(description="accepted, duplicate, ignored, refused")
    events: list[deliveries.Counted]
    deliveries: list[deliveries.Delivery]


class Replayed(BaseModel):
    """How many tags were purged again."""

    purged: int = Field(ge=0)


def add(views: APIBlueprint, services: Services, guard: Guard) -> None:
    """Put this module's views on the API's blueprint."""
    acts = Acts(services, guard)

    @views.get("/webhooks", responses={200: Webhooks})
    def webhooks(query: WebhooksQuery) -> Response:
        """The period's deliveries by event and action, and the last hundred of them."""
        found = reports.report(services, window(query.period, datetime.now(UTC)))
        if found.events is None or found.deliveries is None:
            raise DatabaseUnavailable("PostgreSQL can't be reached")
        report = Webhooks(
            as_of=found.window.now,
            period=query.period,
            verdicts=[each.as_json() for each in found.verdicts],
            results=dict(found.results),
            events=list(found.events),
            deliveries=list(found.deliveries),
        )
        return json_response(report.model_dump(mode="json"))

    @views.post("/webhooks/<delivery>/replay", responses={200: Replayed})
    def replay(path: DeliveryPath) -> Response:
        """Purge again what a delivery purged."""
        return json_response({"purged": acts.replay(path.delivery)})
