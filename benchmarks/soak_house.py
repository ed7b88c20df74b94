"""A Forewarm as a platform runs it, for hours: stores, a stand-in GitHub, the Procfile's processes.

What dies is started again, as a platform would. `Watch` looks at all of it every few seconds.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import psycopg
import redis
import requests

from benchmarks.machine import ROOT
from script.embedded import Postgres, Valkey, start_together, stop_together
from script.ports import free_port
from script.processes import procfile_commands
from tests.standin.accounts import SERVICE_TOKEN
from tests.standin.process import StandIn
from webapp.db.migrate import upgrade
from webapp.secret import Secret

KEY, PASSWORD = "fwk_a-key-for-benchmarks", "a password for benchmarks"
WEBHOOK_SECRET = "a webhook secret for benchmarks"
TYPES = ("web", "worker", "scheduler")
READY_SECONDS = 60.0
STOP_SECONDS = 30.0
LOOK_EVERY = 2.0  # seconds
RESTART_AFTER = 1.0  # seconds
MIB = 1 << 20


class Formation:
    """The Procfile's process types, each started again when it ends."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self._environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ}
        self._environ["PATH"] = f"{Path(sys.executable).parent}:{self._environ['PATH']}"
        self._folder = folder
        self._commands = procfile_commands(ROOT / "Procfile")
        self._ending = threading.Event()
        self._running = {name: self._start(name) for name in TYPES}
        self.restarts = 0
        self._keeper = threading.Thread(target=self._keep, name="formation")
        self._keeper.start()

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                ["/bin/sh", "-c", self._commands[name]],
                cwd=ROOT, env=self._environ, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def _keep(self) -> None:
        while not self._ending.wait(RESTART_AFTER):
            for name, process in list(self._running.items()):
                if process.poll() is not None:
                    self._running[name] = self._start(name)
                    self.restarts += 1

    def processes(self, name: str) -> list[psutil.Process]:
        """A process type's, its first the one that the platform started."""
        try:
            first = psutil.Process(self._running[name].pid)
            return [first, *first.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def kill(self, name: str) -> None:
        """-9, all processes of a type."""
        for each in self.processes(name):
            each.kill()

    def stop(self) -> None:
        """As a platform: SIGTERM to all, and whoever stays is killed."""
        self._ending.set()
        self._keeper.join()
        every = [each for name in TYPES for each in self.processes(name)]
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)
        _, alive = psutil.wait_procs(every, STOP_SECONDS)
        for each in alive:
            each.kill()
        for process in self._running.values():
            process.wait()


@dataclass(frozen=True, slots=True)
class House:
    """All of it."""

    url: str
    valkey: Valkey
    postgres: Postgres
    github: StandIn
    formation: Formation


@contextmanager
def house(*, latency_ms: float, orgs: int, repos: int) -> Iterator[House]:
    """Started, released and ready; each list of GitHub's organisations is watched."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="forewarm-bench-"))
        folder.chmod(0o755)
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        valkey, postgres = Valkey(folder / "valkey"), Postgres(folder / "postgres")
        stack.callback(stop_together, [valkey, postgres])
        start_together([valkey, postgres])
        upgrade(Secret(postgres.url))
        github = stack.enter_context(
            StandIn.start(latency_ms=latency_ms, orgs=orgs, repos=repos, limits=False)
        )
        names = [each["login"] for each in requests.get(
            f"{github.url}/organizations?per_page=100", timeout=10,
            headers={"Authorization": f"Bearer {SERVICE_TOKEN}"},
        ).json()]  # fmt: skip
        port = free_port()
        environ = {
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "REDIS_URL": valkey.url,
            "DATABASE_URL": postgres.url,
            "GITHUB_API_URL": github.url,
            "GITHUB_TOKEN": SERVICE_TOKEN,
            "GITHUB_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "API_KEYS": f"bench:{KEY}",
            "ADMIN_PASSWORD": PASSWORD,
            "SECRET_KEY": "a secret key for benchmarks, long enough",
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "WATCH": ",".join(names),
        }
        formation = Formation(environ, folder)
        stack.callback(formation.stop)
        url = f"http://127.0.0.1:{port}"
        _wait_ready(url, folder / "web.log")
        yield House(url, valkey, postgres, github, formation)


def _wait_ready(url: str, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            if requests.get(f"{url}/readyz", timeout=1).ok:
                return
        except requests.RequestException:
            time.sleep(0.05)
    raise RuntimeError(f"not ready:\n{log.read_text(errors='replace')[-2_000:]}")


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen at a moment (wall clock): MiB resident by process type, MiB of Redis and of
    PostgreSQL's data, connections of both."""

    at: float
    resident: Mapping[str, float]
    redis_mib: float = 0.0
    redis_connections: int = 0
    postgres_mib: float = 0.0
    postgres_connections: int = 0


@dataclass
class Watch:
    """Looks, in a thread, while its `with` block runs."""

    house: House
    looks: list[Look] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Not yet."""
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch")

    def __enter__(self) -> Watch:
        """From now on."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """No more."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(LOOK_EVERY):
            formation = self.house.formation
            resident = {name: _resident(formation.processes(name)) / MIB for name in TYPES}
            self.looks.append(Look(time.time(), resident, *self._redis(), *self._postgres()))

    def _redis(self) -> tuple[float, int]:
        try:
            with redis.Redis.from_url(self.house.valkey.url, socket_timeout=1) as client:
                said = client.info()
        except redis.RedisError:
            return 0.0, 0
        return said["used_memory"] / MIB, said["connected_clients"]

    def _postgres(self) -> tuple[float, int]:
        query = (
            "select pg_database_size(current_database()), count(*) from pg_stat_activity"
            " where datname = current_database()"
        )
        with psycopg.connect(self.house.postgres.url, connect_timeout=2) as connection:
            row = connection.execute(query).fetchone()
            assert row
            return row[0] / MIB, row[1]


def _resident(processes: list[psutil.Process]) -> int:
    """Bytes; shared pages are counted in each that has them."""
    total = 0
    for each in processes:
        try:
            total += each.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
