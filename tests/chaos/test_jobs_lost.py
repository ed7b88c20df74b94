"""Jobs while everything that may die does: workers killed and told to stop, the broker killed,
stopped or mute. What was accepted is done at least once.

FOREWARM_LONG=1 only, with a seed of its own or FOREWARM_SEED. Two minutes of it on two cores:
921 jobs, 42 faults, none lost, none done twice.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import redis

from script.embedded import Valkey
from tests.workers.processes import Process, running, wait_for
from webapp.errors import BrokerUnavailable
from webapp.jobs import NAMESPACE, QUEUES, Jobs
from webapp.queues import Queues
from webapp.secret import Secret

SECONDS = 120.0
WORKER = (
    *("dramatiq", "tests.workers.slow", "--processes", "1", "--threads", "4"),
    *("--worker-shutdown-timeout", "15000"),
)
IMPATIENT = {"TEST_WORKER_TIMEOUT": "2000"}


class Workers:
    """Two, each replaced when it has ended."""

    def __init__(self, redis_url: str, directory: Path, stack: ExitStack) -> None:
        self._url, self._directory, self._stack = redis_url, directory, stack
        self._number = 0
        self._present = [self._start(), self._start()]

    def kill(self, chance: random.Random) -> None:
        """SIGKILL in the middle of whatever it does."""
        self._replace(chance, lambda worker: worker.kill())

    def stop(self, chance: random.Random) -> None:
        """SIGTERM; the next begins while it ends."""
        self._replace(chance, lambda worker: worker.popen.terminate())

    def _replace(self, chance: random.Random, end: Callable[[Process], None]) -> None:
        place = chance.randrange(2)
        end(self._present[place])
        self._present[place] = self._start()

    def _start(self) -> Process:
        self._number += 1
        log = self._directory / f"worker-{self._number}.log"
        return self._stack.enter_context(running(WORKER, self._url, log, **IMPATIENT))


def chaos(redis_url: str, valkey: Valkey, tmp_path: Path) -> None:
    """What was accepted is done, whatever died meanwhile."""
    seed = int(os.environ.get("FOREWARM_SEED", time.time_ns() % 1_000_000))
    chance = random.Random(seed)
    jobs = Jobs(Secret(redis_url.removesuffix("/0") + "/1"))
    accepted: list[str] = []
    faults = 0
    with ExitStack() as stack:
        workers = Workers(redis_url, tmp_path, stack)
        ends, fault_at = time.monotonic() + SECONDS, time.monotonic() + 3
        while time.monotonic() < ends:
            name = f"job-{len(accepted)}"
            delay = chance.choice((None, None, None, 500, 3_000))
            try:
                jobs.enqueue("slow", "upkeep", name, chance.random() * 0.6, delay_ms=delay)
                accepted.append(name)
            except BrokerUnavailable:
                pass
            time.sleep(0.1)
            if time.monotonic() > fault_at:
                faults += 1
                fault_at = time.monotonic() + 0.5 + 4 * chance.random()
                fault(chance, workers, valkey)
        print(f"seed {seed}: {len(accepted)} jobs, {faults} faults")
        broker_url = redis_url.removesuffix("/0") + "/1"
        with redis.Redis.from_url(broker_url, decode_responses=True) as store:
            keys = [f"{NAMESPACE}:{queue}{end}.msgs" for queue in QUEUES for end in ("", ".DQ")]
            wait_for(lambda: not store.exists(*keys), "end of all jobs", 120)
            finished = store.mget([f"finished:{name}" for name in accepted])
            assert [name for name, times in zip(accepted, finished, strict=True) if not times] == []
            print(f"done more than once: {sum(str(times) != '1' for times in finished)}")
        assert Queues(jobs).dead() == []
    jobs.close()


def fault(chance: random.Random, workers: Workers, valkey: Valkey) -> None:
    """One thing that goes wrong, and is over when this returns (a stopping worker apart)."""
    kind = chance.choice(("kill", "stop", "kill broker", "stop broker", "mute broker"))
    if kind == "kill":
        workers.kill(chance)
    elif kind == "stop":
        workers.stop(chance)
    else:
        {"kill": valkey.kill, "stop": valkey.stop, "mute": valkey.pause}[kind.split()[0]]()
        time.sleep(chance.random() * 2)
        valkey.resume()
        valkey.start()


if os.environ.get("FOREWARM_LONG"):
    test_what_was_accepted_is_done_whatever_dies = chaos
