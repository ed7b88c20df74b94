"""A page that is exactly full may have got a successor unseen. Pure.

GitHub's ETag covers a page's body, not its Link: when a list grows behind a last page that is
exactly full, the page is still "not modified", and the 304 carries no Link that would say so.
"""

from __future__ import annotations

from urllib.parse import parse_qs

import orjson

PER_PAGE, PER_PAGE_MAX = 30, 100  # GitHub's default and limit


def exactly_full(query: str, body: bytes, link: str) -> bool:
    """Whether a list's page has as many items as fit and no next page that we know of."""
    if not body.startswith(b"[") or 'rel="next"' in link:
        return False
    asked = parse_qs(query).get("per_page", [""])[-1]
    fits = min(int(asked), PER_PAGE_MAX) if asked.isascii() and asked.isdigit() else PER_PAGE
    return 0 < fits == len(orjson.loads(body))
