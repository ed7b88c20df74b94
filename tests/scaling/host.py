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
    web: Web
    background: dict[str, Background] = field(default_factory=dict)

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
    """A copy of what is deployed; a release of its own once something in it is changed."""
    for name in SHIPPED:
        shutil.copytree(ROOT / name, directory / name)
    shutil.copy2(ROOT / "wsgi.py", directory)
    return directory


@contextmanager
def running(
    directory: Path, settings: Mapping[str, str], *, background: bool = True
) -> Iterator[Host]:
    """Web, worker and scheduler, or web alone, started; gone with the block."""
    code = release(directory / "app")
    for name in ("home", "tmp"):
        (directory / name).mkdir()
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory / "home"),
        "TMPDIR": str(directory / "tmp"),
        **settings,
    }
    found = Host(directory, Web(environ, directory / "web", directory=code))
    try:
        found.web.start()
        if background:
            for name, command in (("worker", WORKER), ("scheduler", SCHEDULER)):
                found.background[name] = Background(command, environ, directory / name, code)
        yield found
    finally:
        found.end()
