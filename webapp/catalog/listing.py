"""Searches and lists of the catalog, finished and kept for a minute, by owner where one is asked.

A finished answer is its JSON: a second identical question runs no SQL. A harvest or a purge of an
owner's makes what it shows of the owner, and what it shows of all, void (cache/results.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import orjson

from webapp.cache.results import Results, tags_of
from webapp.catalog import cursors
from webapp.catalog.items import Json, owner_item, row_item
from webapp.db.catalog import Organisation, catalog_org, catalog_orgs
from webapp.db.catalog_search import (
    OrderName,
    SortName,
    Visibility,
    catalog_search,
    place,
    searchable,
)
from webapp.db.pool import Database
from webapp.policy import ORG, Periods
from webapp.watches import Watches

KEPT = 60.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A search; what is empty or None doesn't filter."""

    q: str = ""
    org: str = ""
    language: str = ""
    topic: str = ""
    archived: bool | None = None
    fork: bool | None = None
    visibility: Visibility | None = None
    sort: SortName = "stars"
    order: OrderName | None = None


class Listing:
    """One per process. Methods give JSON and raise DatabaseUnavailable."""

    def __init__(
        self, database: Database, results: Results, watches: Watches, periods: Periods
    ) -> None:
        self._database = database
        self._results = results
        self._watches = watches
        self._period = timedelta(seconds=periods.fresh_of(ORG))

    def repositories(self, wanted: Wanted, limit: int, cursor: str = "") -> bytes:
        """A page: `{"items", "next"}`; `cursor` is '' or of cursors.PATTERN's form."""
        asked = asdict(wanted)
        after = cursors.read(cursor, wanted.sort) if cursor else None

        def page() -> bytes:
            if wanted.q and not searchable(wanted.q):
                return _page([], None)
            with self._database.connection() as conn:
                rows = catalog_search(conn, **asked, limit=limit + 1, after=after)
            following = None
            if len(rows) > limit:
                following = cursors.written(place(rows[limit - 1], wanted.sort))
            return _page([row_item(row) for row in rows[:limit]], following)

        arguments = [sorted(asked.items()), limit, cursor]
        return self._results.cached(
            "repositories", arguments, tags_of(wanted.org or None), KEPT, page
        )

    def owners(self, limit: int, cursor: str = "") -> bytes:
        """A page of organisations and users that are watched or were seen, by login; `cursor` is
        of cursors.LOGIN_PATTERN's form."""
        after = cursors.read_login(cursor) if cursor else ""
        watched = self._watched()

        def page() -> bytes:
            with self._database.connection() as conn:
                rows = {
                    row.login.lower(): row
                    for row in catalog_orgs(conn, limit=limit + 1, after=after)
                }
            unseen = {login for login in watched if login > after}
            logins = sorted(rows.keys() | unseen)[: limit + 1]
            items = [self._owner(login, rows.get(login), watched) for login in logins[:limit]]
            more = len(logins) > limit
            return _page(items, cursors.written_login(logins[limit - 1]) if more else None)

        arguments = [limit, cursor, sorted(watched)]
        return self._results.cached("owners", arguments, tags_of(None), KEPT, page)

    def owner(self, login: str) -> bytes | None:
        """One of them; None for one that is neither watched nor seen."""
        login, watched = login.lower(), self._watched()

        def item() -> bytes | None:
            with self._database.connection() as conn:
                row = catalog_org(conn, login)
            if row is None and login not in watched:
                return None
            return orjson.dumps(self._owner(login, row, watched))

        arguments = [login, login in watched]
        return self._results.cached("owner", arguments, tags_of(login), KEPT, item)

    def _watched(self) -> frozenset[str]:
        """Owners of whom all is watched, lower-case."""
        return frozenset(each.owner for each in self._watches.all() if each.repo is None)

    def _owner(self, login: str, row: Organisation | None, watched: frozenset[str]) -> Json:
        fresh_until: datetime | None = row.seen_at + self._period if row else None
        return owner_item(login, row, watched=login in watched, fresh_until=fresh_until)


def _page(items: Sequence[Json], following: str | None) -> bytes:
    return orjson.dumps({"items": items, "next": following})
