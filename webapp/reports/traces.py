"""Traces: which are looked for, and what the ones found say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from webapp.db.traces import Search, TracedTransaction
from webapp.reports.periods import Window
from webapp.reports.verdicts import Verdict
from webapp.services import Services
from webapp.telemetry.tracing import waterfall

SAME_MOMENT = timedelta(minutes=1)
"""Clocks of other machines may be ahead of ours."""
MOST = 100
TEXT_MAX = 300


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters; all of them hold."""

    route: str | None = None
    outcome: str | None = None
    min_ms: float = 0.0
    failed: bool = False

    @classmethod
    def of(cls, asked: Mapping[str, str]) -> Self:
        """From a form; what isn't a number of milliseconds is none."""
        try:
            min_ms = max(0.0, float(asked.get("min_ms") or 0))
        except ValueError:
            min_ms = 0.0
        return cls(
            route=_text(asked, "route", TEXT_MAX),
            outcome=_text(asked, "outcome", 40),
            min_ms=min_ms if min_ms < 1e9 else 1e9,  # nan too compares as not less
            failed=asked.get("failed", "") in {"1", "on", "true"},
        )


def _text(asked: Mapping[str, str], name: str, most: int) -> str | None:
    # PostgreSQL takes no NUL, and no trace has one.
    return asked.get(name, "").replace("\0", "")[:most].strip() or None


def search(
    services: Services, window: Window, wanted: Wanted, *, limit: int = MOST
) -> list[TracedTransaction]:
    """The newest first. Raises DatabaseUnavailable."""
    sought = Search(
        since=window.since,
        until=window.now + SAME_MOMENT,
        limit=limit,
        route=wanted.route,
        outcome=wanted.outcome,
        at_least_ms=wanted.min_ms,
    )
    return waterfall.search(services.database, sought, failed=wanted.failed)


def verdict(found: Sequence[TracedTransaction]) -> Verdict:
    """Of those listed."""
    failed = sum(each.failed for each in found)
    slow = sum(each.kept == "slow" for each in found)
    said = f"{failed} failed and {slow} slow of the newest {len(found)}."
    if failed:
        return Verdict("Traces", "warn", said, "Open one: its errors say why it failed.")
    return Verdict("Traces", "ok" if found else "unknown", said if found else "None is kept.")
