"""GitHub's GraphQL API, passed through: with the caller's own token, or for a key holder queries
only, with the service's. Nothing of it is cached.

What a mutation changed is told by its answer alone: the repositories it names are purged.
"""

from __future__ import annotations

from flask import Blueprint, Response, request

from webapp.cache.keys import canonical_target
from webapp.cache.reply import cache_status_forwarded
from webapp.errors import RequestRefused
from webapp.github.graphql import only_queries, repositories_named
from webapp.hitpath import PREFIX
from webapp.mutations import repository_tags
from webapp.outcome import Outcome
from webapp.services import Services
from webapp.views.bodies import read_body
from webapp.views.guard import Guard
from webapp.views.mirror import asker_of, purge_written
from webapp.views.responses import answer_response

PATH = "/api/graphql"
BODY_MAX = 1024 * 1024  # bytes


def blueprint(services: Services, guard: Guard) -> Blueprint:
    """/api/graphql."""
    views = Blueprint("graphql", __name__)

    @views.post(PATH)
    def graphql() -> Response:
        """Pass a request through."""
        caller = guard.caller()
        if caller.scope.kind == "public":
            raise RequestRefused(401, "Requires authentication")
        body = read_body(services.shares, BODY_MAX)
        asks = only_queries(body)
        if caller.token is None and not asks:
            raise RequestRefused(403, "Anything but a query needs a GitHub token of your own.")
        target = canonical_target("/graphql", "", request.headers.get("Accept", ""), "")
        headers = dict(request.headers)
        with services.shares.fetching():
            answer = services.client.graphql(target, asker_of(caller), headers, body)
        if not asks and answer.body and answer.status < 400:
            named = repositories_named(answer.body)
            tags = tuple(tag for name in named for tag in repository_tags(name))
            purge_written(services, tags, False, PATH)
        return answer_response(
            answer,
            Outcome.ERROR if answer.limited else Outcome.BYPASS,
            cache_status_forwarded("method", answer.upstream_status),
            api_url=services.settings.github_api_url,
            base_url=guard.base_url() + PREFIX,
            path=target.path,
        )

    return views
