"""What GitHub answered, told apart: a whole JSON body, a stream, a refusal, a limit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

import orjson
import requests

from webapp.policy import ENDING_STATUSES, NEGATIVE_STATUSES

CHUNK = 64 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is raw and decoded, None where it streams or (304 to held validators) is held.

    `confirmed` says that GitHub vouched for a held body by a 304; `asked_at` is Unix seconds.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes | None
    asked_at: float
    confirmed: bool = False
    upstream_status: int = 0
    stream: requests.Response | None = field(default=None, repr=False)
    prefix: tuple[bytes, ...] = field(default=(), repr=False)
    place: ExitStack | None = field(default=None, repr=False)
    """What a stream occupies until it is closed."""

    @property
    def limited(self) -> bool:
        """GitHub has no budget for us: 429, or one of a 403's two meanings that are limits."""
        return is_limit(self.status, self.headers, self.body or b"")

    @property
    def retry_after(self) -> float:
        """Seconds until asking again makes sense, of a limit; a minute where none are told."""
        told = self.headers.get("Retry-After", "")
        return float(told) if told.isdecimal() else 60.0

    @property
    def ending(self) -> bool:
        """An answer that ends what was held, without leaving anything to store."""
        return self.status in ENDING_STATUSES and not self.limited

    @property
    def negative(self) -> bool:
        """A refusal that is remembered for a while."""
        return self.status in NEGATIVE_STATUSES

    @property
    def full_name(self) -> str:
        """`owner/name` where the body is a repository, else ''."""
        try:
            body = orjson.loads(self.body or b"")
        except orjson.JSONDecodeError:
            return ""
        name = body.get("full_name") if isinstance(body, dict) else None
        return name if isinstance(name, str) else ""

    def chunks(self) -> Iterator[bytes]:
        """The whole body, decoded, however large; closes the connection's use when done."""
        if self.stream is None:
            yield self.body or b""
            return
        try:
            yield from self.prefix
            yield from self.stream.iter_content(CHUNK)
        finally:
            self.close()

    def close(self) -> None:
        """Drop what streams and isn't wanted."""
        if self.stream is not None:
            self.stream.close()
        if self.place is not None:
            self.place.close()


def is_limit(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """GitHub's rate limits: 429 always; 403 by its headers or, a secondary one, by its words."""
    if status == 429:
        return True
    if status != 403:
        return False
    if headers.get("X-RateLimit-Remaining") == "0" or "Retry-After" in headers:
        return True
    return b"rate limit" in body.lower()


def is_json(content_type: str) -> bool:
    """GitHub's JSON is application/json; its `…+json` types can be raw files."""
    return content_type.partition(";")[0].strip().lower() == "application/json"
