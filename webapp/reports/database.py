"""Database: does it answer, how fast, and does anybody wait for a connection."""

from __future__ import annotations

from webapp.errors import DatabaseUnavailable
from webapp.reports import wording
from webapp.reports.periods import Window
from webapp.reports.verdicts import Bounds, Verdict
from webapp.services import Services

SLOW = Bounds(warn=0.02, fail=0.25, samples=20)  # seconds, mean of a statement
PAGE = ""


def verdicts(services: Services, window: Window) -> list[Verdict]:
    """One. Raises StoreUnavailable."""
    try:
        with services.database.connection() as conn:
            conn.execute("select 1")
    except DatabaseUnavailable:
        return [
            Verdict(
                "Database",
                "fail",
                "PostgreSQL can’t be reached: serving goes on, without archive and catalog.",
                "script/flask doctor says why.",
                page=PAGE,
            )
        ]
    statements = services.metrics.totals(
        "db_query_duration_seconds",
        since=window.since.timestamp(),
        until=window.now.timestamp(),
        by=("query",),
    )
    if not statements:
        return [Verdict("Database", "ok", "Up; no statement ran.", page=PAGE)]
    (slowest,), sample = max(
        statements.items(), key=lambda each: (each[1].mean or 0) * (each[1].count >= SLOW.samples)
    )
    whole = sum(each.count for each in statements.values())
    state = SLOW.state(sample.mean, sample.count)
    return [
        Verdict(
            "Database",
            "ok" if state == "unknown" else state,
            f"{wording.count(whole)} statements; the slowest, {slowest}, takes"
            f" {wording.duration(sample.mean)} on average.",
            "See its plan." if state in {"warn", "fail"} else "",
            page=PAGE,
        )
    ]
