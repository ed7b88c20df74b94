"""A benchmark as a process whose end is the end of everything it started.

Policy: it runs in a session of its own, so that Ctrl-C is ours to pass on; it is asked first, for
it stops its servers in order, and whatever is left of it is killed. On Linux what loses its parent
becomes ours (PR_SET_CHILD_SUBREAPER, prctl(2)), so nothing gets away; elsewhere only what was seen
while it ran is known. Its temporary files lie in a folder that goes with it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from benchmarks.machine import ROOT
from script.interruption import Interrupted, Interruption

PR_SET_CHILD_SUBREAPER = 36
ASKED_SECONDS = 20.0  # to stop in order
POLL_SECONDS = 0.5
ADOPTS = sys.platform == "linux"


class TooLong(Exception):
    """It took longer than it may."""


def adopt_orphans() -> None:
    """From now on a process whose parent dies is a child of this one, where Linux does that."""
    if ADOPTS:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def run(
    command: Sequence[str], seconds: float, interruption: Interruption, more: Mapping[str, str]
) -> int:
    """Run it to its end, with `more` in its environment; its exit status.

    Raises TooLong after `seconds`, and Interrupted; both leave no process and no file.
    """
    folder = Path(tempfile.mkdtemp(prefix="forewarm-bench-"))
    folder.chmod(0o755)  # servers run as another account where we are root
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder), **more}
    others = {each.pid for each in _below()}
    seen: dict[int, psutil.Process] = {}
    process = subprocess.Popen(command, cwd=ROOT, env=environ, start_new_session=True)
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            if not ADOPTS:  # looking through all processes costs what is measured beside it
                seen.update({each.pid: each for each in _below()})
            interruption.check()
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(POLL_SECONDS)
        _ask(process)
        raise TooLong
    except Interrupted:
        _ask(process)
        raise
    finally:
        found = [*seen.values(), *_below()]
        _end([each for each in found if each.pid not in others])
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _ask(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(ASKED_SECONDS)


def _below() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def _end(processes: Sequence[psutil.Process]) -> None:
    """Kill what still runs; a pid that is another process's by now is known by its start."""
    for each in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if each.is_running():
                each.kill()
    psutil.wait_procs(processes, timeout=5)
