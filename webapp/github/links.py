"""GitHub's URLs in what we serve point back to us: in JSON bodies, Link and Location headers. Pure.

Only JSON strings that *start* with the API's URL are links; one inside a text stays as it was
written. A Link header keeps the path that was asked for and takes the target's query, because
GitHub's own targets (/organizations/{id}/repos?page=2) name no owner that a purge could find.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import quote, urlsplit

_LINK = re.compile(r"<([^<>]*)>([^<>]*?)(?=,\s*<|$)")


@lru_cache(maxsize=8)
def _starts(api_url: str) -> re.Pattern[bytes]:
    # An opening quote is never preceded by a backslash; a quote inside a string always is.
    return re.compile(rb'(?<!\\)"' + re.escape(api_url.encode()) + rb'(?=[/"?{#])')


def rewritten_body(body: bytes, api_url: str, base_url: str) -> bytes:
    """A JSON body whose links start with `base_url` instead of `api_url`; neither ends in /."""
    return _starts(api_url).sub(b'"' + base_url.encode(), body)


def rewritten_chunks(chunks: Iterable[bytes], api_url: str, base_url: str) -> Iterator[bytes]:
    """The same for a body that streams, however it is cut."""
    longest = len(api_url) + 2  # with the quote before it and the character behind it
    held, before = b"", b" "
    for chunk in chunks:
        held += chunk
        # What may be a link that isn't whole yet starts at a quote near the end.
        cut = held.find(b'"', max(0, len(held) - longest))
        ready, behind = (held, b"") if cut < 0 else (held[:cut], b'"')
        if ready:
            yield rewritten_body(before + ready + behind, api_url, base_url)[
                1 : -1 if behind else None
            ]
            before, held = ready[-1:], held[len(ready) :]
    if held:
        yield rewritten_body(before + held, api_url, base_url)[1:]


def rewritten_link(link: str, api_url: str, base_url: str, path: str) -> str:
    """A Link header (RFC 8288) whose targets are `path` on `base_url` with their own query."""

    def replace(match: re.Match[str]) -> str:
        target, parameters = match.groups()
        if not _is_ours(target, api_url):
            return match.group()
        query = urlsplit(target).query
        return f"<{base_url}{quote(path)}{'?' if query else ''}{query}>{parameters}"

    return _LINK.sub(replace, link)


def rewritten_location(location: str, api_url: str, base_url: str) -> str:
    """A Location header that stays inside the mirror where GitHub's stays inside the API."""
    return base_url + location[len(api_url) :] if _is_ours(location, api_url) else location


def page_query(link: str, rel: str) -> str:
    """The query of a Link header's `next` or `last` page, '' where there is none."""
    for found in _LINK.finditer(link):
        target, parameters = found.groups()
        if f'rel="{rel}"' in parameters:
            return str(urlsplit(target).query)
    return ""


def _is_ours(url: str, api_url: str) -> bool:
    return url.startswith(api_url) and url[len(api_url) : len(api_url) + 1] in {"", "/", "?", "#"}
