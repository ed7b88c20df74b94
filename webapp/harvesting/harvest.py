"""Every repository that the service's or the public's eyes see enters the catalog, behind requests.

    offer, offer_rows, gone, purged     never wait: into a bounded queue, or dropped
    a thread                            answers -> sights -> one statement for many rows
    listeners                           are told whose rows have really changed

What a caller's own token saw is refused at the door. Rows go by GitHub's id and only by newer
sights (catalog_writes.py), so the order in which processes come to write doesn't matter. While
PostgreSQL is away the queue waits, and answers that have no room are dropped: GitHub says them
again. What was purged nobody says again: of that one note for all stands in for what has no room.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from webapp.cache.keys import Scope
from webapp.db import catalog_writes
from webapp.db.pool import Database
from webapp.db.statements import Connection
from webapp.errors import DatabaseUnavailable
from webapp.github.answer import Answer
from webapp.harvesting.batch import Batch, Changes, Effect
from webapp.harvesting.sights import Seen, rows_seen, shows_sights, sights
from webapp.lasting import lasting
from webapp.policy import ORG, REPO, match

log = logging.getLogger(__name__)

ROOM = 32 * 1024 * 1024
"""Bytes of answers that wait; a row given as such counts for ROW of them."""
ROW = 2_048
EFFECTS_MOST = 20_000
"""Purges and the like that wait one by one."""
LINGER = 0.05  # seconds for more to come, so that answers of a moment are one statement
RETRY_EVERY = 1.0  # seconds, while PostgreSQL is away
WARN_EVERY = 60.0  # seconds
GONE = frozenset({403, 404, 410, 451})
"""Answers that say the service sees it no more; a 403 only where it is no limit."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Neither sights nor an effect: notes of purges that are lost, one for all."""

    size: int
    sights: Callable[[], Seen] | None = None
    effect: Effect | None = None


class Harvest:
    """One per process. Thread-safe; a forked child begins with an empty queue."""

    def __init__(self, database: Database, *, room: int = ROOM) -> None:
        """`room` is in bytes. Nothing runs before something is offered."""
        self._database = database
        self._room = room
        self._listeners: list[Callable[[Changes], None]] = []
        self.start_afresh()
        _harvests.add(self)

    def start_afresh(self) -> None:
        """Without a queue or a thread, as in a new process."""
        self.counts: Counter[str] = Counter()
        """offered and dropped (answers), written and refused (repositories)."""
        self._waiting: deque[_Waiting] = deque()
        self._held = self._effects = 0
        self._lost_at = 0.0  # Unix seconds, while a note of everything waits
        self._busy = False
        self._closing = False
        self._flushing = 0
        self._warned_at = -WARN_EVERY
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()

    def subscribe(self, listener: Callable[[Changes], None]) -> None:
        """Have `listener` told of changes, in the harvest's own thread."""
        self._listeners.append(listener)

    def answer(self, path: str, scope: Scope, answer: Answer) -> None:
        """Take what GitHub answered for a canonical path. What a token saw is none of ours."""
        if not scope.archived or not shows_sights(path):
            return
        if answer.status == 200 and answer.body:
            self.offer(path, answer.body, answer.asked_at)
        elif scope.kind == "service" and answer.status in GONE and not answer.limited:
            self._missing(path, answer.asked_at)

    def offer(self, path: str, body: bytes, asked_at: float) -> None:
        """Take a 200's body; `asked_at` is when it was asked for, in Unix seconds."""
        seen_at = _moment(asked_at)
        self._put(_Waiting(len(body), sights=lambda: sights(path, body, seen_at)))

    def offer_rows(self, rows: Sequence[Any], asked_at: float) -> None:
        """Take repositories with GitHub's REST names, from whatever the service's eyes saw."""
        seen_at = _moment(asked_at)
        self._put(_Waiting(len(rows) * ROW, sights=lambda: rows_seen(rows, seen_at)))

    def gone(self, full_name: str, asked_at: float, *, id: int = 0) -> None:  # noqa: A002
        """GitHub showed none by this name when it was asked, or says that it is no more."""
        at = _moment(asked_at)

        def forget(conn: Connection) -> set[str]:
            held = catalog_writes.catalog_forget(conn, full_name, at=at, id=id)
            return {full_name.lower().partition("/")[0]} if held else set()

        self._put(_Waiting(ROW, effect=forget))

    def owner_gone(self, login: str, asked_at: float, *, repositories: bool = True) -> None:
        """GitHub shows this owner no more; `repositories`: nor what is theirs."""
        at = _moment(asked_at)

        def forget(conn: Connection) -> set[str]:
            held = catalog_writes.catalog_orgs_forget(conn, login, at=at)
            if repositories:
                held += catalog_writes.catalog_forget_owner(conn, login, at=at)
            return {login.lower()} if held else set()

        self._put(_Waiting(ROW, effect=forget))

    def purged(
        self, _: object, *, tags: Sequence[str], hard: bool, cause: str, **__: object
    ) -> None:
        """Listens to signals.purged. What is purged softly is known to have changed; what is
        purged hard is dead here too: it comes back by an answer asked for afterwards.

        Not what a list's own row gave away: that row is here already. And a purge of everything
        empties no catalog: each row waits for its next sight.
        """
        now = time.time()
        named = [tag for tag in tags if tag == "all" or tag.startswith(("repo:", "owner:"))]
        for tag in named if hard else ():
            kind, _sep, name = tag.partition(":")
            if kind == "repo":
                self.gone(name, now)
            elif kind == "owner":
                self.owner_gone(name, now)
        if not named or cause == "list":
            return
        at = _moment(now)

        def note(conn: Connection) -> set[str]:
            catalog_writes.catalog_purge_note(conn, named, at=at)
            return set()

        self._put(_Waiting(ROW, effect=note))

    def flush(self, seconds: float = 5.0) -> bool:
        """Wait until what was offered is written; False where it isn't in time."""
        with self._changed:
            self._flushing += 1
            self._changed.notify_all()
            try:
                return self._changed.wait_for(
                    lambda: not self._waiting and not self._busy, timeout=seconds
                )
            finally:
                self._flushing -= 1

    def close(self) -> None:
        """Write what waits, within a second, and end."""
        self.flush(1.0)
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(5.0)

    def _missing(self, path: str, asked_at: float) -> None:
        found = match(path)
        if found.resource is REPO and found.owner and found.repo:
            self.gone(f"{found.owner}/{found.repo}", asked_at)
        elif found.resource is ORG and found.owner:
            self.owner_gone(found.owner, asked_at, repositories=False)

    def _put(self, waiting: _Waiting) -> None:
        with self._changed:
            if self._closing:
                return
            self.counts["offered"] += 1
            if waiting.effect is not None and self._effects >= EFFECTS_MOST:
                self._lose()
                return
            if waiting.effect is None and self._held and self._held + waiting.size > self._room:
                self._dropped()
                return
            self._append(waiting)
            if self._thread is None:
                self._thread = lasting(self._run, "harvest")
            self._changed.notify_all()

    def _append(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        self._held += waiting.size
        self._effects += waiting.effect is not None

    def _lose(self) -> None:
        """A purge's note is lost: one of everything takes its place."""
        with self._changed:
            first, self._lost_at = not self._lost_at, time.time()
            if first:
                self._append(_Waiting(ROW))

    def _note_of_the_lost(self) -> Effect:
        """Every row seen until now may have been purged. A batch may be written again, so its
        moment is the batch's from here on; what is lost later waits anew."""
        with self._changed:
            at, self._lost_at = _moment(self._lost_at), 0.0

        def note(conn: Connection) -> set[str]:
            catalog_writes.catalog_purge_note(conn, ["all"], at=at)
            return set()

        log.warning("notes of purges are lost: one of everything takes their place")
        return note

    def _dropped(self) -> None:
        self.counts["dropped"] += 1
        now = time.monotonic()
        if now - self._warned_at >= WARN_EVERY:
            self._warned_at = now
            log.warning("the harvest is behind: %d answers dropped", self.counts["dropped"])

    # In the thread

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                self._busy = True
                self._changed.wait_for(lambda: self._closing or self._flushing, timeout=LINGER)
            batch = Batch()
            try:
                self._fill(batch)
                self._write(batch)
            except BaseException:
                if batch.effects:
                    self._lose()
                raise

    def _fill(self, batch: Batch) -> None:
        """What waits, up to a statement's worth; what can't be read isn't met again."""
        while self._waiting and not batch.full:
            with self._changed:
                first = self._waiting.popleft()
                self._held -= first.size
                self._effects -= first.effect is not None
            if first.sights is not None:
                seen = first.sights()
                if not batch.takes(seen):
                    with self._changed:
                        self._waiting.appendleft(first)
                        self._held += first.size
                    break
                batch.add(seen)
            else:
                batch.effects.append(first.effect or self._note_of_the_lost())

    def _write(self, batch: Batch) -> None:
        while True:
            try:
                with self._database.connection() as conn:
                    changes = batch.write(conn)
                break
            except DatabaseUnavailable as error:
                log.debug("the harvest waits for PostgreSQL: %s", error)
                with self._changed:
                    if self._changed.wait_for(lambda: self._closing, timeout=RETRY_EVERY):
                        return
        self.counts += batch.counts
        if changes.owners or changes.details:
            for listener in self._listeners:
                listener(changes)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


_harvests: weakref.WeakSet[Harvest] = weakref.WeakSet()


def _start_in_child() -> None:
    for harvest in _harvests:
        harvest.start_afresh()


os.register_at_fork(after_in_child=_start_in_child)
