"""The mirror: GitHub's REST API under /api/v3, in GitHub's shapes (DESIGN.md sections 5, 6, 12).

A read goes down the ladder (serve.py). A write passes through with the caller's own token, once,
and purges what it changed. Whoever has no token of their own only reads.
"""

from __future__ import annotations

import logging
import time

from flask import Blueprint, Response, request
from werkzeug.routing import BaseConverter

from webapp import policy
from webapp.cache.keys import Target, canonical_target
from webapp.cache.reply import cache_status_forwarded
from webapp.callers import Caller
from webapp.demand import asked_text
from webapp.errors import ForewarmError, GitHubUnavailable, RequestRefused, StoreUnavailable
from webapp.fetching import Wish
from webapp.github.asker import Asker
from webapp.github.client import FREE
from webapp.hitpath import PREFIX, READS
from webapp.mutations import mutated, repository_tags
from webapp.outcome import Outcome
from webapp.serve import Directives
from webapp.services import Services
from webapp.signals import served as served_signal
from webapp.views.bodies import read_body
from webapp.views.guard import Guard
from webapp.views.responses import answer_response, entry_response, json_response

log = logging.getLogger(__name__)

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
BODY_MAX = 50 * 1024 * 1024  # bytes of a write


class Rest(BaseConverter):
    """Whatever follows, with empty segments and line ends: what of it is refused is said below."""

    part_isolating = False
    regex = r"[\s\S]*"
    weight = 200


def blueprint(services: Services, guard: Guard) -> Blueprint:
    """The mirror's views."""
    views = Blueprint("mirror", __name__)
    views.record(lambda state: state.app.url_map.converters.update(rest=Rest))
    rules = {"methods": METHODS, "provide_automatic_options": False, "strict_slashes": False}

    def mirror(path: str = "") -> Response:  # noqa: ARG001 - the whole path is read below
        caller = guard.caller()
        target = _target()
        _check_allowed(caller, target)
        base_url = guard.base_url() + PREFIX
        if request.method in READS:
            return _read(services, guard, caller, target, base_url)
        return _write(services, caller, target, base_url)

    views.add_url_rule(PREFIX, view_func=mirror, **rules)  # type: ignore[arg-type]
    views.add_url_rule(f"{PREFIX}/<rest:path>", view_func=mirror, **rules)  # type: ignore[arg-type]
    return views


def _target() -> Target:
    # Routing sees one slash in front, however many there are.
    whole = "/" + request.environ["PATH_INFO"].lstrip("/")
    path = whole.removeprefix(PREFIX) or "/"
    return canonical_target(
        path,
        request.environ.get("QUERY_STRING", ""),
        request.headers.get("Accept", ""),
        request.headers.get("X-GitHub-Api-Version", ""),
    )


def _check_allowed(caller: Caller, target: Target) -> None:
    """Service and public scopes read, and not everything (policy.REFUSED)."""
    if caller.scope.kind == "token":
        return
    if request.method not in READS:
        raise RequestRefused(403, "A write needs a GitHub token of your own.")
    if policy.refused(target.path, service=caller.scope.kind == "service"):
        raise RequestRefused(403, "This needs a GitHub token of your own.")


def _read(
    services: Services, guard: Guard, caller: Caller, target: Target, base_url: str
) -> Response:
    if target.path in FREE and caller.token is None:
        return json_response(services.client.rate_limit(caller.scope))
    began = time.perf_counter()
    asker = asker_of(caller)
    services.client.keep_allowance(asker, time.time())
    wish = Wish.of(target, asker, base_url)
    try:
        directives = _directives(services.settings.honour_no_cache)
        served = services.ladder.serve(wish, directives, lambda: guard.admit(caller))
    except ForewarmError as error:
        _announce(services, wish, Outcome.ERROR, str(error), began)
        raise
    cause = served.cache_status.removeprefix("forewarm; ")
    worth_warming = served.entry is not None and not served.entry.negative
    asked = asked_text(target, base_url) if worth_warming else ""
    _announce(services, wish, served.outcome, cause, began, asked=asked)
    if served.entry:
        allowance = services.client.allowances.headers(wish.scope.name)
        return entry_response(served, wish.tags, time.time(), allowance)
    assert served.answer is not None
    return answer_response(
        served.answer,
        served.outcome,
        served.cache_status,
        api_url=services.settings.github_api_url,
        base_url=base_url,
        path=target.path,
    )


def _announce(
    services: Services,
    wish: Wish,
    outcome: Outcome,
    cause: str,
    began: float,
    *,
    asked: str = "",
) -> None:
    served_signal.send(
        services,
        resource=policy.match(wish.target.path).resource.name,
        outcome=outcome.value,
        path=wish.target.path,
        key=wish.key,
        scope=wish.scope.kind,
        shelf="redis",
        cause=cause,
        seconds=time.perf_counter() - began,
        asked=asked,
    )


def _write(services: Services, caller: Caller, target: Target, base_url: str) -> Response:
    body = read_body(services.shares, BODY_MAX)
    tags, hard = mutated(request.method, target.path)
    try:
        with services.shares.fetching():
            answer = services.client.write(
                request.method, target, asker_of(caller), dict(request.headers), body
            )
    except GitHubUnavailable:
        # It may have been done all the same.
        purge_written(services, tags, False, target.path)
        raise
    if answer.status < 400:
        # A new name may be held as missing, an id tells no name.
        tags += repository_tags(answer.full_name)
        purge_written(services, tags, hard, target.path)
    return answer_response(
        answer,
        Outcome.ERROR if answer.limited else Outcome.BYPASS,
        cache_status_forwarded("method", answer.status),
        api_url=services.settings.github_api_url,
        base_url=base_url,
        path=target.path,
    )


def asker_of(caller: Caller) -> Asker:
    """On whose behalf GitHub is asked; who spends is a key's name, else the program's."""
    agent = request.headers.get("User-Agent", "")
    consumer = caller.name or agent.partition("/")[0].partition(" ")[0]
    return Asker(caller.scope, caller.token, consumer=consumer)


def purge_written(services: Services, tags: tuple[str, ...], hard: bool, path: str) -> None:
    """What the write changed. GitHub has done it: nothing may keep its answer from the caller."""
    if not tags:
        return
    try:
        services.purger.purge(tags, hard=hard, cause="mutation", detail=path)
    except StoreUnavailable:
        log.warning("a purge waits for Redis in this process's memory alone: %s", " ".join(tags))
    services.purger.again(tags, cause="mutation", detail=path)


def _directives(honour_no_cache: bool) -> Directives:
    """The request's Cache-Control; what can't be parsed is as absent (RFC 9111 section 5.2)."""
    control = request.headers.get("Cache-Control", "")
    if not control:
        return Directives()
    max_age: float | None = None
    only_if_cached = False
    for part in control.lower().split(","):
        name, _, value = part.strip().partition("=")
        seconds = value.strip('"')
        if name == "max-age" and seconds.isascii() and seconds.isdigit():
            max_age = float(seconds[:9])
        elif name == "only-if-cached":
            only_if_cached = True
        elif name == "no-cache" and honour_no_cache:
            max_age = 0.0
    return Directives(max_age, only_if_cached)
