"""The Procfile's process types as a platform runs them: each line of it by a shell, in a copy of
what is committed, with the configuration's variables and the platform's own, and nothing else.

Nothing of this checkout's environment comes with them, but where the programs are.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from script.processes import procfile_commands
from script.var import ROOT

STOP_SECONDS = 30.0
"""What Heroku gives a dyno between SIGTERM and SIGKILL."""


def slug(directory: Path) -> Path:
    """A copy of what git has, or would take, as it is now; nobody may write to it."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if name.startswith(("tests/", "benchmarks/")) or not (ROOT / name).exists():
            continue
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, directory / name)
    for place in (directory, *directory.rglob("*")):
        place.chmod(place.stat().st_mode & ~0o222)
    return directory


def config_vars(**given: str) -> dict[str, str]:
    """What app.json makes of an app whose owner gave these, and only these."""
    env = json.loads((ROOT / "app.json").read_text())["env"]
    config: dict[str, str] = {}
    for name, said in env.items():
        if said.get("generator") == "secret":
            config[name] = secrets.token_hex(32)
        elif "value" in said:
            config[name] = said["value"]
        elif said.get("required", True):
            config[name] = given[name]
    return config | given


@dataclass
class Dyno:
    """One running process type, in a session of its own."""

    name: str
    log: Path
    popen: subprocess.Popen[bytes]
    took: float = field(default=0.0)
    """Seconds from SIGTERM to the end of its last process."""

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def processes(self) -> list[psutil.Process]:
        """Itself and whatever it started."""
        try:
            parent = psutil.Process(self.popen.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


class Dynos:
    """An app's dynos: `run("release")` to its end, `start("web", PORT="8000")` and `stop()`."""

    def __init__(self, slug: Path, config: Mapping[str, str], logs: Path) -> None:
        self._slug = slug
        self._config = config
        self._logs = logs
        self._commands = procfile_commands(slug / "Procfile")
        self.running: list[Dyno] = []

    def start(self, name: str, **own: str) -> Dyno:
        """`own` is what the platform gives this dyno alone."""
        log = self._logs / f"{name}.log"
        environ = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
            "HOME": str(self._slug),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "true",
            "DYNO": f"{name}.1",
            **self._config,
            **own,
        }
        with log.open("wb") as output:
            popen = subprocess.Popen(
                ["/bin/sh", "-c", self._commands[name]],
                cwd=self._slug,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        dyno = Dyno(name, log, popen)
        self.running.append(dyno)
        return dyno

    def run(self, name: str) -> Dyno:
        """To its end; AssertionError with what it said where that isn't a good one."""
        dyno = self.start(name)
        assert dyno.popen.wait(60) == 0, dyno.output
        self.running.remove(dyno)
        return dyno

    def stop(self) -> None:
        """As Heroku does: SIGTERM to every process at once; what lives after 30 s is killed."""
        began = time.monotonic()
        left = [(dyno, dyno.processes()) for dyno in self.running]
        for _, processes in left:
            _signal(processes, signal.SIGTERM)
        while left and time.monotonic() < began + STOP_SECONDS:
            for dyno, processes in left:
                if dyno.popen.poll() is not None and not any(map(_lives, processes)):
                    dyno.took = time.monotonic() - began
            left = [(dyno, processes) for dyno, processes in left if not dyno.took]
            time.sleep(0.01)
        for dyno, processes in left:
            _signal(processes, signal.SIGKILL)
            dyno.popen.wait()
            dyno.took = STOP_SECONDS
        self.running = []


def _signal(processes: list[psutil.Process], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
