"""Every answer's form: entries, GitHub's answers passed on, and errors in GitHub's shape.

What a client sees of an error is decided here alone. Nothing that a shelf or GitHub said in an
exception's text gets out.
"""

from __future__ import annotations

from collections.abc import Callable

import orjson
from flask import Flask, Response, render_template, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException

from webapp.cache.reply import (
    CACHE_CONTROL,
    VARY,
    Headers,
    cache_groups,
    coded_body,
    headers_of,
    not_modified,
)
from webapp.errors import (
    BrokerUnavailable,
    CredentialRefused,
    DatabaseUnavailable,
    ForewarmError,
    GitHubUnavailable,
    RequestRefused,
    StoreUnavailable,
    WaitedTooLong,
)
from webapp.github.answer import Answer, is_json
from webapp.github.links import (
    rewritten_body,
    rewritten_chunks,
    rewritten_link,
    rewritten_location,
)
from webapp.outcome import Outcome
from webapp.serve import Served

DOCUMENTATION = "https://docs.github.com/rest"
FOR_PROGRAMS = ("/api", "/webhooks/github", "/healthz", "/readyz", "/metrics")
RETRY_SOON = "1"  # seconds

PASSED_BACK = (
    "Content-Type",
    "Content-Disposition",
    "Last-Modified",
    "Retry-After",
    "WWW-Authenticate",
    "X-GitHub-Media-Type",
    "X-GitHub-Request-Id",
    "X-GitHub-Api-Version-Selected",
    "X-GitHub-SSO",
    "X-GitHub-OTP",
    "X-OAuth-Scopes",
    "X-Accepted-OAuth-Scopes",
    "X-Accepted-GitHub-Permissions",
    "X-Poll-Interval",
    "Deprecation",
    "Sunset",
)
RATE_LIMIT = tuple(
    f"X-RateLimit-{part}" for part in ("Limit", "Remaining", "Used", "Reset", "Resource")
)

_ERRORS: tuple[tuple[type[ForewarmError], int, str], ...] = (
    (GitHubUnavailable, 502, "GitHub can't be reached, and no earlier answer is held."),
    (CredentialRefused, 502, "GitHub doesn't accept Forewarm's own credentials; see its log."),
    (WaitedTooLong, 503, "Another request is fetching this, and it takes too long. Try again."),
    (StoreUnavailable, 503, "Redis can't be reached, so nothing was done. Try again."),
    (DatabaseUnavailable, 503, "PostgreSQL can't be reached, so nothing was done. Try again."),
    (BrokerUnavailable, 503, "The job queue can't be reached, so nothing was done. Try again."),
)


def entry_response(
    served: Served, tags: tuple[str, ...], now: float, allowance: Headers
) -> Response:
    """A stored answer for this request: 304 where the client has it, gzip where it may."""
    entry = served.entry
    assert entry is not None
    headers = headers_of(entry, served.outcome, served.cache_status, cache_groups(tags), now)
    headers += allowance
    asked = request.headers
    if not_modified(entry, asked.get("If-None-Match", ""), asked.get("If-Modified-Since", "")):
        return _response(b"", 304, headers)
    body, coding = coded_body(entry, asked.get("Accept-Encoding", ""))
    return _response(body, entry.status, headers + coding)


def answer_response(
    answer: Answer, outcome: Outcome, cache_status: str, *, api_url: str, base_url: str, path: str
) -> Response:
    """GitHub's answer passed on, its links pointing back to us."""
    headers: Headers = [
        ("X-Cache", outcome.value),
        ("Cache-Status", cache_status),
        ("Cache-Control", "no-store" if outcome is Outcome.ERROR else CACHE_CONTROL),
        ("Vary", VARY),
    ]
    passed = PASSED_BACK + (RATE_LIMIT if answer.limited else ())
    headers += [(name, answer.headers[name]) for name in passed if name in answer.headers]
    if link := answer.headers.get("Link"):
        headers.append(("Link", rewritten_link(link, api_url, base_url, path)))
    if location := answer.headers.get("Location"):
        headers.append(("Location", rewritten_location(location, api_url, base_url)))
    json = is_json(answer.headers.get("Content-Type", ""))
    if answer.body is not None:
        body = rewritten_body(answer.body, api_url, base_url) if json else answer.body
        if answer.status not in {204, 304}:
            headers.append(("Content-Length", str(len(body))))
        return _response(body, answer.status, headers)
    if request.method == "HEAD":
        answer.close()
        return _response(b"", answer.status, headers)
    chunks = answer.chunks()
    response = Response(
        rewritten_chunks(chunks, api_url, base_url) if json else chunks, answer.status
    )
    response.headers.clear()
    response.headers.extend(headers)
    response.call_on_close(answer.close)
    return response


def error_response(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """GitHub's shape of an error; `status` is a string there. A page where a browser asked."""
    if _from_a_browser():
        response = Response(render_template("error.html", status=status, message=message), status)
    else:
        body = {"message": message, "documentation_url": DOCUMENTATION, "status": str(status)}
        response = json_response(body, status)
    response.headers["Cache-Control"] = "no-store"
    response.headers.update(headers or {})
    if request.path.startswith("/api/v3"):
        response.headers["X-Cache"] = Outcome.ERROR.value
        response.headers["Cache-Status"] = "forewarm"
    return response


def _from_a_browser() -> bool:
    """Whether HTML is wanted, outside what programs ask: curl's */* takes JSON."""
    kinds = ("application/json", "text/html")
    return (
        not request.path.startswith(FOR_PROGRAMS)
        and request.accept_mimetypes.best_match(kinds) == "text/html"
    )


def json_response(value: object, status: int = 200) -> Response:
    """JSON of ours."""
    body = orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
    return Response(body, status, content_type="application/json; charset=utf-8")


class JsonProvider(DefaultJSONProvider):
    """Request bodies by orjson: one nested too deeply is a ValueError, not a RecursionError.

    So is a text: flask-openapi3 would take it for JSON once more.
    """

    def loads(self, s: str | bytes, **_: object) -> object:
        value = orjson.loads(s)
        if isinstance(value, str):
            raise ValueError("a text is no body")  # noqa: TRY004 - what Flask expects
        return value


def register_errors(app: Flask) -> None:
    """Answer every error that is raised on purpose; what is a bug stays a logged 500."""

    def refused(error: RequestRefused) -> Response:
        return error_response(error.status, error.message, error.headers)

    def http(error: HTTPException) -> Response:
        status = error.code or 500
        kept = {name: value for name, value in error.get_headers() if name in {"Allow", "Location"}}
        return error_response(status, error.name, kept)

    app.register_error_handler(RequestRefused, refused)
    app.register_error_handler(HTTPException, http)
    for kind, status, message in _ERRORS:
        app.register_error_handler(kind, _unavailable(status, message))


def _unavailable(status: int, message: str) -> Callable[[ForewarmError], Response]:
    def respond(_: ForewarmError) -> Response:
        retry = {"Retry-After": RETRY_SOON} if status == 503 else {}
        return error_response(status, message, retry)

    return respond


def _response(body: bytes, status: int, headers: Headers) -> Response:
    response = Response(body, status)
    response.headers.clear()
    response.headers.extend(headers)
    return response
