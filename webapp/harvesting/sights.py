"""What GitHub's answers show of repositories and owners, as sights for the catalog. Pure.

An answer may say less than another: what isn't there is None and keeps what is held; GitHub's own
null is ''. A row without what every repository has, or with a value of another kind, is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson

from webapp.db.catalog_writes import OwnerSight, RepositorySight
from webapp.policy import ORG, ORG_LIST, REPO, REPO_LIST, match

BY_ID = "/repositories/"
SEARCH = "/search/repositories"
VISIBILITIES = frozenset({"public", "private", "internal"})
Sight = TypeVar("Sight", RepositorySight, OwnerSight)
INTEGER_MAX, BIGINT_MAX = 2**31 - 1, 2**63 - 1


@dataclass(frozen=True, slots=True)
class Seen:
    """What one answer shows; `listed` where it isn't a repository's own detail."""

    repositories: list[RepositorySight] = field(default_factory=list)
    owners: list[OwnerSight] = field(default_factory=list)
    listed: bool = True


def shows_sights(path: str) -> bool:
    """Whether answers of a canonical path are worth looking into."""
    return (
        match(path).resource in (REPO, REPO_LIST, ORG, ORG_LIST)
        or path == SEARCH
        or (path.startswith(BY_ID) and path.count("/") == 2)
    )


def sights(path: str, body: bytes, seen_at: datetime) -> Seen:
    """What a 200 of a canonical path shows."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Seen()
    if match(path).resource in (ORG, ORG_LIST):
        rows = said if isinstance(said, list) else [said]
        return Seen(owners=list(_distinct(owner(row, seen_at) for row in rows)))
    if isinstance(said, dict) and path == SEARCH:
        said = said.get("items")
    listed = isinstance(said, list)
    return rows_seen(said if listed else [said], seen_at, listed=listed)


def rows_seen(rows: Iterable[Any], seen_at: datetime, *, listed: bool = True) -> Seen:
    """What repositories in GitHub's form show, their owners included."""
    rows = [row for row in rows if isinstance(row, dict)]
    found = (repository(row, seen_at) for row in rows)
    owners = (owner(row.get("owner"), seen_at) for row in rows)
    return Seen(list(_distinct(found)), list(_distinct(owners)), listed)


def repository(row: Mapping[str, Any], seen_at: datetime) -> RepositorySight | None:
    """One repository, of a list or in full; None where the row isn't a whole one."""
    try:
        login, _, name = _text(row["full_name"]).partition("/")
        private = _flag(row["private"])
        visibility = row.get("visibility") or ("private" if private else "public")
        created_at = _moment(row["created_at"])
        pushed_at = _moment(row["pushed_at"]) if row.get("pushed_at") else None
        topics = row.get("topics")
        if not login or not name or "/" in name or visibility not in VISIBILITIES:
            return None
        return RepositorySight(
            id=_number(row["id"], 1, BIGINT_MAX),
            owner_id=_owner_id(row.get("owner")),
            owner=login,
            name=name,
            description=_said(row, "description"),
            visibility=visibility,
            archived=_flag(row["archived"]),
            fork=_flag(row["fork"]),
            language=_said(row, "language"),
            topics=None if topics is None else [_text(topic) for topic in topics],
            stargazers_count=_number(row["stargazers_count"]),
            forks_count=_number(row["forks_count"]),
            open_issues_count=_number(row["open_issues_count"]),
            pushed_at=pushed_at,
            updated_at=_moment(row.get("updated_at") or row["created_at"]),
            created_at=created_at,
            # A repository without commits has a default branch by REST and none by GraphQL.
            default_branch=_text(row["default_branch"]) if row.get("default_branch") else None,
            html_url=_text(row["html_url"]),
            seen_at=seen_at,
        )
    except (KeyError, TypeError, ValueError):
        return None


def owner(row: Any, seen_at: datetime) -> OwnerSight | None:
    """An organisation or user: its detail, a list's row, or the `owner` of a repository."""
    try:
        login = _text(row["login"])
        if not login or "/" in login:
            return None
        return OwnerSight(
            id=_number(row["id"], 1, BIGINT_MAX),
            login=login,
            type=_said(row, "type") or None,
            name=_said(row, "name"),
            description=_said(row, "description"),
            html_url=_said(row, "html_url") or None,
            avatar_url=_said(row, "avatar_url") or None,
            public_repos=_number(row["public_repos"]) if "public_repos" in row else None,
            created_at=_moment(row["created_at"]) if row.get("created_at") else None,
            updated_at=_moment(row["updated_at"]) if row.get("updated_at") else None,
            seen_at=seen_at,
        )
    except (KeyError, TypeError, ValueError):
        return None


def _distinct(found: Iterable[Sight | None]) -> Iterable[Sight]:
    """Those there are, none twice: a list that shifts while it is read shows some again."""
    return {each.id: each for each in found if each is not None}.values()


def _owner_id(row: Any) -> int | None:
    found = row.get("id") if isinstance(row, dict) else None
    return None if found is None else _number(found, 1, BIGINT_MAX)


def _said(row: Mapping[str, Any], name: str) -> str | None:
    return None if name not in row else _text(row[name] or "")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value.replace("\x00", "")  # PostgreSQL's text holds none


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _number(value: Any, least: int = 0, most: int = INTEGER_MAX) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise TypeError
    return value


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
