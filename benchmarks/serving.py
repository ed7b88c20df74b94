"""Servers under load: started on one core, asked from another, on stores and a GitHub of their own.

    core 0   the server that is measured, and the stores it asks
    core 1   the load generator, and the stand-in GitHub

A machine of one core shares it among all, and then figures compare no servers.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

from benchmarks.bodies import enlarged
from script.embedded import Postgres, Valkey, start_together, stop_together
from tests.standin.accounts import SERVICE_TOKEN, SERVICE_TOKEN_2
from tests.standin.process import StandIn
from webapp.db.migrate import upgrade
from webapp.secret import Secret

ROOT = Path(__file__).resolve().parents[1]
KEY = "fwk_a-key-for-benchmarks"
BASE_URL = "http://127.0.0.1:8000"
"""What links start with, whatever port answers: so that all of ours share their entries."""
SERVER_CORE, LOAD_CORE = 0, 1
THREADS = 16
_STOP_SECONDS = 4


@dataclass(frozen=True, slots=True)
class Ground:
    """What servers are started on. `body` is the 10 kB of JSON that pallets/flask answers."""

    settings: dict[str, str]
    github: StandIn
    valkey: Valkey
    body: bytes
    directory: Path


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """What is started in here, processes and threads, runs on that core only; None: on any."""
    if core is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core} & before or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def ground(*, latency_ms: float = 0.0, repos: int = 1_200) -> Iterator[Ground]:
    """Stores and a stand-in GitHub that refuses nobody, for as long as they are used."""
    with ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix="forewarm-bench-"))
        directory.chmod(0o755)
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        valkey = Valkey(directory / "valkey")
        postgres = Postgres(directory / "postgres", durable=False)
        stack.callback(stop_together, [valkey, postgres])
        with on_core(SERVER_CORE):
            start_together([valkey, postgres])
        upgrade(Secret(postgres.url))
        with on_core(LOAD_CORE):
            github = stack.enter_context(
                StandIn.start(limits=False, repos=repos, latency_ms=latency_ms)
            )
        settings = {
            "HOST": "127.0.0.1",
            "REDIS_URL": valkey.url,
            "DATABASE_URL": postgres.url,
            "GITHUB_API_URL": github.url,
            # Two: what a benchmark asks for before it measures is more than one may in a minute.
            "GITHUB_TOKENS": f"{SERVICE_TOKEN},{SERVICE_TOKEN_2}",
            "API_KEYS": f"bench:{KEY}",
            "SECRET_KEY": "a secret key for benchmarks",
            "PUBLIC_URL": BASE_URL,
            "LOG_LEVEL": "WARNING",
        }
        yield Ground(settings, github, valkey, enlarged(github), directory)


def granian(app: str, port: int, workers: int = 1) -> list[str]:
    """The Procfile's server, with the flags that bear upon speed as they are there."""
    return [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1"),
        *("--port", str(port), "--workers", str(workers), "--blocking-threads", str(THREADS)),
        *("--backlog", "2048", "--backpressure", "4096", "--http", "1", "--no-ws"),
        *("--no-access-log", app),
    ]


def gunicorn(app: str, port: int, workers: int = 1) -> list[str]:
    """The fallback, with as many threads."""
    return [
        *(sys.executable, "-m", "gunicorn", "--worker-class", "gthread"),
        *("--threads", str(THREADS), "--workers", str(workers), "--backlog", "2048"),
        *("--keep-alive", "60", "--bind", f"127.0.0.1:{port}", app),
    ]


def started(
    command: Sequence[str], environ: Mapping[str, str], core: int | None = SERVER_CORE
) -> subprocess.Popen[bytes]:
    """A server on its core, not ready yet. `environ` is all that it is told, beside its paths."""
    path = f"{os.environ['PATH']}:/usr/sbin"
    with on_core(core):
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={"PATH": path, "PYTHONPATH": str(ROOT), **environ},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def wait_ready(process: subprocess.Popen[bytes], url: str, seconds: float = 30.0) -> None:
    """Until the URL answers, whatever; RuntimeError where it doesn't, or the process has ended."""
    deadline = time.monotonic() + seconds
    while True:
        with suppress(requests.ConnectionError, requests.Timeout):
            requests.get(url, headers={"Authorization": f"Bearer {KEY}"}, timeout=2)
            return
        if time.monotonic() > deadline or process.poll() is not None:
            raise RuntimeError(f"not ready: {process.args!r}")
        time.sleep(0.02)


def stop(process: subprocess.Popen[bytes], seconds: float = _STOP_SECONDS) -> None:
    """End a server and whatever it started; by force where it takes longer."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def running(
    command: Sequence[str], environ: Mapping[str, str], ready: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A server on its core, from when `ready`, a URL, answers."""
    process = started(command, environ)
    try:
        wait_ready(process, ready)
        yield process
    finally:
        stop(process)


def processes(pid: int) -> list[psutil.Process]:
    """A process and all below it."""
    try:
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(pid: int) -> float:
    """What a process and those below it have used, in user and system mode."""
    used = 0.0
    for each in processes(pid):
        with suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            used += times.user + times.system
    return used


def resident_mb(pid: int) -> float:
    """Memory of a process and those below it, what they share counted once each (PSS), in 10^6 B.

    Where the kernel doesn't tell, resident memory.
    """
    total = 0
    for each in processes(pid):
        with suppress(psutil.NoSuchProcess):
            info = each.memory_full_info()
            total += getattr(info, "pss", info.rss)
    return total / 1e6
