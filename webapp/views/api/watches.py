"""What is kept warm: list, add, remove. Each change leaves an audit row."""

from __future__ import annotations

from typing import Annotated

from flask import Response
from flask_openapi3.blueprint import APIBlueprint
from pydantic import BaseModel, ConfigDict, StringConstraints

from webapp.services import Services
from webapp.views.acts import Acts
from webapp.views.api import paths
from webapp.views.guard import Guard
from webapp.views.responses import json_response
from webapp.watches import Watch

Name = Annotated[
    str,
    StringConstraints(pattern=rf"^{paths.LOGIN}(?:/{paths.REPOSITORY})?$", max_length=140),
]


class WatchBody(BaseModel):
    """An organisation's, user's or repository's name: `pallets`, `psf/requests`."""

    model_config = ConfigDict(extra="forbid")
    name: Name


class OwnerPath(BaseModel):
    """An owner."""

    owner: Annotated[str, StringConstraints(pattern=rf"^{paths.LOGIN}$")]


class RepoPath(OwnerPath):
    """A repository."""

    repo: Annotated[str, StringConstraints(pattern=rf"^{paths.REPOSITORY}$")]


class WatchItem(BaseModel):
    """`kind` is owner until GitHub said whether it is an org or a user; `added_at` is null for a
    name of the setting WATCH that no worker has met yet."""

    name: str
    kind: str
    source: str
    added_at: str | None


class WatchList(BaseModel):
    """By name."""

    items: list[WatchItem]


def add(views: APIBlueprint, services: Services, guard: Guard) -> None:
    """Put this module's views on the API's blueprint."""
    watches, acts = services.watches, Acts(services, guard)

    @views.get("/watches", responses={200: WatchList})
    def list_watches() -> Response:
        """What is kept warm, and by whose wish: env is the setting WATCH."""
        return json_response({"items": [_item(each) for each in watches.all()]})

    @views.post("/watches", responses={201: WatchItem})
    def add_watch(body: WatchBody) -> Response:
        """Keep a name warm from now on; a worker begins within a minute."""
        return json_response(_item(acts.watch(body.name, "api")), 201)

    @views.delete("/watches/<owner>", responses={204: None})
    def remove_owner(path: OwnerPath) -> Response:
        """Keep an owner warm no longer; what the setting WATCH names is taken out there (409)."""
        return removed(path.owner)

    @views.delete("/watches/<owner>/<repo>", responses={204: None})
    def remove_repo(path: RepoPath) -> Response:
        """The same for a repository."""
        return removed(f"{path.owner}/{path.repo}")

    def removed(name: str) -> Response:
        acts.unwatch(name)
        return Response(status=204)


def _item(watch: Watch) -> dict[str, object]:
    return {
        "name": watch.name,
        "kind": watch.kind,
        "source": watch.source,
        "added_at": watch.added_at.isoformat() if watch.added_at else None,
    }
