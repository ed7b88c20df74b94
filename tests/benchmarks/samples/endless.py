"""One that starts a server in a session of its own, and a temporary file, and never ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.alone import alone
from benchmarks.results import Chapter, Effort

STARTED = "left-behind.txt"


def measure(_: Effort) -> Chapter:
    """Tells the pid of what it started and its file, then waits."""
    signal.signal(signal.SIGINT, lambda *_: sys.exit(1))  # ends without ending its server
    server = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    folder = tempfile.mkdtemp()
    told = Path(sys.argv[sys.argv.index("--json") + 1]).parent / STARTED
    told.with_suffix(".new").write_text(f"{server.pid} {folder}")
    told.with_suffix(".new").replace(told)
    signal.pause()
    raise AssertionError


if __name__ == "__main__":
    sys.exit(alone(measure, __doc__))
