"""What is kept warm: organisations, users and repositories, by name.

From the setting WATCH, which only the setting can take back, and from the table `watches`, which
command line, API and dashboard write. Names are lower-case. A process remembers the list for
REMEMBERED seconds, and for longer while PostgreSQL is away.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from webapp.db import watches as rows
from webapp.db.pool import Database
from webapp.errors import DatabaseUnavailable, RequestRefused
from webapp.settings_parsers import RefusalError, names

log = logging.getLogger(__name__)

REMEMBERED = 10.0  # seconds
OWNER, ORG, USER, REPO = "owner", "org", "user", "repo"
"""Kinds; an owner is known as organisation or user once GitHub was asked."""
ENV = "env"


@dataclass(frozen=True, slots=True)
class Watch:
    """`name` is an owner's or owner/repo's; `source` env, cli, api or dashboard."""

    name: str
    kind: str
    source: str
    added_at: datetime | None = None

    @property
    def owner(self) -> str:
        """Whose it is."""
        return self.name.partition("/")[0]

    @property
    def repo(self) -> str | None:
        """The repository's name without its owner's; None where all of an owner is watched."""
        return self.name.partition("/")[2] or None


def watch_name(text: str) -> str:
    """One valid name, normalised. Raises RequestRefused (400)."""
    try:
        found = names(text)
    except RefusalError:
        found = ()
    if len(found) != 1:
        raise RequestRefused(400, "name: give an owner or owner/repo, such as pallets")
    return found[0].lower()


class Watches:
    """One per process. Thread-safe."""

    def __init__(
        self,
        named: Sequence[str],
        database: Database,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`named` is the setting's; `clock` gives seconds."""
        self._env = tuple(dict.fromkeys(name.lower() for name in named))
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._held = self._merged([])
        self._read_at: float | None = None

    def all(self) -> list[Watch]:
        """By name; at most REMEMBERED old, or the last known while PostgreSQL is away."""
        with self._lock:
            now = self._clock()
            if self._read_at is None or now - self._read_at > REMEMBERED:
                # Also after a failure: nobody waits for PostgreSQL more than once in so long.
                self._read_at = now
                try:
                    with self._database.connection() as conn:
                        self._held = self._merged(rows.watches_all(conn))
                except DatabaseUnavailable as error:
                    log.warning("watches are the last known: %s", error)
            return list(self._held.values())

    def covers(self, owner: str | None, repo: str | None = None) -> bool:
        """Whether what belongs to an owner, or to a repository of it, is kept warm."""
        if owner is None:
            return False
        named = {each.name for each in self.all()}
        whole = owner.lower()
        return whole in named or (repo is not None and f"{whole}/{repo.lower()}" in named)

    def add(self, name: str, source: str) -> Watch:
        """Watch a name; what is watched already stays as it is.

        Raises RequestRefused (400), DatabaseUnavailable.
        """
        name = watch_name(name)
        with self._database.connection() as conn:
            rows.watch_add(conn, name, kind=REPO if "/" in name else OWNER, source=source)
        return self._again()[name]

    def remove(self, name: str) -> None:
        """Watch it no longer. Raises RequestRefused (400, 404, 409), DatabaseUnavailable."""
        name = watch_name(name)
        if name in self._env:
            raise RequestRefused(409, f"{name} is watched by the setting WATCH: take it out there")
        with self._database.connection() as conn:
            removed = rows.watch_remove(conn, name)
        self._again()
        if not removed:
            raise RequestRefused(404, f"{name} is not watched")

    def learn(self, name: str, kind: str) -> None:
        """Remember that an owner is an organisation or a user. Raises DatabaseUnavailable."""
        with self._database.connection() as conn:
            rows.watch_kind(conn, name, kind=kind)
        self._again()

    def seed(self) -> None:
        """Have the setting's names in the table, and no longer those it doesn't name any more.

        Raises DatabaseUnavailable.
        """
        with self._database.connection() as conn, conn.transaction():
            rows.watches_unseed(conn, self._env)
            rows.watches_seed(conn, self._env)

    def _again(self) -> dict[str, Watch]:
        """Read anew, after a write."""
        with self._lock:
            self._read_at = None
        return {each.name: each for each in self.all()}

    def _merged(self, stored: Sequence[rows.WatchRow]) -> dict[str, Watch]:
        merged = {name: Watch(name, REPO if "/" in name else OWNER, ENV) for name in self._env}
        for row in stored:
            if row.source != ENV or row.name in self._env:
                source = ENV if row.name in self._env else row.source
                merged[row.name] = Watch(row.name, row.kind, source, row.added_at)
        return dict(sorted(merged.items()))
