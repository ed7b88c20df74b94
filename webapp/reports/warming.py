"""Warming: is what is watched kept warm, and is a run stuck."""

from __future__ import annotations

from webapp.errors import DatabaseUnavailable
from webapp.reports import wording
from webapp.reports.periods import Window
from webapp.reports.verdicts import Verdict
from webapp.services import Services

PAGE = ""


def verdicts(services: Services, _: Window) -> list[Verdict]:
    """One. Never raises."""
    watches = services.watches.all()
    if not watches:
        reason = "Nothing is watched, so nothing is warm before it is asked for."
        return [Verdict("Warming", "warn", reason, "Add a watch.", page=PAGE)]
    named = f"{wording.count(len(watches))} watched"
    try:
        runs = services.warming.latest(20)
    except DatabaseUnavailable:
        return [Verdict("Warming", "unknown", f"{named}; PostgreSQL is away.", page=PAGE)]
    failed = [run for run in runs if run.state == "failed"]
    if runs and runs[0].state == "failed":
        reason = f"The last run failed: {runs[0].last_error or 'no reason noted'}."
        return [Verdict("Warming", "fail", reason, "See the run.", page=PAGE)]
    going = next((run for run in runs if run.state in {"running", "queued", "paused"}), None)
    if going:
        reason = f"{named}; run {going.id} is {going.state}, {going.done} of {going.total} done."
        return [Verdict("Warming", "ok", reason, page=PAGE)]
    return [
        Verdict(
            "Warming",
            "warn" if failed else "ok",
            f"{named}; kept fresh before they expire."
            + (f" {len(failed)} of the last {len(runs)} runs failed." if failed else ""),
            page=PAGE,
        )
    ]
