"""A psycopg connection that gives up: no statement is waited for beyond its patience.

The server's statement_timeout does nothing where the server hangs or the network drops packets,
and a transaction pooler may not let it be set. So the client counts for itself, and closes the
connection: its state is unknown then.
"""

from __future__ import annotations

import select
from typing import Any, ClassVar, Self, TypeVar

import psycopg
from psycopg.abc import PQGen

RV = TypeVar("RV")
# How often psycopg looks whether it was interrupted; it looks at the deadline then too.
_INTERVAL = 0.05


class PatientConnection(psycopg.Connection[tuple[object, ...]]):
    """Raises OperationalError, closed, when an answer takes longer than `patience` seconds."""

    patience: ClassVar[float] = 60.0
    last_error: ClassVar[str] = ""

    @classmethod
    def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:
        """As psycopg's own; keeps what went wrong, which its pool would only log."""
        try:
            conn = super().connect(conninfo, **kwargs)
        except psycopg.OperationalError as error:
            cls.last_error = one_line(error)
            raise
        except psycopg.Error as error:
            # Texts about a connection string quote it.
            cls.last_error = type(error).__name__
            raise
        cls.last_error = ""
        return conn

    def wait(self, gen: PQGen[RV], interval: float = _INTERVAL, timeout: float | None = None) -> RV:
        """As psycopg's own, with `patience` as the default `timeout`."""
        limit = self.patience if timeout is None else timeout
        try:
            return super().wait(gen, interval=interval, timeout=limit)
        except psycopg.errors._WaitTimeout:
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer within {limit:g} s") from None

    def is_alive(self) -> bool:
        """Whether an idle connection still stands, as far as this end knows; asks nothing.

        An idle server is silent: a socket with something to read carries the server's farewell
        (a restart, a failover), or at best a changed setting. Then it is closed.
        """
        if self.closed:
            return False
        # Not select(): it takes no descriptor above 1023.
        listening = select.poll()
        listening.register(self.pgconn.socket, select.POLLIN)
        if listening.poll(0):
            self.pgconn.finish()
        return not self.closed


def patient(seconds: float) -> type[PatientConnection]:
    """A connection class of that patience; psycopg's pool takes a class, not an instance."""
    return type("PatientConnection", (PatientConnection,), {"patience": seconds})


def one_line(error: Exception) -> str:
    """For logs. libpq's texts name host, user and database, never the password."""
    text = " ".join(str(error).split()) or type(error).__name__
    if "unsupported startup parameter" in text:
        text += " (behind PgBouncer add ?pgbouncer=true to DATABASE_URL)"
    return text
