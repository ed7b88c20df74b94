"""What can be wrong with the queues, as verdicts. Pure."""

from __future__ import annotations

from webapp.jobs import Heartbeats
from webapp.queues import State as Queued
from webapp.reports.verdicts import Bounds, Verdict

OLDEST = Bounds(warn=60, fail=600)
"""Seconds that the longest waiting job waits; an idle worker starts one within 150 ms."""
DEAD = Bounds(warn=1, fail=100)
"""Dead letters, all queues together."""


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
