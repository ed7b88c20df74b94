"""What /api shows of repositories, their history and owners: GitHub's names and forms. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from webapp.db.catalog import CatalogRow, Day, Organisation
from webapp.github.batch import Found

Json = dict[str, Any]


def moment(at: datetime | None) -> str | None:
    """A time as GitHub writes it: UTC, whole seconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else None


def row_item(row: CatalogRow) -> Json:
    """A repository that the catalog holds."""
    return {
        "id": row.id,
        "full_name": row.full_name,
        "owner": {"login": row.owner},
        "name": row.name,
        "description": row.description,
        "private": row.private,
        "visibility": row.visibility,
        "archived": row.archived,
        "fork": row.fork,
        "language": row.language,
        "topics": list(row.topics),
        "stargazers_count": row.stargazers_count,
        "forks_count": row.forks_count,
        "open_issues_count": row.open_issues_count,
        "pushed_at": moment(row.pushed_at),
        "updated_at": moment(row.updated_at),
        "created_at": moment(row.created_at),
        "default_branch": row.default_branch,
        "html_url": row.html_url,
        "seen_at": moment(row.seen_at),
    }


AS_SAID = (
    *("id", "full_name", "owner", "name", "description", "private", "visibility", "archived"),
    *("fork", "language", "topics", "stargazers_count", "forks_count", "open_issues_count"),
    *("pushed_at", "updated_at", "created_at", "default_branch", "html_url"),
)


def found_item(found: Found, held: CatalogRow | None) -> Json:
    """A repository as GitHub has just told it; what it didn't tell is as it was held."""
    said: Mapping[str, Any] = found.repository
    item = {name: said.get(name) for name in AS_SAID}
    item["owner"] = {"login": said["owner"]["login"]}
    item["topics"] = list(said.get("topics") or ())
    item["visibility"] = said.get("visibility") or ("private" if said["private"] else "public")
    if item["default_branch"] is None and held is not None and held.id == said["id"]:
        item["default_branch"] = held.default_branch
    item["seen_at"] = moment(datetime.fromtimestamp(found.asked_at, UTC))
    return item


def history(days: Iterable[Day]) -> list[Json]:
    """A day's figures each, the oldest first."""
    return [
        {
            "day": each.day.isoformat(),
            "stars": each.stars,
            "forks": each.forks,
            "open_issues": each.open_issues,
        }
        for each in days
    ]


def owner_item(
    login: str, row: Organisation | None, *, watched: bool, fresh_until: datetime | None
) -> Json:
    """An organisation or user; all but its login is None where nobody has seen it yet."""
    return {
        "id": row.id if row else None,
        "login": row.login if row else login,
        "type": row.type if row else None,
        "name": row.name if row else None,
        "description": row.description if row else None,
        "html_url": row.html_url if row else None,
        "avatar_url": row.avatar_url if row else None,
        "public_repos": row.public_repos if row else None,
        "created_at": moment(row.created_at) if row else None,
        "updated_at": moment(row.updated_at) if row else None,
        "repositories": row.repositories if row else 0,
        "watched": watched,
        "seen_at": moment(row.seen_at) if row else None,
        "fresh_until": moment(fresh_until),
    }
