"""The local sink: traces into PostgreSQL, a batch a second, by one thread of their own.

Who is traced only appends to a queue. That is bounded, and its thread without patience: what finds
it full, or PostgreSQL away, is dropped and counted.
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
from webapp.lasting import lasting
from webapp.telemetry.tracing.assembly import Assembly, Choice

WRITE_EVERY = 1.0  # seconds
EVENTS_MOST = 5_000
AWAKE_AT = 1_000  # events, before the time is up
BATCH = 250
KINDS = frozenset({"transaction", "span", "error"})
SIX_HOURS = 6 * 3600

log = logging.getLogger(__name__)


class TraceWriter:
    """One per process. `written` counts transactions, `dropped` those that were chosen and
    couldn't be, `missed` events that found the queue full."""

    def __init__(self, database: Database, *, every: float = WRITE_EVERY) -> None:
        """`every` is in seconds."""
        self._database = database
        self._every = every
        self.written = 0
        self.dropped = 0
        self.missed = 0
        self._told = 0
        self.start_afresh()
        _writers.add(self)

    def start_afresh(self) -> None:
        """As in a new process: without threads, and what the parent has is the parent's."""
        self._assembly = Assembly(Choice())
        self._events: deque[tuple[str, Mapping[str, Any]]] = deque()
        self._room: set[int] = set()
        self._wake = threading.Event()
        self._starting = threading.Lock()
        self._writing = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._failing = False

    def offer(self, kind: str, event: Mapping[str, Any]) -> None:
        """Take an event, or count it as missed."""
        if kind not in KINDS:
            return
        waiting = len(self._events)
        if waiting >= EVENTS_MOST:
            self.missed += 1
            return
        self._events.append((kind, event))
        if waiting == AWAKE_AT:
            self._wake.set()
        if self._thread is None and not self._stopped:
            self._start()

    def stop(self) -> None:
        """Write what is left, once, and no more."""
        self._stopped = True
        self._wake.set()
        self.flush()

    def flush(self) -> None:
        """Write what is whole; what can't be written is dropped."""
        with self._writing:
            if self.missed > self._told:
                log.warning("too much is traced at once: %d events were missed", self.missed)
                self._told = self.missed
            taken = [self._events.popleft() for _ in range(len(self._events))]
            whole = (self._assembly.take(kind, event) for kind, event in taken)
            chosen = [each for each in whole if each is not None]
            for start in range(0, len(chosen), BATCH):
                self._write(chosen[start : start + BATCH])

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = lasting(self._run, "traces")

    def _run(self) -> None:
        while not self._stopped:
            self._wake.wait(self._every)
            self._wake.clear()
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
