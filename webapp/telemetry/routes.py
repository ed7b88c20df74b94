"""What a request is called, in metrics and in traces: method and pattern, never a path of which
there is no end.

    GET /api/v3/repos/{owner}/{repo}     the mirror's, by the policy table's pattern
    GET /api/repos/<owner>/<name>        any other's, by Flask's rule
    unmatched                            what no rule takes
"""

from __future__ import annotations

from webapp import policy
from webapp.hitpath import PREFIX

GRAPHQL = "/api/graphql"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNMATCHED = "unmatched"


def mirrored(path: str) -> tuple[str, str] | None:
    """Resource and pattern of the table's; None for what isn't GitHub's API."""
    if path == GRAPHQL:
        return "graphql", path
    path = "/" + path.lstrip("/")
    if path != PREFIX and not path.startswith(f"{PREFIX}/"):
        return None
    match = policy.match(path.removeprefix(PREFIX) or "/")
    return match.resource.name, match.pattern


def mirror_route(method: str, pattern: str) -> str:
    """Of a pattern that `mirrored` gave."""
    prefix = "" if pattern == GRAPHQL else PREFIX
    return f"{_word(method)} {prefix}{pattern}"


def route(method: str, path: str, rule: str | None) -> str:
    """Of any request; `rule` is Flask's, None where none fits."""
    found = mirrored(path)
    if found is not None:
        return mirror_route(method, found[1])
    return f"{_word(method)} {rule}" if rule else UNMATCHED


def _word(method: str) -> str:
    """What isn't a method of HTTP's own is a word for all."""
    return method if method in METHODS else "OTHER"
