"""Warming: is what is watched kept warm, what do its runs cost, and is one stuck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from webapp.db.warming_runs import Run
from webapp.errors import DatabaseUnavailable
from webapp.reports import wording
from webapp.reports.periods import Window
from webapp.reports.verdicts import Verdict
from webapp.services import Services
from webapp.watches import Watch

PAGE = "dashboard.warming"
RUNS = 25
GOING = frozenset({"running", "queued", "paused"})


@dataclass(frozen=True, slots=True)
class WarmingReport:
    """The page's content; its JSON twins are /api/warming and /api/watches.

    `runs` is None while PostgreSQL is away.
    """

    watches: Sequence[Watch]
    runs: Sequence[Run] | None

    @property
    def verdicts(self) -> list[Verdict]:
        """One."""
        return [_verdict(self.watches, self.runs)]


def report(services: Services, _: Window) -> WarmingReport:
    """Never raises: without PostgreSQL the watches are the last known."""
    watches = services.watches.all()
    try:
        runs = services.warming.latest(RUNS)
    except DatabaseUnavailable:
        return WarmingReport(watches, None)
    return WarmingReport(watches, runs)


def verdicts(services: Services, window: Window) -> list[Verdict]:
    """One. Never raises."""
    return report(services, window).verdicts


def _verdict(watches: Sequence[Watch], runs: Sequence[Run] | None) -> Verdict:
    if not watches:
        reason = "Nothing is watched, so nothing is warm before it is asked for."
        return Verdict("Warming", "warn", reason, "Add a watch.", page=PAGE)
    named = f"{wording.count(len(watches))} watched"
    if runs is None:
        return Verdict("Warming", "unknown", f"{named}; PostgreSQL is away.", page=PAGE)
    if runs and runs[0].state == "failed":
        reason = f"The last run failed: {runs[0].last_error or 'no reason noted'}."
        return Verdict("Warming", "fail", reason, "See the run.", page=PAGE)
    if paused := next((run for run in runs if run.state == "paused"), None):
        reason = f"{named}; run {paused.id} is paused, {paused.done} of {paused.total} done."
        return Verdict("Warming", "warn", reason, "Resume or cancel it.", page=PAGE)
    if going := next((run for run in runs if run.state in GOING), None):
        reason = f"{named}; run {going.id} is {going.state}, {going.done} of {going.total} done."
        return Verdict("Warming", "ok", reason, page=PAGE)
    failures = sum(run.failures for run in runs)
    if failures:
        reason = f"{named}; {wording.count(failures)} answers failed in the last {len(runs)} runs."
        return Verdict("Warming", "warn", reason, "See the runs’ last errors.", page=PAGE)
    return Verdict("Warming", "ok", f"{named}; kept fresh before they expire.", page=PAGE)
