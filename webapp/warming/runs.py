"""Runs of warming: begun by the schedule or by hand, carried out in short turns by workers.

    queued -> running -> done | failed (nothing of it could be warmed)
                └ paused -> queued        └ cancelled (from any of the three)

A turn takes the run's lease, warms for TURN seconds, notes its progress after each answer and gives
the lease back; who is told of a run that another holds lets it be. What was warmed is fresh, and
skipped at no cost should a killed worker have had no time to note it; its lease ends by itself.
The sweep finds every run that nobody works at.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from webapp.db import warming_runs as rows
from webapp.db.pool import Database
from webapp.db.warming_runs import Run
from webapp.demand import Asked
from webapp.errors import (
    BrokerUnavailable,
    CredentialRefused,
    DatabaseUnavailable,
    GitHubUnavailable,
    OutOfBudget,
    RequestRefused,
    StoreUnavailable,
    WaitedTooLong,
)
from webapp.jobs import Jobs
from webapp.scrub import scrub
from webapp.warming.plan import followed, of_user, paged
from webapp.warming.warmer import LAST, Warmed, Warmer
from webapp.watches import ORG, OWNER, USER, Watches, watch_name

log = logging.getLogger(__name__)

QUEUE, WARM_RUN = "warming", "warm_run"
TURN = 2.0  # seconds: far less than a worker has left when it is told to stop
LEASE = 30.0  # seconds without a sign of life
SAVE_EVERY = 50  # answers that were fresh already
MOST_FAILURES = 3  # in a row: GitHub is down
PUT_OFF = 60.0  # seconds, then
KEPT = timedelta(days=7)
SCHEDULE = "schedule"
MOST_NAMES = 500
GOING = ("queued", "running")


class Runs:
    """One per process."""

    def __init__(
        self,
        database: Database,
        jobs: Jobs,
        watches: Watches,
        warmer: Warmer,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._jobs = jobs
        self._watches = watches
        self._warmer = warmer
        self._clock = clock

    # By hand. Each raises DatabaseUnavailable

    def begin(self, names: Sequence[str], source: str) -> int:
        """A run over these names, or over all watches; its number.

        Without a broker the sweep finds it. Raises RequestRefused (400).
        """
        if len(names) > MOST_NAMES:
            raise RequestRefused(400, f"names: {MOST_NAMES} at most")
        named = list(dict.fromkeys(watch_name(name) for name in names))
        with self._database.connection() as conn:
            run = rows.run_create(conn, named, source=source, plan=None)
        assert run is not None
        self._enqueue(run)
        return run

    def get(self, run: int) -> Run:
        """One run. Raises RequestRefused (404)."""
        with self._database.connection() as conn:
            found = rows.run_get(conn, run)
        if found is None:
            raise RequestRefused(404, f"There is no run {run}.")
        return found

    def latest(self, most: int = 50) -> list[Run]:
        """The newest first."""
        with self._database.connection() as conn:
            return rows.runs_latest(conn, most=most)

    def pause(self, run: int) -> Run:
        """Stop where it is, before the next answer. Raises RequestRefused (404, 409)."""
        return self._move(run, "paused", GOING)

    def cancel(self, run: int) -> Run:
        """End it, before the next answer. Raises RequestRefused (404, 409)."""
        return self._move(run, "cancelled", (*GOING, "paused"))

    def resume(self, run: int) -> Run:
        """Go on where it was. Raises RequestRefused (404, 409)."""
        found = self._move(run, "queued", ("paused",))
        self._enqueue(run)
        return found

    def _move(self, run: int, state: str, before: Sequence[str]) -> Run:
        with self._database.connection() as conn:
            moved = rows.run_move(conn, run, state=state, before=before)
        found = self.get(run)
        if not moved and found.state != state:
            raise RequestRefused(409, f"Run {run} is {found.state}.")
        return found

    def _enqueue(self, run: int) -> None:
        try:
            self._jobs.enqueue(WARM_RUN, QUEUE, run)
        except BrokerUnavailable as error:
            log.info("run %d waits for the sweep: %s", run, error)

    # By workers

    def sweep(self) -> None:
        """Once a minute: begin the schedule's next run if anything is due, and take up what nobody
        works at. Raises DatabaseUnavailable."""
        self._watches.seed()
        with self._database.connection() as conn:
            rows.runs_prune(conn, before=datetime.now(UTC) - KEPT)
        try:
            plan = [each.text for each in self._warmer.due()]
        except StoreUnavailable as error:
            log.info("nothing is planned: %s", error)
            plan = []
        with self._database.connection() as conn:
            if plan:
                rows.run_create(conn, [], source=SCHEDULE, plan=plan)
            waiting = rows.runs_waiting(conn)
        for run in waiting:
            self._enqueue(run)

    def turn(self, run: int) -> None:
        """Work at a run for TURN seconds, and have it gone on with if it isn't at its end.

        Raises OutOfBudget where the lane is empty, DatabaseUnavailable.
        """
        lease = secrets.token_hex(8)
        with self._database.connection() as conn:
            taken = rows.run_take(conn, run, lease=lease, seconds=LEASE)
        if taken is None:
            return
        turn = _Turn(taken, lease, self._database, self._watches, self._warmer)
        put_off = 0.0
        try:
            put_off = turn.work(self._clock, self._clock() + TURN)
        except OutOfBudget as error:
            turn.note(str(error))
            turn.leave(max(0.0, error.retry_at - time.time()))
            raise
        except DatabaseUnavailable:
            raise  # nothing can be noted; the lease ends by itself
        except BaseException as error:
            # A bug of ours: the sweep would bring it back every minute.
            turn.fail(repr(error))
            raise
        turn.leave(put_off)
        if turn.going and not put_off:
            self._enqueue(run)


class _Turn:
    """A worker's turn at a run."""

    def __init__(
        self, run: Run, lease: str, database: Database, watches: Watches, warmer: Warmer
    ) -> None:
        self._run = run
        self._lease = lease
        self._database = database
        self._watches = watches
        self._warmer = warmer
        self._plan = list(run.plan or ())
        self._ended: str | None = None
        self.going = True

    def work(self, clock: Callable[[], float], until: float) -> float:
        """Seconds to put the run off for, where Redis or GitHub is away."""
        try:
            if self._run.plan is None:
                self._replan([each.text for each in self._warmer.plan(self._run.names)])
            return self._answers(clock, until)
        except StoreUnavailable as error:
            self.note(str(error))
            return PUT_OFF

    def _answers(self, clock: Callable[[], float], until: float) -> float:
        failures = 0
        while self._run.place < len(self._plan):
            head = Asked.of(self._plan[self._run.place])
            asked = head if self._run.page is None else paged(head, self._run.page)
            try:
                warmed = self._warmer.warm(asked)
                failures = 0
            except (GitHubUnavailable, CredentialRefused, WaitedTooLong) as error:
                warmed = Warmed(asked=True, failed=True)
                failures += isinstance(error, GitHubUnavailable)
                self.note(f"{asked.target.path}: {error}")
            if failures == MOST_FAILURES:
                return PUT_OFF
            if not self._is_user(head, warmed):
                if warmed.refused:
                    self._warmer.refuse(asked)
                self._count(head, warmed)
            if warmed.asked or self._run.done % SAVE_EVERY == 0:
                self._save()
            if not self.going or clock() > until:
                return 0.0
        run = self._run
        self._ended = "failed" if run.total and run.failures == run.total else "done"
        return 0.0

    def _count(self, head: Asked, warmed: Warmed) -> None:
        """One more done; on to the list's next page, else to the plan's next answer."""
        run = self._run
        pages = warmed.pages if followed(head) else LAST
        behind = len(self._plan) - run.place - 1
        self._run = replace(
            run,
            place=run.place + (pages.following is None),
            page=pages.following,
            done=run.done + 1,
            total=run.done + 1 + pages.left + behind,
            points=run.points + warmed.points,
            saved=run.saved + warmed.saved,
            failures=run.failures + warmed.failed,
        )

    def _is_user(self, head: Asked, warmed: Warmed) -> bool:
        """Learn what an owner is; whether it is a user after all, to be asked for as one."""
        owner = head.target.path.removeprefix("/orgs/")
        if "/" in owner:
            return False
        known = {each.name: each for each in self._watches.all()}.get(owner)
        if warmed.gone and (known is None or known.kind == OWNER):
            if known:
                self._watches.learn(owner, USER)
            self._replan(of_user(self._plan, owner))
            self._run = replace(self._run, points=self._run.points + warmed.points)
            return True
        if known and known.kind == OWNER and warmed.asked and not warmed.failed:
            self._watches.learn(owner, ORG)
        return False

    def note(self, problem: str) -> None:
        """Remember what went wrong last, secrets struck out."""
        self._run = replace(self._run, last_error=scrub(problem)[:500])

    def fail(self, problem: str) -> None:
        """End the run where it is."""
        self.note(problem)
        self._ended = "failed"
        self.leave(0.0)

    def _replan(self, plan: list[str]) -> None:
        more = len(plan) - len(self._plan)
        self._plan = plan
        self._run = replace(self._run, plan=plan, total=self._run.total + more)
        with self._database.connection() as conn:
            rows.run_plan(conn, self._run.id, lease=self._lease, plan=plan, total=self._run.total)

    def _save(self) -> None:
        """And hear whether the run was paused or cancelled, or another has its lease."""
        with self._database.connection() as conn:
            state = rows.run_save(conn, self._run, lease=self._lease, seconds=LEASE)
        self.going = state == "running"

    def leave(self, put_off: float) -> None:
        """Note the progress and give the lease back."""
        self._save()
        self.going = self.going and self._ended is None
        with self._database.connection() as conn:
            rows.run_leave(
                conn, self._run.id, lease=self._lease, state=self._ended, put_off=put_off
            )
        if self._ended:
            run = self._run
            log.info(
                "warming %d %s: %d of %d, %d points, %d saved, %d failures",
                *(run.id, self._ended, run.done, run.total, run.points, run.saved, run.failures),
            )
