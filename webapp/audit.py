"""What operators did, for whoever asks later.

An act is noted after it is done, so that a row says what happened and not what was tried. An act
is never refused because it can't be noted: an operator who purges while PostgreSQL is away is the
last one to be kept from it. What can't be noted is an ERROR line in the log with all that the row
would have said.
"""

from __future__ import annotations

import logging

from webapp.db.audit import Act, audit_latest, audit_note
from webapp.db.pool import Database
from webapp.errors import DatabaseUnavailable
from webapp.scrub import scrub

TEXT_MAX = 2_000  # characters

log = logging.getLogger(__name__)


class Audit:
    """One per process."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, who: str, what: str, target: str, detail: str = "") -> None:
        """Note an act: `what` in the past tense ("job retried"), `target` what it was done to.

        Secrets in the texts are struck out, long ones are cut. Raises nothing.
        """
        who, what, target, detail = (
            scrub(text).replace("\0", "")[:TEXT_MAX] for text in (who, what, target, detail)
        )
        try:
            with self._database.connection() as conn:
                audit_note(conn, who=who, what=what, target=target, detail=detail)
        except DatabaseUnavailable as error:
            log.error("not in the audit: %s by %s: %s %s: %s", what, who, target, detail, error)  # noqa: TRY400
        else:
            log.info("audit: %s by %s: %s %s", what, who, target, detail)

    def latest(self, limit: int = 100, before: int | None = None) -> list[Act]:
        """The last acts, the newest first; `before` is an act's id. Raises DatabaseUnavailable."""
        with self._database.connection() as conn:
            return audit_latest(conn, limit=limit, before=before)
