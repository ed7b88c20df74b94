"""Ctrl-C, SIGTERM and a closed terminal, to be looked at: no work is torn in the middle."""

from __future__ import annotations

import signal
from types import FrameType


class Interrupted(Exception):
    """Somebody wants an end; `status` is the exit status that says so."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Interruption:
    """From its making on, signals are only noted: `status` is 128 and the last one's number."""

    def __init__(self) -> None:
        self.status = 0
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
                signal.signal(number, self._note)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.status = 128 + number

    def check(self) -> None:
        """Raises Interrupted where one was noted."""
        if self.status:
            raise Interrupted(self.status)
