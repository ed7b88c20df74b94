"""The catalog's statements for readers: one repository, many by name, history, owners.

Callers of the catalog have the service's eyes: every row may be shown to them. Names are matched
without case. Searching is catalog_search.py, writing catalog_writes.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from webapp.db import statements
from webapp.db.statements import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogRow:
    """A repository as last seen, with GitHub's field names; times are aware datetimes."""

    id: int
    full_name: str
    owner: str
    name: str
    description: str | None
    private: bool
    visibility: str
    archived: bool
    fork: bool
    language: str | None
    topics: list[str]
    stargazers_count: int
    forks_count: int
    open_issues_count: int
    pushed_at: datetime | None
    updated_at: datetime
    created_at: datetime
    default_branch: str | None
    html_url: str
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedUp(CatalogRow):
    """A repository that was asked for by a name."""

    asked: str
    """The name asked for, lower-case; not full_name's where it was renamed."""
    purged: bool
    """A purge since seen_at says that it has changed: not current."""


@dataclass(frozen=True, slots=True)
class Day:
    """A repository's figures as last seen on a day (UTC)."""

    day: date
    stars: int
    forks: int
    open_issues: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """An organisation or user. None where its own detail wasn't seen yet."""

    id: int
    login: str
    type: str | None
    name: str | None
    description: str | None
    html_url: str | None
    avatar_url: str | None
    public_repos: int | None
    created_at: datetime | None
    updated_at: datetime | None
    seen_at: datetime
    repositories: int
    """How many of its repositories the catalog holds."""


def catalog_lookup(conn: Connection, names: Sequence[str]) -> list[LookedUp]:
    """Repositories by `owner/name`, in any order, none twice for one name; one query.

    A present name goes before a former one, which counts where nobody else took it. Names nobody
    has are left out.
    """
    keys = sorted({name.lower() for name in names})
    return statements.rows(conn, "catalog_lookup", LookedUp, names=keys)


def catalog_history(
    conn: Connection, repository_id: int, *, days: int = 90, today: date | None = None
) -> list[Day]:
    """The last days' figures, the oldest first; days on which nobody saw it are left out."""
    since = (today or datetime.now(UTC).date()) - timedelta(days=days)
    return statements.rows(conn, "catalog_history", Day, id=repository_id, since=since)


def catalog_orgs(conn: Connection, *, limit: int = 30, after: str = "") -> list[Organisation]:
    """Owners by login; `after` is the last page's last login."""
    return statements.rows(conn, "catalog_orgs", Organisation, limit=limit, after=after.lower())


def catalog_org(conn: Connection, login: str) -> Organisation | None:
    """One owner."""
    return statements.row(conn, "catalog_org", Organisation, login=login.lower())
