"""Pagination: 30 a page by default, 100 at most, and the Link header in GitHub's canonical form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlencode

T = TypeVar("T")
DEFAULT, MOST = 30, 100


@dataclass(frozen=True, slots=True)
class Page:
    """Which page is asked for."""

    number: int
    size: int

    @classmethod
    def asked(cls, query: dict[str, str]) -> Page:
        """Out of range or unreadable values become the nearest good ones, as on GitHub."""
        size = integer(query.get("per_page"), DEFAULT)
        return cls(max(1, integer(query.get("page"), 1)), min(MOST, size) if size > 0 else DEFAULT)

    def of(self, items: Sequence[T]) -> Sequence[T]:
        start = (self.number - 1) * self.size
        return items[start : start + self.size]

    def link(self, total: int, url: str, query: dict[str, str]) -> str | None:
        """The Link header's value, or None where all fits on this one page."""
        last = max(1, -(-total // self.size))
        rels: list[tuple[str, int]] = []
        if self.number > 1:
            rels.append(("prev", min(self.number - 1, last)))
        if self.number < last:
            rels += [("next", self.number + 1), ("last", last)]
        if self.number > 1:
            rels.append(("first", 1))
        kept = {name: value for name, value in query.items() if name != "page"}
        parts = [
            f'<{url}?{urlencode(kept | {"page": str(page)})}>; rel="{rel}"' for rel, page in rels
        ]
        return ", ".join(parts) or None


def integer(text: str | None, otherwise: int) -> int:
    """A number from a query or path; text that is none, or absurdly long, is `otherwise`."""
    if text is None or len(text) > 18:
        return otherwise
    try:
        return int(text)
    except ValueError:
        return otherwise
