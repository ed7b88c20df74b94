"""Requests and replies as values: what passes between the sockets and the behaviour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, unquote

Manner = Literal["whole", "reset", "black_hole", "truncated", "wrong_length"]


@dataclass(slots=True)
class Request:
    """One parsed request. Header names are lower case; repeated headers are joined by a comma."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    peer: str

    @property
    def path(self) -> str:
        """The path as sent, still percent-encoded, without the query."""
        return self.target.partition("?")[0]

    @property
    def segments(self) -> list[str]:
        """The decoded path segments after the first slash; a trailing slash gives an empty last."""
        parts = self.path.split("/")[1:]
        return [unquote(part) for part in parts] if "%" in self.target else parts

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters; of a repeated one the last counts."""
        _, mark, text = self.target.partition("?")
        return dict(parse_qsl(text, keep_blank_values=True)) if mark else {}


@dataclass(slots=True)
class Reply:
    """What goes back on the wire, when (seconds to wait first), and in what manner."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    delay: float = 0.0
    manner: Manner = "whole"
    on_done: Callable[[], None] | None = None
