"""The catalog's statements for the harvest. Rows go by GitHub's id; nothing held gets older.

A sight is one answer's row and the moment it was asked for. `newer_sight` (0007_catalog.sql) says
which of two is newer; what a sight doesn't say (None) keeps what an earlier one said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import orjson
import psycopg

from webapp.db import statements
from webapp.db.connection import one_line
from webapp.db.statements import Connection, execute
from webapp.errors import RowsRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositorySight:
    """A repository in one answer. None is what the answer didn't say; '' is GitHub's null."""

    id: int
    owner_id: int | None
    owner: str
    name: str
    description: str | None
    visibility: str
    archived: bool
    fork: bool
    language: str | None
    topics: Sequence[str] | None
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
class OwnerSight:
    """An organisation or user in one answer. None is what the answer didn't say."""

    id: int
    login: str
    type: str | None = None
    name: str | None = None
    description: str | None = None
    html_url: str | None = None
    avatar_url: str | None = None
    public_repos: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class ChangedRepository:
    """A repository that is new, or differs from what was held."""

    id: int
    owner: str
    name: str
    held_owner: str | None
    held_name_key: str | None
    is_new: bool
    is_renamed: bool
    """Also where it is new: another may hold its name."""


@dataclass(frozen=True, slots=True)
class ChangedOwner:
    """An owner that is new (`held_login` is None), or differs from what was held."""

    id: int
    login: str
    held_login: str | None


def catalog_upsert(conn: Connection, sights: list[RepositorySight]) -> list[ChangedRepository]:
    """Put what is newer than what is held, its day's figures and former names; what changed.

    No id twice in one call. Raises RowsRefused: none is put then.
    """
    with _refusing():
        return statements.rows(conn, "catalog_upsert", ChangedRepository, rows=_json(sights))


def catalog_evict(conn: Connection, ids: Sequence[int]) -> int:
    """Take the earlier seen out of each pair that says one name, where one of `ids` is in it.

    Its own new name isn't known; it comes back, by its id, with the first answer that shows it.
    """
    return execute(conn, "catalog_evict", ids=list(ids))


def catalog_forget(conn: Connection, full_name: str, *, at: datetime, id: int = 0) -> int:  # noqa: A002
    """Forget a repository; how many rows were held. Its history waits for it to come back.

    Answers asked for up to `at` don't bring it back. `id` may be 0 where it isn't known. Raises
    RowsRefused, as the others that take a name do: of one that no row could have.
    """
    with _refusing():
        return execute(conn, "catalog_forget", full_name=full_name.lower(), id=id, at=at)


def catalog_forget_owner(conn: Connection, login: str, *, at: datetime) -> int:
    """Forget everything of an owner, as `catalog_forget` does; how many rows were held."""
    with _refusing():
        return execute(conn, "catalog_forget_owner", owner=login.lower(), at=at)


def catalog_orgs_upsert(conn: Connection, sights: list[OwnerSight]) -> list[ChangedOwner]:
    """Put what was seen later than what is held; what changed. No id twice in one call.

    Raises RowsRefused: none is put then.
    """
    with _refusing():
        return statements.rows(conn, "catalog_orgs_upsert", ChangedOwner, rows=_json(sights))


def catalog_orgs_evict(conn: Connection, ids: Sequence[int]) -> int:
    """Take out who was seen earlier with a login that one of `ids` has now."""
    return execute(conn, "catalog_orgs_evict", ids=list(ids))


def catalog_orgs_forget(conn: Connection, login: str, *, at: datetime) -> int:
    """Forget an owner; how many rows were held. Its repositories stay till they are gone too."""
    with _refusing():
        return execute(conn, "catalog_orgs_forget", login=login.lower(), at=at)


def catalog_purge_note(conn: Connection, tags: Sequence[str], *, at: datetime) -> int:
    """Note tags (`repo:…`, `owner:…`, `all`) as purged, for `LookedUp.purged`."""
    with _refusing():
        return execute(conn, "catalog_purge_note", tags=list(tags), at=at)


def catalog_gone_prune(conn: Connection, *, before: datetime) -> int:
    """Forget who was gone before a moment; how many."""
    return execute(conn, "catalog_gone_prune", before=before)


def catalog_purges_prune(conn: Connection, *, before: datetime) -> int:
    """Forget purges noted before a moment; how many."""
    return execute(conn, "catalog_purges_prune", before=before)


def catalog_days_prune(conn: Connection, *, before: datetime, rows: int = 5_000) -> int:
    """Forget history before a day, `rows` at most; how many."""
    return execute(conn, "catalog_days_prune", before=before.date(), rows=rows)


_REFUSALS = (
    psycopg.DataError,
    psycopg.IntegrityError,
    # A row too large for an index: psycopg counts it to the server's troubles.
    psycopg.errors.ProgramLimitExceeded,
)


def _json(sights: list[RepositorySight] | list[OwnerSight]) -> str:
    return orjson.dumps(sights).decode()


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except _REFUSALS as error:
        raise RowsRefused(one_line(error)) from error
