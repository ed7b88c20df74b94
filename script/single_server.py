"""One script/server a checkout, and none of a killed one's processes left over.

Policy: a record lock on var/server.json says whether a server lives, for it ends with its process
however that ends. The file lists the process groups that it started, so that the next server can
end those of one that was killed (-9).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import psutil

from script.locks import record_lock


class AlreadyRunning(Exception):
    """Another script/server runs in this checkout; str() says where."""


class SingleServer:
    """Held from start to end of a script/server; raises AlreadyRunning."""

    def __init__(self, file: Path, address: str) -> None:
        self._groups: list[int] = []
        file.parent.mkdir(parents=True, exist_ok=True)
        self._record: IO[str] = file.open("a+")
        if not record_lock(self._record):
            pid, where, _ = _read(self._record)
            self._record.close()
            raise AlreadyRunning(
                f"another one runs in this checkout already: pid {pid or 'unknown'}, {where}"
            )
        _, _, self._left_over = _read(self._record)
        self._address = address
        self._write()

    def end_left_over(self, root: Path, seconds: float = 5.0) -> int:
        """End the processes of a killed server; how many there were."""
        processes = _of_groups(self._left_over, root) if self._left_over else []
        left = processes
        for number in (signal.SIGTERM, signal.SIGKILL):
            for process in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(number)
            deadline = time.monotonic() + seconds
            while left and time.monotonic() < deadline:
                left = [process for process in left if _lives(process)]
                time.sleep(0.02)
        return len(processes)

    def started(self, group: int) -> None:
        """Remember a process group that a kill of this process would leave behind."""
        self._groups.append(group)
        self._write()

    def close(self) -> None:
        """All groups have ended: nothing is left over."""
        self._record.truncate(0)
        self._record.close()

    def _write(self) -> None:
        self._record.seek(0)
        self._record.truncate()
        json.dump(
            {"pid": os.getpid(), "address": self._address, "groups": self._groups}, self._record
        )
        self._record.flush()


def _read(record: IO[str]) -> tuple[int, str, list[int]]:
    """(pid, address, groups) as the last server wrote them; zeros where it wrote nothing whole."""
    record.seek(0)
    try:
        held = json.load(record)
        return int(held["pid"]), str(held["address"]), [int(group) for group in held["groups"]]
    except (ValueError, KeyError, TypeError):
        return 0, "", []


def _lives(process: psutil.Process) -> bool:
    """A zombie doesn't: it only waits for a parent to take note, and may wait for ever."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _of_groups(groups: Iterable[int], root: Path) -> list[psutil.Process]:
    """Live processes of these groups that work in `root`: a number may be someone else's by now."""
    found = []
    for process in psutil.process_iter(["cwd"]):
        with contextlib.suppress(ProcessLookupError):
            if process.info["cwd"] == str(root) and os.getpgid(process.pid) in groups:
                found.append(process)
    return found
