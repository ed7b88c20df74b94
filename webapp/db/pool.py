"""Connections to PostgreSQL, opened after fork and on first use; a request never waits for one.

A connection comes within a quarter of a second or not at all, a statement ends within its
timeout, and after a failure everyone is refused at once for a second (circuit.py). Whatever goes
wrong with the server is raised as DatabaseUnavailable; mistakes of ours (bad SQL, bad data) pass.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from webapp.db.circuit import Circuit
from webapp.db.connection import PatientConnection, one_line, patient
from webapp.db.conninfo import ConnectionPlan
from webapp.db.cursor import Around, enclosed
from webapp.errors import DatabaseUnavailable
from webapp.secret import Secret

POOL_TIMEOUT = 0.25
STATEMENT_TIMEOUT = 2.0
MEMORY = 1.0

# The server's fault, or its state; everything else that psycopg raises is a mistake of ours.
_UNAVAILABLE = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.InternalError,
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.InsufficientPrivilege,
)

log = logging.getLogger(__name__)
# It warns at each attempt to reconnect; ours is one line when it fails, one when it works again.
logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)

Pool = ConnectionPool[PatientConnection]


@dataclass(frozen=True, slots=True)
class PoolUse:
    """Connections asked for, those that had to be waited for, and how long in all."""

    requests: int
    waits: int
    wait_ms: int


class Database:
    """One process's connections to one database. Thread-safe; a forked child opens its own."""

    def __init__(
        self,
        url: Secret,
        *,
        size: int,
        application_name: str = "forewarm",
        statement_timeout: float = STATEMENT_TIMEOUT,
        around: Around | None = None,
    ) -> None:
        """`size` is the most connections it holds; `statement_timeout` is in seconds; `around`
        encloses each statement."""
        self._plan = ConnectionPlan.of(url)
        self.size = size
        self._statement_timeout = statement_timeout
        self._parameters = self._plan.parameters(
            application_name=application_name, statement_timeout=statement_timeout
        )
        if around is not None:
            self._parameters["cursor_factory"] = enclosed(around)
        self.start_afresh()
        _databases.add(self)
        _close_at_exit(self)

    def start_afresh(self) -> None:
        """Without connections and memories, as in a new process."""
        self._lock = threading.Lock()
        self._circuit = Circuit(MEMORY)
        self._taken = 0
        self.pool: Pool | None = None

    @contextmanager
    def connection(self) -> Iterator[PatientConnection]:
        """A connection in autocommit mode; `with conn.transaction():` for more statements.

        Raises DatabaseUnavailable, also for what the server does to statements in the block.
        """
        pool = self._opened()
        if not self._circuit.admits():
            raise DatabaseUnavailable("PostgreSQL can't be reached")
        conn = self._take(pool)
        try:
            yield conn
        except _UNAVAILABLE as error:
            if conn.closed:
                self._note_failure(one_line(error))
            raise DatabaseUnavailable(one_line(error)) from error
        finally:
            self._give_back(pool, conn)

    def used(self) -> PoolUse:
        """What was asked of this process' pool since the last time."""
        told = self.pool.pop_stats() if self.pool is not None else {}
        return PoolUse(
            requests=told.get("requests_num", 0),
            waits=told.get("requests_queued", 0),
            wait_ms=told.get("requests_wait_ms", 0),
        )

    def close(self) -> None:
        """Close every connection; the next use opens new ones."""
        with self._lock:
            pool, self.pool = self.pool, None
        if pool is not None:
            pool.close(timeout=1.0)

    def _opened(self) -> Pool:
        with self._lock:
            if self.pool is None:
                self.pool = self._new_pool()
            return self.pool

    def _new_pool(self) -> Pool:
        return ConnectionPool(
            self._plan.conninfo.reveal(),
            connection_class=patient(self._statement_timeout + POOL_TIMEOUT),
            kwargs=self._parameters,
            min_size=0,
            max_size=self.size,
            timeout=POOL_TIMEOUT,
            # The pool gives up soon: the circuit decides when to try again, by demand.
            reconnect_timeout=0.5,
            num_workers=2,
            name="forewarm",
            open=True,
        )

    def _take(self, pool: Pool) -> PatientConnection:
        deadline = time.monotonic() + POOL_TIMEOUT
        while True:
            try:
                conn = pool.getconn(timeout=deadline - time.monotonic())
            except (PoolTimeout, PoolClosed) as error:
                with self._lock:
                    busy = self._taken >= self.size
                if busy:
                    raise DatabaseUnavailable("every connection is in use") from None
                self._note_failure(pool.connection_class.last_error or str(error))
                raise DatabaseUnavailable("PostgreSQL can't be reached") from None
            # After a restart of the server the pool still holds what was open before it.
            if conn.is_alive():
                break
            pool.putconn(conn)
        with self._lock:
            self._taken += 1
        return conn

    def _give_back(self, pool: Pool, conn: PatientConnection) -> None:
        with self._lock:
            self._taken -= 1
        if not conn.closed and self._circuit.succeeded():
            log.info("PostgreSQL answers again")
        pool.putconn(conn)

    def _note_failure(self, reason: str) -> None:
        if self._circuit.failed():
            log.warning("PostgreSQL can't be reached: %s", reason)


_databases: weakref.WeakSet[Database] = weakref.WeakSet()
_inherited: list[Pool] = []


def _forget_in_child() -> None:
    """A parent's sockets are its own.

    Its pools are kept here, untouched, till the child ends: closing one would say goodbye to the
    server in the parent's name, and wait for threads that a fork doesn't copy.
    """
    for database in _databases:
        if database.pool is not None:
            vars(database.pool)["_closed"] = True
            _inherited.append(database.pool)
        database.start_afresh()


os.register_at_fork(after_in_child=_forget_in_child)


def _close_at_exit(database: Database) -> None:
    """The pool's threads end before the interpreter does, or it warns of them.

    Registered before whoever writes at the exit too, and so called after them.
    """
    still_there = weakref.ref(database)

    def close() -> None:
        if (database := still_there()) is not None:
            database.close()

    atexit.register(close)
