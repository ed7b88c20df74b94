"""The local sink: traces into PostgreSQL, a batch a second, by one thread of their own.

Bounded and without patience: what finds the queue full, or PostgreSQL away, is dropped and
counted. Nobody who is traced ever waits for this.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections import deque
from collections.abc import Mapping
from typing import Any

from webapp.db import traces
from webapp.db.pool import Database
from webapp.db.traces import DetailedTransaction
from webapp.errors import DatabaseUnavailable
from webapp.telemetry.assembly import Assembly, Choice

WRITE_EVERY = 1.0  # seconds
WAITING_MOST = 1_000
BATCH = 250
SIX_HOURS = 6 * 3600

log = logging.getLogger(__name__)


class TraceWriter:
    """One per process. `written` and `dropped` count transactions that were chosen to be kept."""

    def __init__(self, database: Database, *, every: float = WRITE_EVERY) -> None:
        """`every` is in seconds."""
        self._database = database
        self._every = every
        self.written = 0
        self.dropped = 0
        self.choice = Choice()
        self.start_afresh()
        _writers.add(self)

    def start_afresh(self) -> None:
        """As in a new process: without threads, and what the parent has is the parent's."""
        self._assembly = Assembly(self.choice)
        self._chosen: deque[DetailedTransaction] = deque()
        self._room: set[int] = set()
        self._stopped = threading.Event()
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._failing = False

    def offer(self, kind: str, event: Mapping[str, Any]) -> None:
        """Take an event, from the transport's thread alone."""
        transaction = self._assembly.take(kind, event)
        if transaction is None:
            return
        if len(self._chosen) >= WAITING_MOST:
            self.dropped += 1
            return
        self._chosen.append(transaction)
        if self._thread is None and not self._stopped.is_set():
            self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Write what is left, once, and no more."""
        self._stopped.set()
        self.flush()

    def flush(self) -> None:
        """Write what waits; what can't be written is dropped."""
        with self._writing:
            while batch := [self._chosen.popleft() for _ in range(min(BATCH, len(self._chosen)))]:
                self._write(batch)

    def _run(self) -> None:
        while not self._stopped.wait(self._every):
            self.flush()

    def _write(self, batch: list[DetailedTransaction]) -> None:
        moments = {int(each.began.timestamp() // SIX_HOURS): each.began for each in batch}
        try:
            with self._database.connection() as conn, conn.transaction():
                for hours in moments.keys() - self._room:
                    traces.traces_room(conn, moment=moments[hours])
                traces.trace_add(conn, batch)
                traces.trace_detail_add(conn, batch)
        except DatabaseUnavailable as error:
            self.dropped += len(batch)
            if not self._failing:
                log.warning("traces are dropped: %s", error)
            self._failing = True
            return
        self._room |= moments.keys()
        self.written += len(batch)
        if self._failing:
            log.info("traces are kept again; %d were dropped", self.dropped)
        self._failing = False


_writers: weakref.WeakSet[TraceWriter] = weakref.WeakSet()


def _start_in_child() -> None:
    for writer in _writers:
        writer.start_afresh()


os.register_at_fork(after_in_child=_start_in_child)
