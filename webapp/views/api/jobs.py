"""The queues for operators: what waits, runs and died; dead letters retried or deleted.

A dead letter is named by its `id`; `all` stands for all there are. Each act leaves an audit row.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Annotated, Literal

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, Field

from webapp.reports.jobs import runtimes, verdicts
from webapp.reports.periods import window
from webapp.services import Services
from webapp.views.acts import Acts
from webapp.views.guard import Guard
from webapp.views.responses import json_response


class JobsQuery(BaseModel):
    """Which runs and dead letters; the rest is of this moment, whatever the period."""

    period: Literal["15m", "1h", "6h", "24h", "7d"] = "1h"
    limit: int = Field(default=100, ge=1, le=500)
    before: float | None = Field(
        default=None,
        ge=0,
        le=1e12,  # no NaN either: Redis would refuse it, and be taken for away
        description="Only letters that failed before this moment, Unix seconds.",
    )


class LetterPath(BaseModel):
    """A dead letter."""

    id: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9-]+$")]


class Verdict(BaseModel):
    """A line of what is well or isn't."""

    name: str
    state: Literal["ok", "warn", "fail", "unknown"]
    reason: str
    action: str


class Queue(BaseModel):
    """A queue's figures; `oldest` in seconds."""

    queue: str
    waiting: int
    running: int
    delayed: int
    dead: int
    oldest: float | None


class Attempt(BaseModel):
    """A job that runs; moments in Unix seconds."""

    job: str
    actor: str
    queue: str
    attempt: int
    started: float
    worker: str


class Worker(BaseModel):
    """A worker process."""

    id: str
    host: str
    pid: int
    started: float
    seen: float
    running: list[Attempt]


class Letter(BaseModel):
    """A job that failed for good, its secrets struck out."""

    id: str
    job: str
    actor: str
    queue: str
    args: list[object] = Field(description="For administrators; [] for API keys.")
    error: str
    attempts: int
    enqueued_at: float
    failed_at: float


class Heartbeats(BaseModel):
    """Unix seconds; null for none in three minutes."""

    worker: float | None
    scheduler: float | None


class ActorRuns(BaseModel):
    """An actor's runs in the period: how many by result, and seconds."""

    actor: str
    results: dict[str, int]
    p50: float | None
    p95: float | None


class JobsReport(BaseModel):
    """All of it."""

    as_of: float
    period: str
    verdicts: list[Verdict]
    queues: list[Queue]
    workers: list[Worker]
    runtimes: list[ActorRuns]
    heartbeats: Heartbeats
    dead: list[Letter]


class Changed(BaseModel):
    """How many dead letters were retried or deleted."""

    jobs: int


def add(views: APIBlueprint, services: Services, guard: Guard) -> None:
    """Put this module's views on the API's blueprint."""
    queues, acts = services.queues, Acts(services, guard)

    @views.get("/jobs", responses={200: JobsReport})
    def jobs(query: JobsQuery) -> Response:
        """Queues, workers, what they run, and dead letters, the last to fail first."""
        moment = datetime.now(UTC)
        now, beats, state = moment.timestamp(), services.jobs.heartbeats(), queues.state()
        dead = queues.dead(limit=query.limit, before=query.before)
        if not guard.is_administrator():  # what a caller's own token wrote to is in some
            dead = [replace(each, args=()) for each in dead]
        return json_response(
            {
                "as_of": now,
                "period": query.period,
                "verdicts": [each.as_json() for each in verdicts(beats, state, now)],
                **asdict(state),
                "runtimes": [
                    asdict(each) for each in runtimes(services, window(query.period, moment))
                ],
                "heartbeats": asdict(beats),
                "dead": [asdict(each) for each in dead],
            }
        )

    @views.post("/jobs/<id>/retry", responses={200: Changed})
    def retry_job(path: LetterPath) -> Response:
        """Put a dead letter back into its queue, with all its retries."""
        return json_response({"jobs": acts.retry(path.id)})

    @views.post("/jobs/<id>/delete", responses={200: Changed})
    def delete_job(path: LetterPath) -> Response:
        """Drop a dead letter for good."""
        return json_response({"jobs": acts.delete(path.id)})
