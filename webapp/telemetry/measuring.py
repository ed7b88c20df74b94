"""Everything that measures, put together: what listens, what reads gauges, what delivers.

The recorder flushes it every 5 s and at the process' end. With TELEMETRY=off it never starts.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from flask import Flask

from webapp.hitpath import Tally
from webapp.telemetry.counts import Counts
from webapp.telemetry.delivery import Deliveries
from webapp.telemetry.gauges import Gauges
from webapp.telemetry.listening import Listening

SAMPLE_EVERY = 4.0  # seconds at least: each flush but that of a process that lives shorter


class Measuring:
    """One per process."""

    def __init__(
        self,
        counts: Counts,
        deliveries: Deliveries,
        gauges: Gauges,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` is monotonic."""
        self._counts = counts
        self._deliveries = deliveries
        self._gauges = gauges
        self._clock = clock
        self._listening = Listening(counts)
        self._sampled_at = clock()
        self._on = False

    def start(self, app: Flask | None) -> None:
        """Listen, to an application's requests too where there is one."""
        self._listening.start(app)
        self._on = True

    def stop(self) -> None:
        """Hear nothing more; what is counted is still delivered by the next flush."""
        self._listening.stop()

    def hits(self, tally: Tally) -> None:
        """Take a flush's hits."""
        if self._on:
            self._listening.hits(tally)

    def flush(self) -> None:
        """Deliver what was counted; what Redis can't take now is kept."""
        if not self._on:
            return
        now = self._clock()
        if now - self._sampled_at >= SAMPLE_EVERY:
            self._sampled_at = now
            self._gauges.sample()
        self._deliveries.put(self._counts.take())
        self._deliveries.deliver()
