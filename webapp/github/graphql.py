"""What a GraphQL document would do, as far as the service's credentials must know. Pure.

Only its operations' kinds are read, by the lexical grammar of the specification (October 2021,
section 2.1): a document that can't be read so is refused, and GitHub has the last word on the rest.
"""

from __future__ import annotations

import re

import orjson

QUERY = "query"
_TOKENS = re.compile(
    r"""
    (?P<skip>[\s,\ufeff]+|\#[^\n\r]*)
    | (?P<string>"{3}(?:\\"{3}|(?!"{3})[\s\S])*"{3}|"(?!"")(?:\\.|[^"\\\n\r])*")
    | (?P<name>[_A-Za-z][_0-9A-Za-z]*)
    | (?P<open>[{(\[])
    | (?P<close>[})\]])
    | (?P<other>\.\.\.|[!$&:=@|]|-?[0-9][0-9A-Za-z.+-]*)
    """,
    re.VERBOSE,
)
_OPERATIONS = frozenset({"query", "mutation", "subscription"})
_NAMES = re.compile(rb'"nameWithOwner"\s*:\s*"([A-Za-z0-9._-]+/[A-Za-z0-9._-]+)"')


def operations(document: str) -> frozenset[str] | None:
    """The kinds of operation in a document; None where it can't be read."""
    kinds: set[str] = set()
    depth = at = 0
    heading = True  # a definition begins: its first token says what it is
    while at < len(document):
        token = _TOKENS.match(document, at)
        if token is None:
            return None
        at = token.end()
        kind, text = token.lastgroup, token.group()
        if kind == "skip":
            continue
        if depth == 0 and heading:
            if text == "{":
                kinds.add(QUERY)
            elif text in _OPERATIONS:
                kinds.add(text)
            elif text != "fragment":
                return None
            heading = False
        if kind == "open":
            depth += 1
        elif kind == "close":
            depth -= 1
            if depth < 0:
                return None
            heading = depth == 0 and text == "}"
    return frozenset(kinds) if depth == 0 and heading and kinds else None


def only_queries(body: bytes) -> bool:
    """Whether a request's JSON body only asks; False where that can't be told."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    document = parsed.get("query") if isinstance(parsed, dict) else None
    return isinstance(document, str) and operations(document) == frozenset({QUERY})


def limited(body: bytes) -> bool:
    """GitHub says a GraphQL limit inside a 200."""
    if b"RATE_LIMITED" not in body and b"rate limit" not in body.lower():
        return False
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    errors = parsed.get("errors") if isinstance(parsed, dict) else None
    return isinstance(errors, list) and any(
        isinstance(error, dict)
        and (
            error.get("type") in {"RATE_LIMITED", "RATE_LIMIT"}
            or "rate limit" in str(error.get("message", "")).lower()
        )
        for error in errors
    )


def repositories_named(body: bytes) -> tuple[str, ...]:
    """The repositories that an answer names, as owner/name: what a mutation may have changed."""
    return tuple(dict.fromkeys(name.decode() for name in _NAMES.findall(body)))
