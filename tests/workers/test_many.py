"""Two schedulers and eight workers at once: each periodic job runs once a period.

FOREWARM_LONG=1 watches five minutes, in which one scheduler and half of the workers are killed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from tests.workers.processes import SCHEDULER, Process, running, wait_for
from webapp.jobs import NAMESPACE
from workers.timetable import TIMETABLE, due
from workers.upkeep import TICK

LONG = bool(os.environ.get("FOREWARM_LONG"))
MINUTES = 5
EIGHT = ("dramatiq", "tests.workers.counted", "--processes", "8", "--threads", "1")
FOUR = ("dramatiq", "tests.workers.counted", "--processes", "4", "--threads", "1")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def expected(after: int, until: int) -> dict[str, int]:
    """How often each job must have run in these minutes, one by one."""
    counts = dict.fromkeys((each.actor for each in TIMETABLE), 0)
    for minute in range(after + 1, until + 1):
        for each in due(minute - 1, minute):
            counts[each.actor] += 1
    return {actor: number for actor, number in counts.items() if number}


def ran(store: redis.Redis) -> dict[str, int]:
    names = [each.actor for each in TIMETABLE]
    counts = store.mget([f"ran:{name}:done" for name in names])
    return {name: int(str(n)) for name, n in zip(names, counts, strict=True) if n is not None}


def settled(store: redis.Redis) -> bool:
    return not any(
        store.exists(f"{NAMESPACE}:{queue}.msgs") for queue in {each.queue for each in TIMETABLE}
    )


def test_each_periodic_job_runs_once_a_period(
    redis_url: str, store: redis.Redis, tmp_path: Path, stack: ExitStack
) -> None:
    def start(command: tuple[str, ...], name: str) -> Process:
        return stack.enter_context(running(command, redis_url, tmp_path / f"{name}.log"))

    # The minute that begins now, and no other: a tick at its very end belongs to the next.
    wait_for(lambda: time.time() % 60 < 45, "a minute with time in it", 20)
    start(EIGHT, "workers")
    schedulers = [start(SCHEDULER, f"scheduler-{number}") for number in (1, 2)]
    wait_for(lambda: all("Scheduling" in each.output for each in schedulers), "both ticks", 30)
    wait_for(lambda: store.get(TICK), "first tick taken up", 30)
    wait_for(lambda: settled(store), "end of all jobs")
    first = int(str(store.get(TICK)))
    assert ran(store) == expected(first - 1, first)


def watched(redis_url: str, store: redis.Redis, tmp_path: Path, stack: ExitStack) -> None:
    """Each periodic job runs once a period whoever dies."""

    def start(command: tuple[str, ...], name: str) -> Process:
        return stack.enter_context(running(command, redis_url, tmp_path / f"{name}.log"))

    wait_for(lambda: time.time() % 60 < 45, "a minute with time in it", 20)
    start(FOUR, "workers-1")
    mortal = start(FOUR, "workers-2")
    schedulers = [start(SCHEDULER, f"scheduler-{number}") for number in (1, 2)]
    wait_for(lambda: store.get(TICK), "first tick")
    first = int(str(store.get(TICK)))
    wait_for(lambda: int(str(store.get(TICK))) == first + 2, "third minute", 150)
    schedulers[0].kill()
    mortal.kill()
    wait_for(lambda: int(str(store.get(TICK))) == first + MINUTES, "last minute", 400)
    wait_for(lambda: settled(store), "end of all jobs", 60)
    found, wanted = ran(store), expected(first - 1, first + MINUTES)
    print(f"in {MINUTES + 1} minutes: {found}")
    # A killed worker's job may have been done and is done again: at least once is kept then.
    assert {name: max(found[name], wanted[name]) for name in wanted} == found
    assert sum(found.values()) - sum(wanted.values()) <= 4


if LONG:
    test_each_periodic_job_runs_once_a_period_whoever_dies = watched
