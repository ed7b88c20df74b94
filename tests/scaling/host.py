"""A machine of its own, as far as Forewarm can tell: its own copy of the code, working directory,
HOME and TMPDIR, and an environment of config vars only. Redis and PostgreSQL are all it shares.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.house import Background, Web
from tests.workers.processes import ROOT, SCHEDULER, WORKER

SHIPPED = ("webapp", "workers", "templates", "static")


@dataclass
class Host:
    """What runs on it; see `running`."""

    directory: Path
    environ: dict[str, str]
    code: Path
    web: Web
    background: dict[str, Background] = field(default_factory=dict)

    def start_background(self, *names: str) -> None:
        """Worker, scheduler."""
        commands = {"worker": WORKER, "scheduler": SCHEDULER}
        for name in names:
            log = self.directory / name
            self.background[name] = Background(commands[name], self.environ, log, self.code)

    def output(self) -> str:
        """What all of it has said."""
        return "".join(each.output() for each in self._processes())

    def end(self) -> None:
        """SIGKILL to all of it."""
        for each in self._processes():
            each.process.kill()

    def _processes(self) -> list[Web | Background]:
        return [self.web, *self.background.values()]


def release(directory: Path) -> Path:
    """A copy of what is deployed; another release once something in it is changed."""
    for name in SHIPPED:
        shutil.copytree(ROOT / name, directory / name)
    shutil.copy2(ROOT / "wsgi.py", directory)
    return directory


@contextmanager
def running(
    directory: Path,
    settings: Mapping[str, str],
    *,
    background: bool = True,
    code: Path | None = None,
) -> Iterator[Host]:
    """Web, worker and scheduler, or web alone, started; gone with the block."""
    for name in ("home", "tmp"):
        (directory / name).mkdir()
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory / "home"),
        "TMPDIR": str(directory / "tmp"),
        **settings,
    }
    code = code or release(directory / "app")
    found = Host(directory, environ, code, Web(environ, directory / "web", directory=code))
    try:
        found.web.start()
        if background:
            found.start_background("worker", "scheduler")
        yield found
    finally:
        found.end()
