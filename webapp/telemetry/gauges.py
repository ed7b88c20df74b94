"""What can be read at any moment: stores, queues, heartbeats, GitHub's limits, this process.

What all processes share is read by one of them every SHARED_EVERY seconds, whoever comes first, so
history goes on while any process runs. What can't be read is left out: no reading is no zero.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webapp.cache.connection import Connection
from webapp.db.pool import Database
from webapp.errors import (
    BrokerUnavailable,
    CredentialRefused,
    GitHubUnavailable,
    StoreUnavailable,
)
from webapp.github.allowance import RESOURCES
from webapp.github.budget import Budget
from webapp.github.credentials import Credentials
from webapp.jobs import Jobs
from webapp.queues import Queues
from webapp.telemetry.counts import Counts
from webapp.telemetry.windows import Windows

SHARED_EVERY = 10.0
ASKING = 2.0  # seconds for which GitHub may be asked which installations there are
CREDENTIALS_MAX = 16  # an App's installations may be many
_STATM = Path("/proc/self/statm")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Reading:
    """A gauge's value now; `labels` as the measure has them."""

    name: str
    labels: tuple[str, ...]
    value: float


class Gauges:
    """One per process."""

    def __init__(
        self,
        *,
        role: str,
        redis: Connection,
        database: Database,
        jobs: Jobs,
        queues: Queues,
        credentials: Credentials,
        budget: Budget,
        windows: Windows,
        counts: Counts,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`role` is web or worker."""
        self._role = role
        self._redis = redis
        self._database = database
        self._jobs = jobs
        self._queues = queues
        self._credentials = credentials
        self._budget = budget
        self._windows = windows
        self._counts = counts
        self._clock = clock

    def sample(self) -> None:
        """Put this process' readings into its counts, and everybody's where it is its turn."""
        for each in self._own():
            self._counts.set(each.name, *each.labels, value=each.value)
        used = self._database.used()
        for name, number in (
            ("db_pool_requests_total", used.requests),
            ("db_pool_waits_total", used.waits),
            ("db_pool_wait_milliseconds_total", used.wait_ms),
        ):
            if number:
                self._counts.add(name, number=number)
        try:
            elected = self._windows.elect("gauges", SHARED_EVERY - 1)
        except StoreUnavailable:
            elected = False
        for each in self.shared() if elected else ():
            self._counts.set(each.name, *each.labels, value=each.value)

    def shared(self) -> list[Reading]:
        """What all processes share, read now. Raises nothing."""
        return [*self._of_redis(), *self.of_jobs(), *self.limits()]

    def _own(self) -> Iterator[Reading]:
        if (memory := resident_memory()) is not None:
            process = f"{socket.gethostname()}:{os.getpid()}"
            yield Reading("process_memory_bytes", (self._role, process), memory)

    def _of_redis(self) -> Iterator[Reading]:
        try:
            told: dict[str, Any] = self._redis.info()
        except StoreUnavailable:
            return
        for name, field in (
            ("redis_memory_bytes", "used_memory"),
            ("redis_memory_limit_bytes", "maxmemory"),
            ("redis_evicted_keys", "evicted_keys"),
            ("redis_clients", "connected_clients"),
        ):
            if field in told:
                yield Reading(name, (), float(told[field]))

    def of_jobs(self) -> Iterator[Reading]:
        """Queues and heartbeats, read now; nothing where the broker is away."""
        now = self._clock()
        try:
            state, beats = self._queues.state(), self._jobs.heartbeats()
        except BrokerUnavailable:
            return
        for depth in state.queues:
            queue = (depth.queue,)
            yield Reading("queue_depth", queue, depth.waiting + depth.running)
            yield Reading("queue_delayed", queue, depth.delayed)
            yield Reading("dead_letters", queue, depth.dead)
            yield Reading("queue_oldest_seconds", queue, depth.oldest or 0.0)
        for process, seen in (("worker", beats.worker), ("scheduler", beats.scheduler)):
            if seen is not None:
                yield Reading("heartbeat_age_seconds", (process,), max(0.0, now - seen))

    def limits(self) -> Iterator[Reading]:
        """Points left of each credential of ours, as far as they are known."""
        try:
            ids = self._credentials.ids(time.monotonic() + ASKING)[:CREDENTIALS_MAX]
        except (CredentialRefused, GitHubUnavailable):
            return
        for credential in ids:
            for resource in RESOURCES:
                left = self._budget.limits(credential, resource).remaining
                yield Reading("github_rate_limit_remaining", (credential, resource), left)


def resident_memory() -> float | None:
    """Bytes of this process' memory; None where the system doesn't say."""
    try:
        return float(int(_STATM.read_text().split()[1]) * _PAGE)
    except (OSError, ValueError, IndexError):
        return None
