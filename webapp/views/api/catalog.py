"""The catalog for tool authors: organisations, search, one repository, look-ups of many.

    PostgreSQL away    one repository is still answered, over the mirror; all else is a 503
    GitHub away        what is held is answered, with its seen_at; nothing held: the error

Each answer has an ETag of its bytes, and is the client's to keep and to ask again with.
"""

from __future__ import annotations

import hashlib

import orjson
from flask import Response, request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag

from webapp.cache.keys import SERVICE
from webapp.catalog.listing import Wanted
from webapp.errors import RequestRefused
from webapp.github.asker import Asker
from webapp.hitpath import PREFIX
from webapp.services import Services
from webapp.views.api.catalog_models import (
    Looked,
    LookupBody,
    Organisation,
    Organisations,
    OrgPath,
    OrgsQuery,
    Repositories,
    RepositoryDetail,
    RepositoryPath,
    ReposQuery,
)
from webapp.views.guard import Guard

CATALOG = Tag(name="catalog", description="Every repository seen, to be searched and looked up.")
CACHE_CONTROL = "private, no-cache"
"""Kept by clients and asked for again by ETag: a webhook may have changed it a moment later."""
UNKNOWN_ORG = "Not watched, and not seen in any answer yet."


def add(views: APIBlueprint, services: Services, guard: Guard) -> None:
    """Put this module's views on the API's blueprint."""
    lookup, listing = services.catalog.lookup, services.catalog.listing

    def asker() -> Asker:
        return Asker(SERVICE, consumer=guard.who())

    @views.get("/orgs", tags=[CATALOG], responses={200: Organisations})
    def orgs(query: OrgsQuery) -> Response:
        """Organisations and users that are watched or were seen, by login."""
        return _answer(listing.owners(query.limit, query.cursor))

    @views.get("/orgs/<org>", tags=[CATALOG], responses={200: Organisation, 404: None})
    def org(path: OrgPath) -> Response:
        """One organisation or user that is watched or was seen."""
        found = listing.owner(path.org)
        if found is None:
            raise RequestRefused(404, UNKNOWN_ORG)
        return _answer(found)

    @views.get("/repos", tags=[CATALOG], responses={200: Repositories})
    def repos(query: ReposQuery) -> Response:
        """Search the catalog."""
        asked = query.model_dump(exclude={"limit", "cursor"})
        return _answer(listing.repositories(Wanted(**asked), query.limit, query.cursor))

    @views.get(
        "/repos/<owner>/<name>", tags=[CATALOG], responses={200: RepositoryDetail, 404: None}
    )
    def repo(path: RepositoryPath) -> Response:
        """One repository with its history, by its present or a former name."""
        item = lookup.one(f"{path.owner}/{path.name}", asker(), guard.base_url() + PREFIX)
        if item is None:
            raise RequestRefused(404, "Not Found")
        return _answer(orjson.dumps(item))

    @views.post("/repos/lookup", tags=[CATALOG], responses={200: Looked})
    def look_up(body: LookupBody) -> Response:
        """Look up to 500 repositories up by name: what is current at once, the rest from GitHub."""
        found = lookup.many(body.names, asker(), guard.base_url() + PREFIX)
        answer: dict[str, object] = {"items": found.items, "missing": found.missing}
        if found.renamed:
            answer["renamed"] = found.renamed
        if found.unresolved:
            answer["unresolved"] = found.unresolved
        return _answer(orjson.dumps(answer))


def _answer(body: bytes) -> Response:
    """JSON with its ETag; 304 where a reader has it (RFC 9110 section 13: GET and HEAD only)."""
    response = Response(body, content_type="application/json; charset=utf-8")
    response.headers["Cache-Control"] = CACHE_CONTROL
    response.headers["Vary"] = "Authorization"
    response.set_etag(hashlib.blake2b(body, digest_size=16).hexdigest(), weak=True)
    response.make_conditional(request)
    return response
