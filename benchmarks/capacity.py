"""How cost grows, and what saturates first from one small dyno to many machines."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.records import Record


def growth(records: Mapping[str, Record]) -> str:
    """What each doubling costs."""
    return f"{len(records)} results"


def capacity(records: Mapping[str, Record]) -> str:
    """From one small dyno up."""
    return f"{len(records)} results"
