"""Remember for a moment that PostgreSQL is gone, so that threads don't queue up to learn it.

After a failure everyone is refused at once; when the moment is over one caller tries, while the
others are still refused.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Circuit:
    """Thread-safe. `memory` is in seconds; `clock` is monotonic."""

    def __init__(self, memory: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._memory = memory
        self._clock = clock
        self._lock = threading.Lock()
        self._failing = False
        self._refuse_until = 0.0

    def admits(self) -> bool:
        """Whether to try now. While it is failing, one caller in each `memory` seconds."""
        if not self._failing:
            return True
        with self._lock:
            if self._failing and self._clock() < self._refuse_until:
                return False
            self._refuse_until = self._clock() + self._memory
            return True

    def failed(self) -> bool:
        """Note a failure; True for the first of a row, which is worth a line in the log."""
        with self._lock:
            first, self._failing = not self._failing, True
            self._refuse_until = self._clock() + self._memory
            return first

    def succeeded(self) -> bool:
        """Note a success; True where it ends a row of failures."""
        if not self._failing:
            return False
        with self._lock:
            ended, self._failing = self._failing, False
            return ended
