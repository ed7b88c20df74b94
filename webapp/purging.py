"""Every purge goes through here: from writes, operators, webhooks and feeds alike.

    hard    journal it (which fences late writes to the archive), delete the archive's rows
    all     new tag versions in Redis, one message to every near shelf
            Redis away: the journal holds it, replayed before Redis is trusted again; a sweep
            replays what a process left that is no more

A purge that can be neither done nor noted is an error: stale data is worse than a failed purge.
What this process couldn't finish it also remembers by itself and tries again each second.

A Redis that restarted may have forgotten its last second, and with it purges (why.md: a "fresh"
HIT after kill -9). So the first process to meet another run id purges hard what was purged hard
in the last 24 h, then softly everything, once; until then nobody is served from it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import redis

from webapp.cache.connection import TIMEOUT
from webapp.cache.keys import canonical_path
from webapp.cache.store import Store
from webapp.db import queries
from webapp.db.pool import Database
from webapp.errors import BrokerUnavailable, DatabaseUnavailable, StoreUnavailable
from webapp.jobs import Jobs
from webapp.lasting import lasting
from webapp.policy import match
from webapp.signals import purged

log = logging.getLogger(__name__)

RUN_KEY = "fw:run"
"""The run id of the server that has been caught up; persisted with its data."""
LOCK_KEY, LOCK_MS = "fw:run:lock:", 10_000
"""By run id: one that a killed server kept on its disk binds nobody."""
REPLAYED = timedelta(hours=24)
RETRY_EVERY = 1.0  # seconds
LOOK_EVERY = 0.01  # seconds between looks at another's catching up
BATCH = 500  # tags a command

TAG = r"^(all|(owner|org|orgs|repos):[A-Za-z0-9._-]+|repo:[A-Za-z0-9._-]+/[A-Za-z0-9._-]+)$"
"""What an operator may name."""

AGAIN, QUEUE = "purge_again", "invalidation"
AGAIN_MS = 2_000
"""GitHub's reads lag its writes: what is fetched right after a purge may still be old."""


@dataclass(frozen=True, slots=True)
class Purge:
    """What to purge and why. `cause`: webhook, mutation, feed, list, operator or restart."""

    tags: tuple[str, ...]
    hard: bool
    cause: str
    detail: str = ""


def tag_of(path: str) -> str | None:
    """The tag of a path's own row, as an operator may name it by the path.

    None where only the owner's or everybody's would do. Raises RequestRefused (400, 414).
    """
    # Not urlsplit: it would read //name as a host's.
    tag = match(canonical_path(path.partition("?")[0])).tags[0]
    return None if tag == "all" or tag.startswith("owner:") else tag


class Purger:
    """One per process."""

    def __init__(self, store: Store, database: Database, jobs: Jobs) -> None:
        self._jobs = jobs
        self._store = store
        self._database = database
        self._lock = threading.Lock()
        self._redis_missed: list[Purge] = []
        self._archive_missed: list[Purge] = []
        self._sweeping = False
        self._ended = threading.Event()

    def close(self) -> None:
        """Try nothing again: the process ends."""
        self._ended.set()

    def purge(self, tags: Sequence[str], *, hard: bool, cause: str, detail: str = "") -> int:
        """Tags written, or noted to be. Raises StoreUnavailable where neither could be done."""
        if not tags:
            return 0
        purge = Purge(tuple(dict.fromkeys(tags)), hard, cause, detail)
        noted = self._note(purge) if hard else None
        try:
            self._store.purge(purge.tags, hard=hard)
        except StoreUnavailable as error:
            noted = noted or self._note(purge)
            with self._lock:
                self._redis_missed.append(purge)
            # Also where it answers others: nothing is served from it that this purge ends.
            self._store.distrust(error)
            if noted is None:
                raise
        else:
            self._applied(noted)
        log.info(
            "purge %s by %s %s: %s",
            "hard" if hard else "soft",
            cause,
            detail,
            " ".join(purge.tags),
        )
        purged.send(self, tags=purge.tags, hard=hard, cause=cause, detail=detail)
        return len(purge.tags)

    def again(self, tags: Sequence[str], *, cause: str, detail: str) -> None:
        """Purge softly once more in a moment, by a worker; without a queue this process does."""
        try:
            self._jobs.enqueue(AGAIN, QUEUE, list(tags), cause, detail, delay_ms=AGAIN_MS)
        except BrokerUnavailable:
            later = threading.Timer(AGAIN_MS / 1000, self._again_here, (tags, cause, detail))
            later.daemon = True
            later.start()

    def _again_here(self, tags: Sequence[str], cause: str, detail: str) -> None:
        try:
            self.purge(tags, hard=False, cause=cause, detail=detail)
        except StoreUnavailable as error:
            log.warning("a second look is put off until Redis is back: %s", error)

    def catch_up(self, client: redis.Redis, run_id: str) -> None:
        """Replay what a Redis may have missed, before it is trusted (see connection.CatchUp)."""
        if client.get(RUN_KEY) != run_id.encode():
            self._restarted(client, run_id)
        with self._lock:
            mine, self._redis_missed = self._redis_missed, []
        pending = self._pending()
        try:
            self._redo([*mine, *pending], client)
        except (redis.exceptions.RedisError, StoreUnavailable):
            with self._lock:
                self._redis_missed = mine + self._redis_missed
            raise
        if pending:
            self._applied(*(each.id for each in pending))
        if mine or pending:
            log.warning("purges replayed: %d", max(len(mine), len(pending)))

    def replay(self) -> int:
        """Do what was noted by a process that ended before it could; how many purges.

        Raises StoreUnavailable: they are still noted then.
        """
        pending = self._pending()
        self._redo(pending)
        self._applied(*(each.id for each in pending))
        if pending:
            log.warning("purges replayed: %d", len(pending))
        return len(pending)

    def _redo(
        self, purges: Sequence[Purge | queries.NotedPurge], through: redis.Redis | None = None
    ) -> None:
        for hard in (True, False):
            same = [purge for purge in purges if purge.hard is hard]
            tags = list(dict.fromkeys(tag for purge in same for tag in purge.tags))
            for start in range(0, len(tags), BATCH):
                self._store.purge(tags[start : start + BATCH], hard=hard, through=through)

    def _restarted(self, client: redis.Redis, run_id: str) -> None:
        """By the first to come; the others wait for it, so that none asks GitHub meanwhile."""
        deadline = time.monotonic() + TIMEOUT
        lock = LOCK_KEY + run_id
        while not client.set(lock, "held", nx=True, px=LOCK_MS):
            if time.monotonic() > deadline:
                raise redis.exceptions.ConnectionError("another process is catching it up")
            time.sleep(LOOK_EVERY)
            if client.get(RUN_KEY) == run_id.encode():
                return
        if client.get(RUN_KEY) != run_id.encode():  # else it has just been done
            self._purge_forgotten(client)
            client.set(RUN_KEY, run_id)
        client.delete(lock)

    def _purge_forgotten(self, client: redis.Redis) -> None:
        try:
            tags = self._hard_of_late()
            for start in range(0, len(tags), BATCH):
                self._store.purge(tags[start : start + BATCH], hard=True, through=client)
        except DatabaseUnavailable:
            # Without the journal nobody knows what must stay dead.
            self._store.purge(["all"], hard=True, through=client)
        self._store.purge(["all"], hard=False, through=client)
        log.warning("another Redis server: everything is purged softly")
        purged.send(self, tags=("all",), hard=False, cause="restart", detail="")

    # The journal and the archive; PostgreSQL may be away

    def _note(self, purge: Purge) -> int | None:
        """Note it as pending and, if it is hard, delete the archive's rows; None where it can't."""
        try:
            with self._database.connection() as conn, conn.transaction():
                # In this order: the note fences whoever archives between the two.
                noted = queries.purge_note(
                    conn, purge.tags, hard=purge.hard, cause=purge.cause, detail=purge.detail
                )
                if purge.hard:
                    queries.archive_delete_tags(conn, purge.tags)
        except DatabaseUnavailable as error:
            log.warning("a purge isn't journalled: %s", error)
            if purge.hard:
                self._later(purge)
            return None
        return noted

    def _applied(self, *noted: int | None) -> None:
        ids = [each for each in noted if each is not None]
        if not ids:
            return
        try:
            with self._database.connection() as conn:
                queries.purge_applied(conn, ids)
        except DatabaseUnavailable as error:
            log.debug("applied purges stay noted as pending, and do no harm twice: %s", error)

    def _pending(self) -> list[queries.NotedPurge]:
        """All of them: a server is trusted after this, whatever an outage has piled up."""
        pending: list[queries.NotedPurge] = []
        try:
            with self._database.connection() as conn:
                while page := queries.purges_pending(conn, after=pending[-1].id if pending else 0):
                    pending += page
        except DatabaseUnavailable as error:
            log.debug("what is noted as pending isn't known: %s", error)
        return pending

    def _hard_of_late(self) -> list[str]:
        with self._database.connection() as conn:
            return queries.purges_hard(conn, since=datetime.now(UTC) - REPLAYED)

    def _later(self, purge: Purge) -> None:
        with self._lock:
            self._archive_missed.append(purge)
            if self._sweeping:
                return
            self._sweeping = True
        lasting(self._sweep, "purge-sweep")

    def _sweep(self) -> None:
        """Delete from the archive what PostgreSQL wasn't there to delete."""
        while True:
            if self._ended.wait(RETRY_EVERY):
                return
            with self._lock:
                missed, self._archive_missed = deque(self._archive_missed), []
            try:
                while missed:
                    self._applied(self._note(missed[0]))  # comes back through _later where it can't
                    missed.popleft()
            finally:
                with self._lock:
                    self._archive_missed[:0] = missed
            with self._lock:
                if not self._archive_missed:
                    self._sweeping = False
                    return
