"""Repositories by name: from the catalog while its row is current, else from GitHub.

    one catalog query for all names
      current    seen within the repository's period, not purged since, by its present name
      the rest   the answer of the last minute, where it was "none" or "renamed"
                 else GraphQL, a hundred a query; one by one those that fail (details.py)
                 GitHub can't be asked: the old row, unless it was purged hard or its grace is over

What GitHub says enters the catalog before it is answered, so that who asks again asks nobody. A
former name is confirmed each minute: another repository may have taken it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from webapp.cache.results import Results
from webapp.catalog.details import Details
from webapp.catalog.gathering import Gathering
from webapp.catalog.items import Json, found_item, history, row_item
from webapp.db import catalog, queries
from webapp.db.catalog import LookedUp
from webapp.db.pool import Database
from webapp.errors import DatabaseUnavailable, ForewarmError
from webapp.github.asker import Asker
from webapp.github.batch import Batch, Batches, Found
from webapp.github.session import DEADLINE
from webapp.harvesting.harvest import Harvest
from webapp.policy import REPO, Periods, match
from webapp.shares import Shares

GRAPHQL = 7.0  # seconds of the deadline that GraphQL may take
LEAST = 1.0  # seconds, however long others were waited for
WRITTEN = 0.25  # seconds to wait for the catalog to have what GitHub said
JOURNAL = timedelta(hours=24)
"""How far back hard purges are known."""
QUEUE = 2.0  # seconds that a reader waits for others
MISSING = ""


@dataclass(slots=True)
class Looked:
    """What became of the names asked for; each repository once, in the order asked."""

    items: list[Json] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """GitHub shows us none by this name."""
    renamed: dict[str, str] = field(default_factory=dict)
    """Name asked for -> present name."""
    unresolved: list[str] = field(default_factory=list)
    """Nothing is held, and GitHub couldn't be asked."""


class Lookup:
    """One per process."""

    def __init__(
        self,
        *,
        database: Database,
        batches: Batches,
        details: Details,
        harvest: Harvest,
        results: Results,
        shares: Shares,
        periods: Periods,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock` gives Unix seconds."""
        self._database = database
        self._batches = batches
        self._details = details
        self._harvest = harvest
        self._results = results
        self._shares = shares
        self._period = timedelta(seconds=periods.fresh_of(REPO))
        self._grace = self._period + timedelta(seconds=periods.stale + periods.grace)
        self._negative = periods.negative
        self._clock = clock
        self._gathering = Gathering(self._fetch, shares)
        self._readers = threading.Semaphore(max(1, database.size - 1))

    def many(self, names: Sequence[str], asker: Asker, base_url: str) -> Looked:
        """Look `owner/name`s up, whatever their case; the mirror's links begin with `base_url`.

        Raises DatabaseUnavailable; where nothing at all can be said, why.
        """
        asked: dict[str, str] = {}
        for name in names:
            asked.setdefault(name.lower(), name)
        rows = self._rows(list(asked))
        return self._looked(asked, rows, asker, base_url)

    def one(self, full_name: str, asker: Asker, base_url: str) -> Json | None:
        """A repository with its history; None where GitHub shows us none by this name.

        While PostgreSQL is away it comes over the mirror, without a history. Raises why GitHub
        can't be asked.
        """
        asked = {full_name.lower(): full_name}
        try:
            with self._gathering.coming():
                rows = self._rows(list(asked))
                looked = self._looked(asked, rows, asker, base_url)
        except DatabaseUnavailable:
            return self._without_catalog(full_name.lower(), asker, base_url)
        if not looked.items:
            return None
        item = looked.items[0]
        return item | {"history": self._history(item["id"])}

    def _without_catalog(self, name: str, asker: Asker, base_url: str) -> Json | None:
        deadline = time.monotonic() + DEADLINE
        batch = self._details.fetch([name], asker, base_url, deadline)
        for error in batch.failed.values():
            raise error
        return found_item(batch.found[name], None) | {"history": []} if batch.found else None

    def _rows(self, names: list[str]) -> dict[str, LookedUp]:
        # A burst of readers queues here: the pool would send them away as if PostgreSQL were.
        if not self._readers.acquire(timeout=QUEUE):
            raise DatabaseUnavailable("too many read the catalog")
        try:
            with self._database.connection() as conn:
                return {row.asked: row for row in catalog.catalog_lookup(conn, names)}
        finally:
            self._readers.release()

    def _history(self, repository_id: int) -> list[Json]:
        try:
            with self._database.connection() as conn:
                return history(catalog.catalog_history(conn, repository_id))
        except DatabaseUnavailable:
            return []

    def _looked(
        self, asked: Mapping[str, str], rows: Mapping[str, LookedUp], asker: Asker, base_url: str
    ) -> Looked:
        now = self._now()
        wanted = [name for name in asked if name not in rows or not self._current(rows[name], now)]
        batch, standing = self._from_github(wanted, asker, base_url) if wanted else (Batch(), {})
        failed = [name for name in wanted if name in batch.failed]
        given = {name: row for name, row in rows.items() if name not in wanted} | standing
        given |= self._graceful(failed, rows, now)
        looked, shown = Looked(), set[int]()
        for name, as_asked in asked.items():
            if name in batch.found:
                item = found_item(batch.found[name], rows.get(name))
            elif name in given:
                item = row_item(given[name])
            elif name in batch.missing:
                looked.missing.append(as_asked)
                continue
            else:
                looked.unresolved.append(as_asked)
                continue
            if item["full_name"].lower() != name:
                looked.renamed[as_asked] = item["full_name"]
            if item["id"] not in shown:
                looked.items.append(item)
            shown.add(item["id"])
        if looked.unresolved and not looked.items and not looked.missing:
            raise next(iter(batch.failed.values()))
        return looked

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _current(self, row: LookedUp, now: datetime) -> bool:
        named = row.asked == row.full_name.lower()
        return named and not row.purged and now - row.seen_at < self._period

    def _graceful(
        self, names: Sequence[str], rows: Mapping[str, LookedUp], now: datetime
    ) -> dict[str, LookedUp]:
        """Rows that may be shown though they have changed: not after a hard purge."""
        held = {name: rows[name] for name in names if name in rows}
        held = {name: row for name, row in held.items() if now - row.seen_at < self._grace}
        purged = [row.seen_at for row in held.values() if row.purged]
        if not purged:
            return held
        known = max(min(purged), now - JOURNAL)
        try:
            with self._database.connection() as conn:
                hard = set(queries.purges_hard(conn, since=known))
        except DatabaseUnavailable:
            return {name: row for name, row in held.items() if not row.purged}
        return {
            name: row
            for name, row in held.items()
            if not row.purged or (row.seen_at >= known and not hard & _tags(row))
        }

    # GitHub

    def _from_github(
        self, wanted: Sequence[str], asker: Asker, base_url: str
    ) -> tuple[Batch, dict[str, LookedUp]]:
        """What it says, or said within the last minute: then a former name's row may stand."""
        batch = Batch()

        def ask(places: Sequence[int]) -> dict[int, str]:
            batch.add(self._ask([wanted[place] for place in places], asker, base_url))
            return {
                place: said
                for place in places
                if (said := _worth_remembering(wanted[place], batch)) is not None
            }

        told = self._results.many(
            "names", wanted, lambda name: match(f"/repos/{name}").tags, self._negative, ask
        )
        now = self._clock()
        held = {wanted[place]: said for place, said in told.items()}
        held = {name: said for name, said in held.items() if not batch.knows(name)}
        batch.missing |= {name: now for name, said in held.items() if said == MISSING}
        renamed = {name: said for name, said in held.items() if said != MISSING}
        standing = self._standing(renamed)
        if again := [name for name in renamed if name not in standing]:
            batch.add(self._ask(again, asker, base_url))
        return batch, standing

    def _standing(self, renamed: Mapping[str, str]) -> dict[str, LookedUp]:
        """Former name -> the row of its present one, where that is current."""
        if not renamed:
            return {}
        rows, now = self._rows(sorted(set(renamed.values()))), self._now()
        return {
            name: rows[present]
            for name, present in renamed.items()
            if present in rows and self._current(rows[present], now)
        }

    def _ask(self, names: Sequence[str], asker: Asker, base_url: str) -> Batch:
        """By GraphQL, and one by one what that couldn't tell. Raises nothing of GitHub's."""
        deadline = time.monotonic() + DEADLINE
        try:
            if len(names) == 1:
                batch = self._gathering.ask(names[0], asker).only(names)
            else:
                with self._shares.fetching():
                    batch = self._fetch(names, asker, DEADLINE)
        except ForewarmError as error:
            return Batch(failed=dict.fromkeys(names, error))
        if left := list(batch.failed):
            batch.failed.clear()
            batch.add(self._details.fetch(left, asker, base_url, deadline))
        return batch

    def _fetch(self, names: Sequence[str], asker: Asker, seconds: float) -> Batch:
        """A batch, in the catalog by the time it is given."""
        batch = self._batches.fetch(names, asker, max(LEAST, min(GRAPHQL, seconds)))
        by_time: dict[float, list[Found]] = {}
        for found in batch.found.values():
            by_time.setdefault(found.asked_at, []).append(found)
        for asked_at, several in by_time.items():
            self._harvest.offer_rows([found.repository for found in several], asked_at)
        for name, asked_at in batch.missing.items():
            self._harvest.gone(name, asked_at)
        if batch.found or batch.missing:
            self._harvest.flush(WRITTEN)
        return batch


def _worth_remembering(name: str, batch: Batch) -> str | None:
    """What is so for a while: no such name, or another name by now."""
    if name in batch.missing:
        return MISSING
    found = batch.found.get(name)
    return found.full_name.lower() if found and found.full_name.lower() != name else None


def _tags(row: LookedUp) -> set[str]:
    name = row.full_name.lower()
    return {f"repo:{name}", f"repo:{row.asked}", f"owner:{_owner(name)}", "all"}


def _owner(full_name: str) -> str:
    return full_name.partition("/")[0]
