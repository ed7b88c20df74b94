"""A worker that is told to stop, as platforms do it: every process of the group, and so twice."""

from __future__ import annotations

import os
import shlex
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.workers.processes import ROOT, Process, running, wait_for
from webapp.jobs import NAMESPACE, Jobs

ENDS_WITHIN = 20.0  # seconds, from the signal to the exit
PASSED_ON = "Sending signal 'SIGTERM'"


def procfile_worker() -> tuple[str, ...]:
    """The Procfile's own worker, with the defaults of its variables and the slow actor."""
    lines = (ROOT / "Procfile").read_text().splitlines()
    (line,) = (each for each in lines if each.startswith("worker: exec "))
    command = line.removeprefix("worker: exec ")
    for variable, default in (("WORKER_PROCESSES", "1"), ("WORKER_THREADS", "4")):
        command = command.replace(f"${{{variable}:-{default}}}", default)
    program, broker, *options = shlex.split(command.removesuffix(" 2>&1"))
    options.remove("--skip-logging")  # what its parent says is what is waited for
    return (program, broker, "tests.workers.slow", *options)


@pytest.fixture
def slow_worker(redis_url: str, tmp_path: Path) -> Iterator[Process]:
    with running(procfile_worker(), redis_url, tmp_path / "slow.log") as process:
        yield process


def started(jobs: Jobs, store: redis.Redis, name: str, seconds: float) -> None:
    jobs.enqueue("slow", "upkeep", name, seconds)
    wait_for(lambda: store.get(f"started:{name}"), "start of the slow job")


def signal_group(process: Process) -> None:
    """To each process: the parent passes it on, so that a worker process gets it twice."""
    os.killpg(process.popen.pid, signal.SIGTERM)


def test_a_running_job_is_finished_however_often_every_process_is_signalled(
    slow_worker: Process, jobs: Jobs, store: redis.Redis
) -> None:
    started(jobs, store, "one", 1.5)
    for times in (1, 2, 3):
        signal_group(slow_worker)
        wait_for(lambda count=times: slow_worker.output.count(PASSED_ON) == count, PASSED_ON)  # type: ignore[misc]
    assert slow_worker.popen.wait(ENDS_WITHIN) == 0
    assert store.get("finished:one") == "1"
    assert not store.exists(f"{NAMESPACE}:upkeep.msgs")


def test_jobs_that_wait_behind_a_running_one_are_left_to_the_next_worker(
    slow_worker: Process, jobs: Jobs, store: redis.Redis, redis_url: str, tmp_path: Path
) -> None:
    for name in "abcd":  # as many as the worker has threads
        started(jobs, store, name, 1.0)
    for name in ("waits-1", "waits-2"):
        jobs.enqueue("slow", "upkeep", name, 0.0)
    signal_group(slow_worker)
    assert slow_worker.popen.wait(ENDS_WITHIN) == 0
    with running(procfile_worker(), redis_url, tmp_path / "next.log"):
        for name in ("a", "b", "c", "d", "waits-1", "waits-2"):
            wait_for(lambda each=name: store.get(f"finished:{each}") == "1", name)  # type: ignore[misc]


def test_a_job_longer_than_the_platforms_patience_is_returned_in_time(
    redis_url: str, jobs: Jobs, store: redis.Redis, tmp_path: Path
) -> None:
    *command, option, allowed = procfile_worker()
    assert option == "--worker-shutdown-timeout"
    patient = (*command, option, "1000")
    with running(patient, redis_url, tmp_path / "slow.log") as process:
        started(jobs, store, "long", 60.0)
        began = time.monotonic()
        signal_group(process)
        process.popen.wait(ENDS_WITHIN)
        beside = time.monotonic() - began - 1.0
    print(f"beside its jobs, a worker takes {beside:.1f} s to end")
    assert beside + int(allowed) / 1000 <= ENDS_WITHIN
    # It is still in the queue's book: whoever comes next redelivers it (WORKER_TIMEOUT_MS).
    assert store.hlen(f"{NAMESPACE}:upkeep.msgs") == 1
