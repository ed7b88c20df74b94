"""Operators' hands on the cache: purge, and the reason of a hit or a miss."""

from __future__ import annotations

from typing import Annotated, Any

from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from webapp.cache.keys import canonical_target
from webapp.errors import RequestRefused
from webapp.hitpath import PREFIX
from webapp.inspection import inspect
from webapp.purging import TAG, tag_of
from webapp.services import Services
from webapp.views.api import paths
from webapp.views.guard import Guard
from webapp.views.responses import json_response

TAGS_MAX = 500

Tag = Annotated[
    str,
    StringConstraints(
        pattern=TAG,
        max_length=200,
    ),
]
Path = Annotated[str, StringConstraints(pattern=paths.PATH, max_length=4096)]
TaggedPath = Annotated[str, StringConstraints(pattern=paths.TAGGED_PATH, max_length=4096)]
_SOME_TAGS: JsonDict = {"properties": {"tags": {"minItems": 1}}, "required": ["tags"]}
_SOME_PATHS: JsonDict = {"properties": {"paths": {"minItems": 1}}, "required": ["paths"]}


class PurgeBody(BaseModel):
    """What to purge: tags, and paths that stand for their row's tag."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"anyOf": [_SOME_TAGS, _SOME_PATHS]}
    )
    tags: list[Tag] = Field(default=[], max_length=TAGS_MAX)
    paths: list[TaggedPath] = Field(default=[], max_length=TAGS_MAX)
    hard: bool = Field(default=False, strict=True)


class Purged(BaseModel):
    """How many tags were written."""

    purged: int


class EntriesQuery(BaseModel):
    """A GitHub path, with its query string if it has one."""

    path: Path
    accept: str = Field(default="", max_length=1024)
    api_version: str = Field(default="", max_length=32)


def add(views: APIBlueprint, services: Services, guard: Guard) -> None:
    """Put this module's views on the API's blueprint."""

    @views.post("/purge", responses={200: Purged})
    def purge(body: PurgeBody) -> Response:
        """Purge tags, softly unless `hard`: the next read revalidates, or nothing old is left."""
        purged = purge_named(services, guard, body)
        return json_response({"purged": purged})

    @views.get("/entries")
    def entries(query: EntriesQuery) -> Response:
        """Why a path is a hit or a miss: what each shelf holds, and what would purge it."""
        return json_response(asked_entry(services, guard, query))


def purge_named(services: Services, guard: Guard, body: PurgeBody) -> int:
    """Purge what an operator names, and note who did; tags written.

    Raises RequestRefused (400), StoreUnavailable.
    """
    tags = [tag.lower() for tag in body.tags]
    for path in body.paths:
        own = tag_of(path.removeprefix(PREFIX))
        if own is None:
            raise RequestRefused(400, f"paths: no tag of its own: {path}")
        tags.append(own)
    if not tags:
        raise RequestRefused(400, "tags or paths: name at least one")
    purged = services.purger.purge(tags, hard=body.hard, cause="operator", detail=request.path)
    what = "cache purged hard" if body.hard else "cache purged softly"
    services.audit.note(guard.who(), what, " ".join(tags))
    return purged


def asked_entry(services: Services, guard: Guard, query: EntriesQuery) -> dict[str, Any]:
    """What each shelf holds for a path. Raises RequestRefused (400), StoreUnavailable."""
    path, _, parameters = query.path.partition("?")
    target = canonical_target(
        path.removeprefix(PREFIX) or "/", parameters, query.accept, query.api_version
    )
    return inspect(services.store, services.archive, target, guard.base_url() + PREFIX)
