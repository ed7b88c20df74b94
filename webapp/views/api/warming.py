"""Runs of warming: begin, look at, pause, resume, cancel. Each act leaves an audit row."""

from __future__ import annotations

from typing import Literal

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field

from webapp.db.warming_runs import Run
from webapp.services import Services
from webapp.views.acts import Acts
from webapp.views.api.watches import Name
from webapp.views.guard import Guard
from webapp.views.responses import json_response
from webapp.warming.runs import MOST_NAMES


class RunBody(BaseModel):
    """What to warm; without names all that is watched."""

    model_config = ConfigDict(extra="forbid")
    names: list[Name] = Field(default=[], max_length=MOST_NAMES)


class RunPath(BaseModel):
    """A run."""

    run: int = Field(ge=1, le=2**53)


class Begun(BaseModel):
    """The new run."""

    run: int


class RunItem(BaseModel):
    """Its progress: answers done of those known so far, points spent, points that 304s saved,
    answers that couldn't be warmed."""

    run: int
    state: Literal["queued", "running", "paused", "cancelled", "done", "failed"]
    done: int
    total: int
    points: int
    saved: int
    failures: int


class RunList(BaseModel):
    """The newest first."""

    items: list[RunItem]


def add(views: APIBlueprint, services: Services, guard: Guard) -> None:
    """Put this module's views on the API's blueprint."""
    runs, acts = services.warming, Acts(services, guard)

    @views.get("/warming", responses={200: RunList})
    def list_runs() -> Response:
        """The latest runs, by the schedule and by hand."""
        return json_response({"items": [_item(each) for each in runs.latest()]})

    @views.post("/warming", responses={202: Begun})
    def begin_run(body: RunBody) -> Response:
        """Warm now what isn't fresh or soon won't be; workers do it."""
        return json_response({"run": acts.warm(body.names, "api")}, 202)

    @views.get("/warming/<int:run>", responses={200: RunItem})
    def get_run(path: RunPath) -> Response:
        """How far a run is."""
        return json_response(_item(runs.get(path.run)))

    @views.post("/warming/<int:run>/pause", responses={200: RunItem})
    def pause_run(path: RunPath) -> Response:
        """Stop before its next answer. While the schedule's run is paused it begins no other."""
        return json_response(_item(acts.pause(path.run)))

    @views.post("/warming/<int:run>/resume", responses={200: RunItem})
    def resume_run(path: RunPath) -> Response:
        """Go on where it was."""
        return json_response(_item(acts.resume(path.run)))

    @views.post("/warming/<int:run>/cancel", responses={200: RunItem})
    def cancel_run(path: RunPath) -> Response:
        """End it before its next answer."""
        return json_response(_item(acts.cancel(path.run)))


def _item(run: Run) -> dict[str, object]:
    shown = ("state", "done", "total", "points", "saved", "failures")
    return {"run": run.id, **{name: getattr(run, name) for name in shown}}
