"""Jobs: what waits, runs and died, how long each actor takes, and what can be wrong with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from webapp.errors import DatabaseUnavailable, StoreUnavailable
from webapp.jobs import Heartbeats
from webapp.queues import DeadLetter
from webapp.queues import State as Queued
from webapp.reports.periods import Window
from webapp.reports.verdicts import Bounds, Verdict
from webapp.services import Services

OLDEST = Bounds(warn=60, fail=600)
"""Seconds that the longest waiting job waits; an idle worker starts one within 150 ms."""
DEAD = Bounds(warn=1, fail=100)
"""Dead letters, all queues together."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """An actor's runs in a period: how many by result, and how long, in seconds."""

    actor: str
    results: Mapping[str, int]
    p50: float | None
    p95: float | None

    @property
    def runs(self) -> int:
        """Of any result."""
        return sum(self.results.values())


@dataclass(frozen=True, slots=True)
class JobsReport:
    """The page's content; its JSON twin is views/api/jobs.py."""

    window: Window
    beats: Heartbeats
    state: Queued
    dead: Sequence[DeadLetter]
    runtimes: Sequence[Runtime]

    @property
    def verdicts(self) -> list[Verdict]:
        """Workers, scheduler, waiting, dead letters."""
        return verdicts(self.beats, self.state, self.window.now.timestamp())


def report(services: Services, window: Window, *, letters: int = 100) -> JobsReport:
    """Raises BrokerUnavailable; without metrics there are no runtimes."""
    return JobsReport(
        window,
        services.jobs.heartbeats(),
        services.queues.state(),
        services.queues.dead(limit=letters),
        runtimes(services, window),
    )


def runtimes(services: Services, window: Window) -> list[Runtime]:
    """By actor, the busiest first; none where metrics can't be read."""
    since, until = window.since.timestamp(), window.now.timestamp()
    metrics = services.metrics
    try:
        counted = metrics.totals("jobs_total", since=since, until=until, by=("actor", "result"))
        timed = metrics.totals("job_duration_seconds", since=since, until=until, by=("actor",))
    except (StoreUnavailable, DatabaseUnavailable):
        return []
    results: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for (actor, result), sample in counted.items():
        results[actor][result] = sample.count
    found = []
    for actor, by_result in results.items():
        took = timed.get((actor,))
        p50, p95 = (took.quantile(share) if took else None for share in (0.5, 0.95))
        found.append(Runtime(actor, by_result, p50, p95))
    return sorted(found, key=lambda each: (-each.runs, each.actor))


def verdicts(beats: Heartbeats, queued: Queued, now: float) -> list[Verdict]:
    """Worker, scheduler, waiting, dead letters; `now` in Unix seconds."""
    oldest = max((each.oldest or 0.0 for each in queued.queues), default=0.0)
    waiting = sum(each.waiting for each in queued.queues)
    dead = sum(each.dead for each in queued.queues)
    return [
        _worker(beats, queued, now),
        _shown(
            "Scheduler",
            beats.scheduler,
            now,
            "Start a scheduler: nothing periodic is enqueued without one.",
        ),
        Verdict(
            "Waiting",
            state := OLDEST.state(oldest),
            f"{waiting} waiting, the longest for {oldest:.0f} s" if waiting else "nothing waits",
            "" if state == "ok" else "Start more workers, or look at what they run.",
        ),
        Verdict(
            "Dead letters",
            state := DEAD.state(dead),
            f"{dead} failed for good" if dead else "none",
            "" if state == "ok" else "Read their errors; retry or delete them.",
        ),
    ]


def _worker(beats: Heartbeats, queued: Queued, now: float) -> Verdict:
    if queued.workers and beats.worker is None:
        running = sum(len(each.running) for each in queued.workers)
        return Verdict(
            "Workers",
            "warn",
            f"{len(queued.workers)} connected, running {running}, but no heartbeat for 3 minutes",
            "Is a scheduler running, and is a thread free? Else start more workers.",
        )
    return _shown("Workers", beats.worker, now, "Start a worker: queued jobs wait without one.")


def _shown(name: str, beat: float | None, now: float, action: str) -> Verdict:
    if beat is None:
        return Verdict(name, "fail", "no sign for 3 minutes", action)
    return Verdict(name, "ok", f"heartbeat {max(0.0, now - beat):.0f} s ago")
