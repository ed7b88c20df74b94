"""How a connection to PostgreSQL is asked for, from DATABASE_URL.

`?pgbouncer=true` in the URL says that a transaction pooler stands between: nothing then relies
on a session. Statements aren't prepared (before 1.21 PgBouncer loses them), and no start-up
option is sent (it refuses them); the client's own deadline still bounds every statement.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import psycopg

from webapp.db.connection import one_line
from webapp.errors import DatabaseUnavailable
from webapp.secret import Secret

# The least that libpq takes. It passes in the pool's own threads, never in a request's.
CONNECT_TIMEOUT = 2


@dataclass(frozen=True, slots=True)
class ConnectionPlan:
    """What to give to psycopg's connect, and whether a transaction pooler is in between."""

    conninfo: Secret
    pgbouncer: bool
    options: str

    @classmethod
    def of(cls, url: Secret) -> ConnectionPlan:
        """Take our own parameter out of the URL; libpq refuses those it doesn't know."""
        parts = urlsplit(url.reveal())
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        pgbouncer = query.pop("pgbouncer", "") == "true"
        conninfo = urlunsplit(parts._replace(query=urlencode(query, quote_via=quote)))
        return cls(Secret(conninfo), pgbouncer, query.get("options", ""))

    def parameters(self, *, application_name: str, statement_timeout: float) -> dict[str, Any]:
        """psycopg's keyword arguments; `statement_timeout` in seconds, 0 for none."""
        parameters: dict[str, Any] = {
            "autocommit": True,
            "application_name": application_name,
            "connect_timeout": CONNECT_TIMEOUT,
        }
        if self.pgbouncer:
            parameters["prepare_threshold"] = None
        elif statement_timeout:
            # As an argument it hides the URL's own options, so it repeats them.
            timeout = f"-c statement_timeout={round(statement_timeout * 1_000)}"
            parameters["options"] = f"{self.options} {timeout}".lstrip()
        return parameters

    @contextmanager
    def connected(
        self, application_name: str, *, statement_timeout: float = 0
    ) -> Iterator[psycopg.Connection[Any]]:
        """A connection of a command's own, in autocommit mode. Raises DatabaseUnavailable for
        whatever the server does."""
        parameters = self.parameters(
            application_name=application_name, statement_timeout=statement_timeout
        )
        try:
            conn = psycopg.connect(self.conninfo.reveal(), **parameters)
        except psycopg.OperationalError as error:
            raise DatabaseUnavailable(one_line(error)) from error
        except psycopg.Error as error:
            # Its text may quote the URL, so it isn't chained either.
            raise DatabaseUnavailable(f"DATABASE_URL is refused: {type(error).__name__}") from None
        try:
            with conn:
                yield conn
        except psycopg.OperationalError as error:
            raise DatabaseUnavailable(one_line(error)) from error
