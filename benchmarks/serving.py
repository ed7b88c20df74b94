"""Servers under load: started on one core, asked by wrk from another, on stores of their own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from script.embedded import Postgres, Valkey, start_together, stop_together
from tests.standin.accounts import SERVICE_TOKEN
from tests.standin.process import StandIn
from webapp.db.migrate import upgrade
from webapp.secret import Secret

ROOT = Path(__file__).resolve().parents[1]
KEY = "fwk_a-key-for-benchmarks"
SERVER_CORE, LOAD_CORE = "0", "1"
CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Ground:
    """What servers are started on: our settings, and the JSON that pallets/flask answers."""

    settings: dict[str, str]
    body: bytes
    directory: Path


def need_tools() -> None:
    """End here where one is missing."""
    for tool in ("wrk", "taskset"):
        if shutil.which(tool) is None:
            raise SystemExit(f"{tool} is missing: install it (Debian: apt-get install wrk)")


@contextmanager
def ground() -> Iterator[Ground]:
    """Stores and a stand-in GitHub with 10 kB of repository JSON, for as long as they are used."""
    with ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix="forewarm-bench-"))
        directory.chmod(0o755)
        stack.callback(shutil.rmtree, directory)
        valkey = Valkey(directory / "valkey")
        postgres = Postgres(directory / "postgres", durable=False)
        start_together([valkey, postgres])
        stack.callback(stop_together, [valkey, postgres])
        upgrade(Secret(postgres.url))
        github = stack.enter_context(StandIn.start(limits=False))
        github.change_repo("pallets/flask", description="x" * 3_000, webhook=False)
        body = requests.get(
            f"{github.url}/repos/pallets/flask",
            headers={"Authorization": f"Bearer {SERVICE_TOKEN}"},
            timeout=5,
        ).content
        settings = {
            "HOST": "127.0.0.1",
            "REDIS_URL": valkey.url,
            "DATABASE_URL": postgres.url,
            "GITHUB_API_URL": github.url,
            "GITHUB_TOKEN": SERVICE_TOKEN,
            "API_KEYS": f"bench:{KEY}",
            "SECRET_KEY": "a secret key for benchmarks",
            "LOG_LEVEL": "WARNING",
        }
        yield Ground(settings, body, directory)


def granian(app: str, port: int) -> list[str]:
    """The command of one process of it."""
    return [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws"),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--blocking-threads", "16", app),
    ]


@contextmanager
def running(command: list[str], environ: dict[str, str], ready: str) -> Iterator[None]:
    """A server on its core, from when `ready`, a URL, answers."""
    own = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ}
    process = subprocess.Popen(
        ["taskset", "-c", SERVER_CORE, *command],
        cwd=ROOT,
        env=own,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                requests.get(ready, timeout=1)
                break
            except requests.ConnectionError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise SystemExit(f"not ready: {' '.join(command)}") from None
                time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def rate(url: str, seconds: int) -> float:
    """Requests a second of one URL; refuses to count a server that answers anything but 2xx."""
    printed = subprocess.run(
        [
            *("taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s"),
            *("-H", f"Authorization: Bearer {KEY}", url),
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    if "Non-2xx" in printed:
        raise SystemExit(f"{url} answered errors:\n{printed}")
    found = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    assert found
    return float(found[1])
