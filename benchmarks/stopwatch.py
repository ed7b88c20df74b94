"""Time that a query takes, whatever else the machine does."""

from __future__ import annotations

import time
from pathlib import Path

from webapp.db.statements import Connection


class Stopwatch:
    """Seconds that an asking takes, but for what other work on the machine makes it wait.

    Linux counts for each process how long it had a CPU, and how long it was ready and had none
    (Documentation/scheduler/sched-stats.rst). That wait of the client's and the server's is left
    out; never less is told than both computed. Elsewhere: the clock's own time.
    """

    def __init__(self, conn: Connection) -> None:
        pids = (str(conn.info.backend_pid), "self")
        self._files = [Path(f"/proc/{pid}/schedstat") for pid in pids]
        self._counted = all(each.exists() for each in self._files)
        self._began, self._before = 0.0, (0, 0)

    def start(self) -> None:
        """From now on."""
        self._before = self._ran_and_waited()
        self._began = time.perf_counter()

    def stop(self) -> float:
        """Seconds since the start."""
        took = time.perf_counter() - self._began
        ran, waited = self._ran_and_waited()
        waits = (waited - self._before[1]) / 1e9
        return max(took - waits, (ran - self._before[0]) / 1e9)

    def _ran_and_waited(self) -> tuple[int, int]:
        """Nanoseconds, of both processes."""
        if not self._counted:
            return 0, 0
        counts = [each.read_text().split() for each in self._files]
        return sum(int(each[0]) for each in counts), sum(int(each[1]) for each in counts)
