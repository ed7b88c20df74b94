"""The statements of warming runs (see statements.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from webapp.db import statements
from webapp.db.statements import Connection, execute, load, timed


@dataclass(frozen=True, slots=True)
class Run:
    """A row of warming_runs; the migration's comments say what each column holds.

    `plan` is None where it isn't made yet, and where it wasn't asked for (runs_latest).
    """

    id: int
    names: Sequence[str]
    source: str
    state: str
    plan: Sequence[str] | None
    place: int
    page: str | None
    done: int
    total: int
    points: int
    saved: int
    failures: int
    last_error: str | None
    created_at: datetime
    ended_at: datetime | None


def run_create(
    conn: Connection, names: Sequence[str], *, source: str, plan: Sequence[str] | None
) -> int | None:
    """A new run's id; None where the schedule has one already."""
    values = {"names": list(names), "source": source, "plan": None if plan is None else list(plan)}
    with timed("run_create"):
        row = conn.execute(load("run_create"), values).fetchone()
    return None if row is None else int(row[0])


def run_get(conn: Connection, run: int) -> Run | None:
    """One run."""
    return statements.row(conn, "run_get", Run, run=run)


def run_take(conn: Connection, run: int, *, lease: str, seconds: float) -> Run | None:
    """Go on with a run for so many seconds; None where another does, or it isn't to go on."""
    return statements.row(conn, "run_take", Run, run=run, lease=lease, seconds=seconds)


def run_plan(conn: Connection, run: int, *, lease: str, plan: Sequence[str], total: int) -> bool:
    """Note what is to be warmed; False where the lease is lost."""
    values = {"run": run, "lease": lease, "plan": list(plan), "total": total}
    return execute(conn, "run_plan", **values) == 1


def run_save(conn: Connection, run: Run, *, lease: str, seconds: float) -> str | None:
    """Note the progress and renew the lease; the state by now, None where the lease is lost."""
    values = {
        "run": run.id,
        "lease": lease,
        "seconds": seconds,
        **{name: getattr(run, name) for name in _PROGRESS},
    }
    with timed("run_save"):
        row = conn.execute(load("run_save"), values).fetchone()
    return None if row is None else str(row[0])


_PROGRESS = ("place", "page", "done", "total", "points", "saved", "failures", "last_error")


def run_leave(
    conn: Connection, run: int, *, lease: str, state: str | None = None, put_off: float = 0.0
) -> None:
    """Give the lease back, not to be taken up for `put_off` seconds; `state` ends the run."""
    execute(conn, "run_leave", run=run, lease=lease, state=state, put_off=put_off)


def run_move(conn: Connection, run: int, *, state: str, before: Sequence[str]) -> bool:
    """Pause, resume or cancel; False where its state was none of those before."""
    return execute(conn, "run_move", run=run, state=state, before=list(before)) == 1


def runs_latest(conn: Connection, *, most: int = 50) -> list[Run]:
    """The newest first, without their plans."""
    return statements.rows(conn, "runs_latest", Run, rows=most)


def runs_waiting(conn: Connection, *, most: int = 100) -> list[int]:
    """Runs that a worker may take up now, the oldest first."""
    with timed("runs_waiting"):
        rows = conn.execute(load("runs_waiting"), {"rows": most}).fetchall()
    return [int(row[0]) for row in rows]


def runs_prune(conn: Connection, *, before: datetime) -> int:
    """Forget runs that ended before a moment; how many."""
    return execute(conn, "runs_prune", before=before)
