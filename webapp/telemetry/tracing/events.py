"""What of an event may leave the process: of URLs and headers what is listed, no secret. Pure.

Lists of what is shown, not of what is hidden: a new header or parameter is hidden until someone
thinks of it. granian puts the process's own environment into each request's, so nothing is ever
taken from there but by name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from webapp.scrub import scrubbed
from webapp.secret import MASK

SHOWN_PARAMETERS = frozenset(
    {
        *("page", "per_page", "limit", "sort", "order", "direction", "type", "state", "visibility"),
        *("affiliation", "org", "language", "topic", "archived", "fork", "period", "route"),
        *("outcome", "failed", "min_ms", "recursive", "ref", "live"),
    }
)
SHOWN_REQUEST_HEADERS = (
    *("Accept", "Accept-Encoding", "Cache-Control", "Content-Length", "Content-Type"),
    *("If-Modified-Since", "If-None-Match", "User-Agent", "X-GitHub-Api-Version"),
    *("X-GitHub-Event", "X-GitHub-Delivery"),
)
SHOWN_RESPONSE_HEADERS = (
    *("X-Cache", "Cache-Status", "Age", "Content-Encoding", "Content-Length", "Content-Type"),
    *("ETag", "Last-Modified", "Retry-After", "X-GitHub-Request-Id"),
)
URL_MAX = 500  # characters
PARAMETERS_MAX = 20

# A name with a digit in it may be a secret that stands where a name should.
_NAME = re.compile(r"[A-Za-z_.\[\]-]{1,30}")
_VALUE = re.compile(r"[\w.:,+ -]{0,60}", re.ASCII)


def shown_query(query: str) -> str:
    """A query string; what isn't listed keeps its name only."""
    pairs = parse_qsl(query[:4096], keep_blank_values=True)[:PARAMETERS_MAX]
    return "&".join(_shown_parameter(name, value) for name, value in pairs)


def _shown_parameter(name: str, value: str) -> str:
    if not _NAME.fullmatch(name):
        return MASK
    shown = name in SHOWN_PARAMETERS and _VALUE.fullmatch(value)
    return f"{name}={value if shown else MASK}"


def shown_url(url: str) -> str:
    """A URL without user, password and fragment; the query as `shown_query` has it."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return MASK
    query = f"?{shown_query(parts.query)}" if parts.query else ""
    scheme = f"{parts.scheme}://{host}" if host else ""
    return f"{scheme}{parts.path}{query}"[:URL_MAX]


def presentable(event: Mapping[str, Any]) -> dict[str, Any]:
    """A copy as it may be seen: every text scrubbed, storable anywhere, URLs as shown above."""
    context = event.get("context")
    http = context.get("http") if isinstance(context, dict) else None
    if context and isinstance(http, dict) and isinstance(http.get("url"), str):
        shown = {**http, "url": shown_url(http["url"])}
        event = {**event, "context": {**context, "http": shown}}
    struck = storable(scrubbed(dict(event)))
    assert isinstance(struck, dict)
    return struck


def storable(value: object) -> object:
    """Without what PostgreSQL and JSON refuse in a text: NUL, and halves of surrogate pairs."""
    if isinstance(value, str):
        clean = value.replace("\0", "\N{REPLACEMENT CHARACTER}") if "\0" in value else value
        return clean if clean.isascii() else clean.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {storable(key): storable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [storable(each) for each in value]
    return value
