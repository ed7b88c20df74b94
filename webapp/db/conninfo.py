"""How a connection to PostgreSQL is asked for, from DATABASE_URL.

`?pgbouncer=true` in the URL says that a transaction pooler stands between: nothing then relies
on a session. Statements aren't prepared (before 1.21 PgBouncer loses them), and no start-up
option is sent (it refuses them); the client's own deadline still bounds every statement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

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
