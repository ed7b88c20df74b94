"""Everything that runs, and how each part is killed, paused, slowed, stopped and comes back.

    with House.whole(...) as house: house.suffer("redis", "kill", seconds)

Slow is SIGSTOP and SIGCONT in turn: whatever asks it waits, nothing is lost.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import requests

from script.embedded import Postgres, Store, Valkey
from tests.standin.process import StandIn
from tests.workers.processes import ROOT, SCHEDULER, WORKER, Process, wait_for

STOPPED, RUNNING = 0.06, 0.02  # seconds of a slow part's turns
READY = 20.0  # seconds until a started process answers
STOPS_WITHIN = 20.0  # seconds after SIGTERM


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


class Web:
    """The Procfile's server, on the same port each time it is started."""

    def __init__(
        self, environ: Mapping[str, str], log: Path, *, threads: int = 16, directory: Path = ROOT
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.api = f"{self.url}/api/v3"
        self._environ = {**environ, "PORT": str(self.port), "WEB_THREADS": str(threads)}
        self._command = (
            *("granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(self.port)),
            *("--workers", "1", "--blocking-threads", str(threads), "--backlog", "2048"),
            *("--http", "1", "--no-ws", "--no-access-log", "--respawn-failed-workers"),
            *("--workers-kill-timeout", "12", "wsgi:app"),
        )
        self._log, self._times = log, 0
        self._directory = directory
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        assert self._process
        return self._process

    def start(self) -> None:
        self._times += 1
        log = self._log.with_suffix(f".{self._times}.log")
        self._process = Process(self._command, self._environ, log, self._directory)

    def wait_ready(self) -> None:
        wait_for(self.answers, f"answer of {self.url}: {self.process.output[-1000:]}", READY)

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/healthz", timeout=1).ok
        except (requests.ConnectionError, requests.Timeout):
            return False

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        return self.process.terminate(STOPS_WITHIN)

    def kill(self) -> None:
        self.process.kill()

    def kill_child(self) -> None:
        """The process that serves; its parent starts another."""
        for child in psutil.Process(self.process.popen.pid).children():
            child.kill()

    def signal(self, number: signal.Signals) -> None:
        os.killpg(self.process.popen.pid, number)

    def output(self) -> str:
        """Of all its lives."""
        return "".join(each.read_text(errors="replace") for each in self._logs())

    def _logs(self) -> list[Path]:
        return [self._log.with_suffix(f".{n}.log") for n in range(1, self._times + 1)]


class Background:
    """A worker or scheduler, replaced when it has ended."""

    def __init__(
        self,
        command: tuple[str, ...],
        environ: Mapping[str, str],
        log: Path,
        directory: Path = ROOT,
    ) -> None:
        self._command, self._environ, self._log = command, dict(environ), log
        self._directory, self._times = directory, 0
        self.process = self._started()

    def _started(self) -> Process:
        self._times += 1
        log = self._log.with_suffix(f".{self._times}.log")
        return Process(self._command, self._environ, log, self._directory)

    def replace(self) -> None:
        self.process = self._started()

    def signal(self, number: signal.Signals) -> None:
        os.killpg(self.process.popen.pid, number)

    def output(self) -> str:
        logs = (self._log.with_suffix(f".{n}.log") for n in range(1, self._times + 1))
        return "".join(each.read_text(errors="replace") for each in logs)


@dataclass
class House:
    """One Redis, one broker, one PostgreSQL, GitHub, two web processes, a worker, a scheduler."""

    environ: dict[str, str]
    redis: Valkey
    broker: Valkey
    postgres: Postgres
    github: StandIn
    folder: Path
    webs: list[Web] = field(default_factory=list)
    background: dict[str, Background] = field(default_factory=dict)

    def start(self) -> None:
        self.webs = [Web(self.environ, self.folder / f"web-{n}") for n in (0, 1)]
        for web in self.webs:
            web.start()
        for name, command in (("worker", WORKER), ("scheduler", SCHEDULER)):
            self.background[name] = Background(command, self.environ, self.folder / name)
        for web in self.webs:
            web.wait_ready()

    def end(self) -> None:
        for each in self._processes():
            each.process.kill()

    def output(self) -> str:
        """What all of them have said."""
        return "".join(each.output() for each in self._processes())

    def _processes(self) -> list[Web | Background]:
        return [*self.webs, *self.background.values()]

    def suffer(self, part: str, kind: str, seconds: float) -> None:
        """One fault from its beginning to its end, the part's return included."""
        if part in {"redis", "broker", "postgres"}:
            store: Store = getattr(self, part)
            self._suffer_store(store, kind, seconds)
        elif part == "github":
            self._suffer_github(kind, seconds)
        elif part.startswith("web"):
            self._suffer_web(self.webs[int(part[-1])], kind, seconds)
        else:
            self._suffer_background(self.background[part], kind, seconds)

    def _suffer_store(self, store: Store, kind: str, seconds: float) -> None:
        if kind == "kill":
            store.kill()
            time.sleep(seconds)
            store.start()
        elif kind == "pause":
            store.pause()
            time.sleep(seconds)
            store.resume()
        else:
            in_turns(store.pause, store.resume, seconds)

    def _suffer_github(self, kind: str, seconds: float) -> None:
        if kind == "pause":
            self.github.process.send_signal(signal.SIGSTOP)
            time.sleep(seconds)
            self.github.process.send_signal(signal.SIGCONT)
            return
        orders: dict[str, tuple[str, dict[str, Any]]] = {
            "fail": ("status", {"status": 503}),
            "slow": ("delay", {"delay_ms": 400}),
            "reset": ("reset", {}),
        }
        name, options = orders[kind]
        self.github.fault(name, **options)
        time.sleep(seconds)
        self.github.clear_faults()

    def _suffer_web(self, web: Web, kind: str, seconds: float) -> None:
        if kind == "kill child":
            web.kill_child()
            wait_for(web.answers, f"another child of {web.url}", READY)
        elif kind in {"kill", "stop"}:
            web.kill() if kind == "kill" else web.stop()
            time.sleep(seconds / 2)
            web.start()
            web.wait_ready()
        elif kind == "pause":
            web.signal(signal.SIGSTOP)
            time.sleep(seconds)
            web.signal(signal.SIGCONT)
        else:
            in_turns(
                lambda: web.signal(signal.SIGSTOP), lambda: web.signal(signal.SIGCONT), seconds
            )

    def _suffer_background(self, each: Background, kind: str, seconds: float) -> None:
        if kind == "kill":
            each.process.kill()
            time.sleep(seconds)
            each.replace()
        elif kind == "stop":
            ending = each.process
            ending.popen.terminate()
            each.replace()
            ending.popen.wait(STOPS_WITHIN)
        else:
            each.signal(signal.SIGSTOP)
            time.sleep(seconds)
            each.signal(signal.SIGCONT)


def in_turns(stop: Callable[[], None], go_on: Callable[[], None], seconds: float) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        stop()
        time.sleep(STOPPED)
        go_on()
        time.sleep(RUNNING)


@contextmanager
def whole(environ: dict[str, str], **parts: object) -> Iterator[House]:
    """A house whose processes run, and end with the block."""
    with ExitStack() as stack:
        house = House(environ=environ, **parts)  # type: ignore[arg-type]
        stack.callback(house.end)
        house.start()
        yield house
