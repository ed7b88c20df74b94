"""Jobs: how long an idle worker takes to start one, what enqueueing costs, how many a worker does.

    python -m benchmarks.jobs [--starts 200] [--jobs 5000]

A real worker process (4 threads) on a real Valkey. The start is from before `enqueue` to the job's
own first line, both on this machine's clock; the worker was idle for longer than its longest pause
before each.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import redis

from script.embedded import Valkey
from tests.workers.processes import running, wait_for
from webapp.jobs import Jobs
from webapp.secret import Secret

WORKER = ("dramatiq", "benchmarks.timed_job", "--processes", "1", "--threads", "4")
TARGET_P95 = 0.150


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--starts", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=5_000)
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="forewarm-jobs-"))
    directory.chmod(0o755)
    valkey = Valkey(directory / "valkey")
    valkey.start()
    try:
        measure(valkey.url, directory, options.starts, options.jobs)
    finally:
        valkey.stop()


def measure(url: str, directory: Path, starts: int, number: int) -> None:
    """All of it, against one worker."""
    broker_url = url.removesuffix("/0") + "/1"
    jobs = Jobs(Secret(broker_url))
    with (
        redis.Redis.from_url(broker_url, decode_responses=True) as store,
        running(WORKER, url, directory / "worker.log"),
    ):
        jobs.enqueue("timed", "upkeep", -1)
        wait_for(lambda: store.exists("began:-1"), "first job")
        show("idle start", [one_start(jobs, store, each) for each in range(starts)], TARGET_P95)

        costs = []
        began = time.perf_counter()
        for each in range(number):
            before = time.perf_counter()
            jobs.enqueue("timed", "upkeep", starts + each)
            costs.append(time.perf_counter() - before)
        show("enqueue", costs)
        wait_for(lambda: store.get("done") == str(starts + number + 1), "last job", 300)
        seconds = time.perf_counter() - began
        print(f"{'throughput':12} {number / seconds:,.0f} jobs/s, enqueued and done at once")
    jobs.close()


def one_start(jobs: Jobs, store: redis.Redis, number: int) -> float:
    """Seconds from enqueueing to the job's first line."""
    time.sleep(0.12 + random.random() * 0.05)
    enqueued = time.time()
    jobs.enqueue("timed", "upkeep", number)
    wait_for(lambda: store.exists(f"began:{number}"), "start")
    return float(str(store.get(f"began:{number}"))) - enqueued


def show(name: str, seconds: Sequence[float], target: float | None = None) -> None:
    """One line: median, p95, p99."""
    cuts = statistics.quantiles(seconds, n=100)
    middle, p95, p99 = cuts[49] * 1e3, cuts[94] * 1e3, cuts[98] * 1e3
    verdict = "" if target is None else f"  p95 target {target * 1e3:.0f} ms: "
    verdict += "" if target is None else ("met" if cuts[94] <= target else "MISSED")
    print(f"{name:12} p50 {middle:.2f} ms, p95 {p95:.2f} ms, p99 {p99:.2f} ms{verdict}")


if __name__ == "__main__":
    main()
