"""Jobs: how long an idle worker takes to start one, what enqueueing costs, how many a worker does.

    python -m benchmarks.jobs [--quick]

A real worker process (4 threads) on a real Valkey. The start is from before `enqueue` to the job's
own first line, both on this machine's clock; the worker was idle for longer than its longest pause
before each.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Sequence

import redis

from benchmarks.alone import alone
from benchmarks.results import Cell, Chapter, Effort, Table
from benchmarks.stores import own_stores
from tests.workers.processes import running, wait_for
from webapp.jobs import Jobs
from webapp.secret import Secret

WORKER = ("dramatiq", "benchmarks.timed_job", "--processes", "1", "--threads", "4")
STARTS = {Effort.FULL: 200, Effort.QUICK: 20}
JOBS = {Effort.FULL: 5_000, Effort.QUICK: 500}


def measure(effort: Effort) -> Chapter:
    """All of it, against one worker."""
    starts, number = STARTS[effort], JOBS[effort]
    with own_stores() as stores:
        url = stores.valkey.url
        broker_url = url.removesuffix("/0") + "/1"
        jobs = Jobs(Secret(broker_url))
        with (
            redis.Redis.from_url(broker_url, decode_responses=True) as store,
            running(WORKER, url, stores.folder / "worker.log"),
        ):
            jobs.enqueue("timed", "upkeep", -1)
            wait_for(lambda: store.exists("began:-1"), "first job")
            waits = [one_start(jobs, store, each) for each in range(starts)]
            costs = []
            began = time.perf_counter()
            for each in range(number):
                before = time.perf_counter()
                jobs.enqueue("timed", "upkeep", starts + each)
                costs.append(time.perf_counter() - before)
            wait_for(lambda: store.get("done") == str(starts + number + 1), "last job", 300)
            rate = number / (time.perf_counter() - began)
        jobs.close()
    return Chapter(
        "jobs",
        "Jobs",
        f"One worker process of 4 threads. {starts} starts of an idle worker, from before the job"
        f" is enqueued to its first line; then {number:,} jobs that only count, enqueued and done"
        " at the same time.",
        (
            Table(
                "Milliseconds",
                ("", "p50", "p95", "p99"),
                (("start, idle worker", *_at(waits)), ("enqueueing", *_at(costs))),
            ),
            Table("Throughput", ("", "jobs a second"), (("enqueued and done", rate),)),
        ),
        figures={"jobs a second, a worker": rate},
    )


def one_start(jobs: Jobs, store: redis.Redis, number: int) -> float:
    """Seconds from enqueueing to the job's first line."""
    time.sleep(0.12 + random.random() * 0.05)
    enqueued = time.time()
    jobs.enqueue("timed", "upkeep", number)
    wait_for(lambda: store.exists(f"began:{number}"), "start")
    return float(str(store.get(f"began:{number}"))) - enqueued


def _at(seconds: Sequence[float]) -> tuple[Cell, ...]:
    """Median, p95 and p99 in milliseconds."""
    cuts = statistics.quantiles(seconds, n=100)
    return tuple(cuts[place] * 1_000 for place in (49, 94, 98))


if __name__ == "__main__":
    sys.exit(alone(measure, __doc__))
