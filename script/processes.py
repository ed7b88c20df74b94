"""Processes of the Procfile, run and shown as honcho does, and ended as their work needs.

Policy: honcho reads the Procfile and prints the lines; its Manager isn't used, because it kills
after 5 s (a worker may take 20), forgets a process that starts while it is stopping, and never
notices the end of a process whose children still hold its output. Here the end of the process
itself counts, and whatever is left of its group goes with it.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from honcho.colour import get_colours
from honcho.environ import parse_procfile
from honcho.printer import Message, Printer
from honcho.process import Popen

SYSTEM = "system"


def procfile_commands(procfile: Path) -> dict[str, str]:
    """Process type -> shell command, in the file's order."""
    commands: dict[str, str] = parse_procfile(procfile.read_text()).processes
    return dict(commands)


class Terminal:
    """Lines of many processes on one output, each with its time and name."""

    def __init__(self, names: Iterable[str]) -> None:
        self._printer = Printer()
        self._printer.width = max(map(len, (*names, SYSTEM)))
        self._colours = get_colours()
        self._lock = threading.Lock()

    def colour(self) -> str:
        colour: str = next(self._colours)
        return colour

    def show(self, line: str | bytes, name: str = SYSTEM, colour: str | None = None) -> None:
        now = datetime.datetime.now().astimezone()
        with self._lock, contextlib.suppress(OSError):  # nobody reads on: still stop well
            self._printer.write(Message("line", line, now, name, colour))


class Process:
    """A shell command in a session of its own, so that Ctrl-C reaches only who ends it in order."""

    def __init__(
        self, name: str, command: str, environ: Mapping[str, str], cwd: Path, terminal: Terminal
    ) -> None:
        self.name = name
        self._terminal = terminal
        self._colour = terminal.colour()
        self._popen: subprocess.Popen[bytes] = Popen(command, env=dict(environ), cwd=str(cwd))
        self._reader = threading.Thread(target=self._read, name=f"read-{name}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Of the process, its session and its process group."""
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        return self._popen.poll()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        with self._popen.stdout as output:
            for line in iter(output.readline, b""):
                self._terminal.show(line, self.name, self._colour)

    def ask_to_stop(self) -> None:
        """SIGTERM to the process alone: it tells its children, and dramatiq's take a second one
        for the order to drop their work. Children that outlived it are asked themselves.
        """
        if self.returncode is None:
            self._popen.terminate()
        else:
            self._signal_group(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to all that is left of its group."""
        self._signal_group(signal.SIGKILL)

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for zombies
            os.killpg(self.pid, number)

    @property
    def gone(self) -> bool:
        """Whether nothing of it is left: children that outlived it would hold its output open."""
        return self._popen.poll() is not None and not self._reader.is_alive()

    def finish_reading(self, seconds: float = 1) -> None:
        """Have its last lines shown."""
        self._reader.join(seconds)


def stop(processes: Iterable[Process], seconds: float) -> list[str]:
    """Ask all of them at once to stop, kill after `seconds`; the names of those killed."""
    left = [process for process in processes if not process.gone]
    for process in left:
        process.ask_to_stop()
    deadline = time.monotonic() + seconds
    while left and time.monotonic() < deadline:
        time.sleep(0.02)
        left = [process for process in left if not process.gone]
    for process in left:
        process.kill()
    for process in processes:
        process.finish_reading()
    return [process.name for process in left]
