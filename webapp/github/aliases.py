"""Many repositories in one GraphQL query, by aliases: its text, its cost, its answer. Pure.

GitHub answers each alias for itself: one may fail while the others are whole, and a field of one
may be missing while the rest of it is there. What is found gets REST's names and forms, so that
nobody who reads it needs to know which API it came by.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

Json = dict[str, Any]

MOST = 100  # repositories a query
TOPICS = 20  # GitHub allows no more on a repository
CONNECTIONS = 3  # topics, issues, pull requests: one request each, for each repository
REQUESTS_A_POINT = 100

_FIELDS = f"""
fragment item on Repository {{
  databaseId nameWithOwner name description url
  owner {{
    __typename login
    ... on Organization {{ databaseId }}
    ... on User {{ databaseId }}
  }}
  isPrivate visibility isArchived isFork stargazerCount forkCount
  primaryLanguage {{ name }} defaultBranchRef {{ name }}
  repositoryTopics(first: {TOPICS}) {{ nodes {{ topic {{ name }} }} }}
  issues(states: OPEN) {{ totalCount }} pullRequests(states: OPEN) {{ totalCount }}
  pushedAt updatedAt createdAt
}}"""


@dataclass(frozen=True, slots=True)
class Told:
    """What one answer says of the names asked for."""

    found: dict[str, Json] = field(default_factory=dict)
    """Name asked for -> the repository, which may have another name by now."""
    missing: tuple[str, ...] = ()
    """GitHub knows none by this name that we may see."""
    failed: tuple[str, ...] = ()
    """It can't be told: neither found nor missing."""


def document(names: Sequence[str]) -> str:
    """The query for these `owner/name`s, the nth under the alias `r<n>`."""
    return "query {" + "".join(map(_alias, range(len(names)), names)) + "\n}" + _FIELDS


def _alias(place: int, full_name: str) -> str:
    owner, _, name = full_name.partition("/")
    # GraphQL's strings have JSON's escapes (October 2021, section 2.9.4).
    arguments = f"owner: {_quoted(owner)}, name: {_quoted(name)}"
    return f"\n  r{place}: repository({arguments}) {{ ...item }}"


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()


def cost(count: int) -> int:
    """Points that a query for so many repositories costs, by the documented formula: a request
    for each connection, divided by 100, rounded, at least one."""
    return max(1, math.floor(count * CONNECTIONS / REQUESTS_A_POINT + 0.5))


def told(body: bytes, names: Sequence[str]) -> Told | None:
    """What an answer to `document(names)` says; None where it answers none of them."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    data = parsed.get("data") if isinstance(parsed, dict) else None
    if not isinstance(data, dict):
        return None
    unknown = _not_found(parsed.get("errors"))
    found: dict[str, Json] = {}
    missing, failed = [], []
    for place, name in enumerate(names):
        alias = f"r{place}"
        node = data.get(alias)
        if isinstance(node, dict) and (repository := rest_shape(node)):
            found[name] = repository
        elif node is None and alias in unknown:
            missing.append(name)
        else:
            failed.append(name)
    return Told(found, tuple(missing), tuple(failed))


def _not_found(errors: Any) -> set[str]:
    """The aliases that name nothing which the asker sees."""
    return {
        path[0]
        for error in (errors if isinstance(errors, list) else ())
        if isinstance(error, dict) and error.get("type") == "NOT_FOUND"
        if isinstance(path := error.get("path"), list) and len(path) == 1
        if isinstance(path[0], str)
    }


def rest_shape(node: Mapping[str, Any]) -> Json | None:
    """A GraphQL repository by REST's names; None where something of it wasn't answered.

    The default branch of an empty repository is null: REST names it, GraphQL has no ref for it.
    """
    try:
        return {
            "id": int(node["databaseId"]),
            "full_name": str(node["nameWithOwner"]),
            "name": str(node["name"]),
            "owner": _owner(node["owner"]),
            "description": node["description"],
            "private": bool(node["isPrivate"]),
            "visibility": str(node["visibility"]).lower(),
            "archived": bool(node["isArchived"]),
            "fork": bool(node["isFork"]),
            "language": _name(node["primaryLanguage"]),
            "topics": [str(each["topic"]["name"]) for each in node["repositoryTopics"]["nodes"]],
            "stargazers_count": int(node["stargazerCount"]),
            "forks_count": int(node["forkCount"]),
            # REST counts open issues and open pull requests as one.
            "open_issues_count": int(node["issues"]["totalCount"])
            + int(node["pullRequests"]["totalCount"]),
            "pushed_at": node["pushedAt"],
            "updated_at": node["updatedAt"],
            "created_at": node["createdAt"],
            "default_branch": _name(node["defaultBranchRef"]),
            "html_url": str(node["url"]),
        }
    except (KeyError, TypeError, ValueError):
        return None


def _owner(node: Mapping[str, Any]) -> Json:
    """Who it is; an owner of another kind than these has no id here."""
    owner: Json = {"login": str(node["login"]), "type": node.get("__typename")}
    return owner if node.get("databaseId") is None else owner | {"id": int(node["databaseId"])}


def _name(node: Mapping[str, Any] | None) -> str | None:
    return None if node is None else str(node["name"])
