"""One repository: what told us of its changes, and who purged it.

Purges by deliveries are in the deliveries; those here are the journal's (hard ones of the last day,
and what Redis hasn't heard) and operators'. Soft ones by writes and feeds are only counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from webapp.db.audit import audit_purges
from webapp.db.deliveries import Delivery, deliveries_of_repo
from webapp.db.queries import purges_of_tag
from webapp.errors import DatabaseUnavailable
from webapp.services import Services

LISTED = 20
SINCE = timedelta(days=30)
OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Purged:
    """A purge of the repository's tag: when, how, by what, and whose."""

    at: datetime
    kind: str  # hard or soft
    cause: str
    detail: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What was heard of it and purged, the newest first; None while PostgreSQL is away."""

    deliveries: Sequence[Delivery] | None
    purges: Sequence[Purged] | None


def changes(services: Services, full_name: str, now: datetime) -> Changes:
    """Of a repository by its full name. Never raises."""
    owner, _, repo = full_name.lower().partition("/")
    tag, since = f"repo:{owner}/{repo}", now - SINCE
    try:
        with services.database.connection() as conn:
            deliveries = deliveries_of_repo(conn, owner, repo, rows=LISTED)
            noted = purges_of_tag(conn, tag, since=since, rows=LISTED)
            by_hand = audit_purges(conn, tag, since=since, limit=LISTED)
    except DatabaseUnavailable:
        return Changes(None, None)
    purges = [
        Purged(each.created_at, "hard" if each.hard else "soft", each.cause, each.detail)
        for each in noted
        if each.cause != OPERATOR  # these are in the audit, with who it was
    ]
    purges += [
        Purged(each.at, "hard" if each.what.endswith("hard") else "soft", OPERATOR, each.who)
        for each in by_hand
    ]
    return Changes(deliveries, sorted(purges, key=lambda each: each.at, reverse=True)[:LISTED])
