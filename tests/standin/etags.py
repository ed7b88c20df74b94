"""ETags and conditional requests (RFC 9110 section 13), with GitHub's observed ETag formula.

The formula is undocumented and read off GitHub's answers by others: SHA-256 over the values of the
request headers Accept, Authorization and Cookie that are present, in this order, each followed by a
colon, then over the body before pretty-printing. A second, opaque formula lets tests show what
happens when the first no longer holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal

from tests.standin.clock import from_http_date

Formula = Literal["github", "opaque"]
VARYING = ("accept", "authorization", "cookie")


def entity_tag(formula: Formula, headers: Mapping[str, str], body: bytes, *, weak: bool) -> str:
    """The ETag header's value; `headers` are the request's, names in lower case."""
    digest = hashlib.sha256(b"another formula" if formula == "opaque" else b"")
    for name in VARYING:
        if name in headers:
            digest.update(headers[name].encode("latin-1", "replace") + b":")
    digest.update(body)
    return f'{"W/" if weak else ""}"{digest.hexdigest()}"'


def _opaque(tag: str) -> str:
    return tag.strip().removeprefix("W/")


def is_not_modified(
    headers: Mapping[str, str], etag: str | None, last_modified: float | None
) -> bool:
    """Whether 304 is the answer: If-None-Match by weak comparison, else If-Modified-Since."""
    wanted = headers.get("if-none-match")
    if wanted is not None:
        if etag is None:
            return False
        return wanted.strip() == "*" or _opaque(etag) in map(_opaque, wanted.split(","))
    since = headers.get("if-modified-since")
    if since is None or last_modified is None:
        return False
    seconds = from_http_date(since)
    return seconds is not None and int(last_modified) <= seconds
