"""Answers as bytes: compact JSON, gzipped, or pretty-printed for people's clients."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from tests.standin.call import Answer

# GitHub indents JSON for these; it does so after hashing, so the ETag is the compact body's.
PEOPLES_CLIENTS = ("curl", "Wget", "Safari", "Firefox")
GZIP_FROM = 150


@dataclass(slots=True)
class Rendered:
    """One answer's bytes in every form that has been asked for."""

    status: int
    body: bytes
    headers: dict[str, str]
    content_type: str
    modified: float | None = None
    volatile: bool = False
    points: int = 1
    _forms: dict[str, bytes] = field(default_factory=dict)

    @property
    def has_etag(self) -> bool:
        return not self.volatile

    def pretty(self) -> bytes:
        if "pretty" not in self._forms:
            indented = orjson.dumps(orjson.loads(self.body), option=orjson.OPT_INDENT_2)
            self._forms["pretty"] = indented + b"\n"
        return self._forms["pretty"]

    def gzipped(self, *, pretty: bool) -> bytes:
        name = "pretty gzip" if pretty else "gzip"
        if name not in self._forms:
            plain = self.pretty() if pretty else self.body
            self._forms[name] = gzip.compress(plain, compresslevel=1, mtime=0)
        return self._forms[name]


def render(answer: Answer) -> Rendered:
    """An answer's bytes; JSON keeps the order in which shapes give it."""
    if answer.data is None:
        body = b""
    elif isinstance(answer.data, bytes):
        body = answer.data
    else:
        body = orjson.dumps(answer.data)
    return Rendered(
        status=answer.status,
        body=body,
        headers=answer.headers,
        content_type=answer.content_type,
        modified=answer.modified,
        volatile=answer.volatile,
        points=answer.points,
    )


def wants_gzip(headers: Mapping[str, str], rendered: Rendered) -> bool:
    return len(rendered.body) >= GZIP_FROM and "gzip" in headers.get("accept-encoding", "")


def wants_pretty(headers: Mapping[str, str], rendered: Rendered) -> bool:
    agent = headers.get("user-agent", "")
    json = rendered.content_type.startswith("application/json")
    return json and bool(rendered.body) and any(name in agent for name in PEOPLES_CLIENTS)
