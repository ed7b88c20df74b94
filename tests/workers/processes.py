"""Real `dramatiq` and `periodiq` processes on the session's Valkey."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dramatiq import Worker

from webapp.errors import BrokerUnavailable
from webapp.jobs import Jobs
from workers.broker import JobBroker

ROOT = Path(__file__).parents[2]
WORKER = (
    "dramatiq", "workers.main", "--processes", "1", "--threads", "4",
    "--worker-shutdown-timeout", "15000",
)  # fmt: skip
SCHEDULER = ("periodiq", "workers.schedule")


class Process:
    """A child in a process group of its own; its output is kept."""

    def __init__(
        self,
        command: tuple[str, ...],
        environment: dict[str, str],
        log: Path,
        directory: Path = ROOT,
    ) -> None:
        self._log = log
        program, *arguments = command
        with log.open("wb") as output:
            self.popen = subprocess.Popen(
                [str(Path(sys.executable).with_name(program)), *arguments],
                cwd=directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def kill(self) -> None:
        """SIGKILL, children included."""
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()

    def terminate(self, seconds: float = 20.0) -> int:
        """SIGTERM to the parent alone, as a platform does; its exit code."""
        self.popen.terminate()
        return self.popen.wait(seconds)


@contextmanager
def running(
    command: tuple[str, ...], redis_url: str, log: Path, **variables: str
) -> Iterator[Process]:
    """The process, started; gone at the end, whatever happened."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOST": "127.0.0.1",
        "REDIS_URL": redis_url,
        "DATABASE_URL": "postgresql://localhost/unused",
        "dramatiq_restart_delay": "300",  # ms until a consumer tries again; 3 s by default
        **variables,
    }
    process = Process(command, environment, log)
    try:
        yield process
    finally:
        process.kill()


def wait_for(condition: Callable[[], object], what: str, seconds: float = 20.0) -> None:
    """Poll until the condition holds; fail, saying what was waited for, after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"no {what} within {seconds:g} s")
        time.sleep(0.005)


def unconnected(process: Process) -> set[str]:
    """The queues whose consumers have noticed that the broker is away."""
    return set(re.findall(r"ConsumerThread\((\S+)\).*connection error", process.output))


def beats_since(jobs: Jobs, moment: float) -> bool:
    """Whether a worker finished a heartbeat after `moment`, Unix seconds."""
    try:
        worker = jobs.heartbeats().worker
    except BrokerUnavailable:
        return False
    return worker is not None and worker >= moment


def work_off(broker: JobBroker, queue: str = "upkeep") -> None:
    """Do all that is in a queue, delayed jobs included, in a worker of this process."""
    with working(broker):
        broker.join(queue, interval=5, timeout=10_000)


@contextmanager
def working(broker: JobBroker) -> Iterator[None]:
    """A worker in this process."""
    worker = Worker(broker, worker_timeout=20, worker_threads=2)
    worker.start()
    try:
        yield
    finally:
        worker.stop()
