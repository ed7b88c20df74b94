"""Figures that many rows make are kept for some seconds, for whoever looks at the same period.

Counts come to Redis every five seconds anyway. The longer the period, the longer a figure stands:
a hundredth of a step of its charts' doesn't show. By explicit keys (cache/results.py), plain data
alone; without Redis each is made anew.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from webapp.reports.periods import Window
from webapp.services import Services
from webapp.telemetry.histogram import Histogram

Plain = TypeVar("Plain")
Packed = tuple[int, int | None, int | None, bytes]

LEAST, MOST = 8, 60  # seconds
TAG = "results:figures"


def kept(services: Services, name: str, window: Window, compute: Callable[[], Plain]) -> Plain:
    """What `compute` made of late of this window's figures called so, else what it makes now."""
    seconds = min(MOST, max(LEAST, window.step.total_seconds() / 100))
    whole = [int(window.since.timestamp()), int(window.until.timestamp())]
    turn = int(window.now.timestamp() // seconds)
    return services.results.cached(name, [*whole, turn], (TAG,), seconds, compute)


def packed(histogram: Histogram) -> Packed:
    """As plain data."""
    return histogram.sum, histogram.least, histogram.most, histogram.to_bytes()


def unpacked(plain: Packed) -> Histogram:
    """Of what `packed` gave."""
    total, least, most, buckets = plain
    return Histogram.from_bytes(buckets, total, least, most)
