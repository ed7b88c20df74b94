"""What the harvest writes together: many repositories and owners in a statement each, then effects.

Rows are put in the order of their ids, so that processes which write at once never block each
other in a circle. A row that PostgreSQL doesn't take is put aside and keeps no other out.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from webapp.db import catalog_writes
from webapp.db.catalog_writes import ChangedRepository, OwnerSight, RepositorySight
from webapp.db.statements import Connection
from webapp.errors import RowsRefused
from webapp.harvesting.sights import Seen

log = logging.getLogger(__name__)

ROWS = 500  # repositories a statement

Effect = Callable[[Connection], set[str]]
"""Gives the owners whose rows it changed; raises RowsRefused."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What really changed: `owners` lower-case, former ones too; `details` are the tags of
    repositories whose list row differs from what was held."""

    owners: frozenset[str]
    details: tuple[str, ...]


@dataclass(slots=True)
class Batch:
    """One thread's. It may be written again where the first time failed half-way."""

    repositories: dict[int, RepositorySight] = field(default_factory=dict)
    listed: set[int] = field(default_factory=set)
    owners: dict[int, OwnerSight] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    """Repositories written and refused, once it is written."""

    @property
    def full(self) -> bool:
        """Whether it is a statement's worth."""
        return len(self.repositories) + len(self.effects) >= ROWS

    def takes(self, seen: Seen) -> bool:
        """No id twice: a statement can't put one row twice."""
        return not any(each.id in self.repositories for each in seen.repositories)

    def add(self, seen: Seen) -> None:
        """Take what an answer shows, if the batch `takes` it."""
        self.repositories |= {each.id: each for each in seen.repositories}
        if seen.listed:
            self.listed |= {each.id for each in seen.repositories}
        for each in seen.owners:
            held = self.owners.get(each.id)
            if held is None or _says_more(each, held):
                self.owners[each.id] = each

    def write(self, conn: Connection) -> Changes:
        """Write all of it, or nothing."""
        with conn.transaction():
            return self._written(conn)

    def _written(self, conn: Connection) -> Changes:
        owners: set[str] = set()
        details: list[str] = []
        self.counts.clear()
        rows = sorted(self.repositories.values(), key=lambda each: each.id)
        for changed in self._put_repositories(conn, rows):
            owners |= {changed.owner.lower(), (changed.held_owner or changed.owner).lower()}
            if changed.id in self.listed and not changed.is_new:
                details.append(f"repo:{changed.held_name_key}")
                if changed.is_renamed:
                    details.append(f"repo:{changed.owner}/{changed.name}".lower())
        if self.owners:
            owners |= self._put_owners(conn, sorted(self.owners.values(), key=lambda each: each.id))
        owners |= self._run(conn, self.effects)
        return Changes(frozenset(owners), tuple(details))

    def _put_repositories(
        self, conn: Connection, rows: list[RepositorySight]
    ) -> Iterable[ChangedRepository]:
        if not rows:
            return ()
        try:
            with conn.transaction():
                changed = catalog_writes.catalog_upsert(conn, rows)
        except RowsRefused as error:
            if len(rows) > 1:
                return [one for row in rows for one in self._put_repositories(conn, [row])]
            self.counts["refused"] += 1
            log.warning("a repository isn't put into the catalog: %s", error)
            return ()
        self.counts["written"] += len(rows)
        named = [each.id for each in changed if each.is_renamed]
        if named:
            catalog_writes.catalog_evict(conn, named)
        return changed

    def _run(self, conn: Connection, effects: Sequence[Effect]) -> set[str]:
        """Whose rows they changed. A name may be anything: a caller chose it."""
        try:
            with conn.transaction():
                return {owner for effect in effects for owner in effect(conn)}
        except RowsRefused as error:
            if len(effects) > 1:
                return {owner for effect in effects for owner in self._run(conn, [effect])}
            self.counts["refused"] += 1
            log.warning("what is gone or purged isn't noted in the catalog: %s", error)
            return set()

    def _put_owners(self, conn: Connection, rows: list[OwnerSight]) -> set[str]:
        try:
            with conn.transaction():
                changed = catalog_writes.catalog_orgs_upsert(conn, rows)
        except RowsRefused as error:
            log.warning("owners aren't put into the catalog: %s", error)
            return set()
        named = [each.id for each in changed if each.login != each.held_login]
        if named:
            catalog_writes.catalog_orgs_evict(conn, named)
        return {each.login.lower() for each in changed}


def _says_more(sight: OwnerSight, held: OwnerSight) -> bool:
    """Whether it is the one to keep: an owner's own detail, then the latest."""
    return (sight.public_repos is not None, sight.seen_at) > (
        held.public_repos is not None,
        held.seen_at,
    )
