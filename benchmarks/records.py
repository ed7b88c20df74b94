"""Kept results: a chapter and how it was taken, one JSON file each in benchmarks/results/.

They are committed: docs/performance.md is rendered from them, and a test compares the two.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.machine import Machine, commit, this_machine
from benchmarks.results import Chapter, Effort

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True, slots=True)
class Run:
    """How figures were taken. `taken` is UTC, to the minute; loads are the machine's averages over
    a minute, before and after: one far above the benchmark's own says that others worked too.
    """

    taken: str
    commit: str
    effort: Effort
    seconds: float
    load_before: float
    load_after: float
    machine: Machine


@dataclass(frozen=True, slots=True)
class Record:
    """What is kept of a benchmark."""

    run: Run
    chapter: Chapter


_JSON = TypeAdapter(Record)


def recorded(measure: Callable[[Effort], Chapter], effort: Effort) -> Record:
    """Measure, and note how."""
    moment, before, began = datetime.now(UTC), os.getloadavg()[0], time.monotonic()
    chapter = measure(effort)
    run = Run(
        taken=moment.strftime("%Y-%m-%d %H:%M"),
        commit=commit(),
        effort=effort,
        seconds=round(time.monotonic() - began, 1),
        load_before=round(before, 2),
        load_after=round(os.getloadavg()[0], 2),
        machine=this_machine(),
    )
    return Record(run, chapter)


def to_json(record: Record) -> bytes:
    """Readable, so that a commit shows which figures changed."""
    return _JSON.dump_json(record, indent=1) + b"\n"


def from_json(text: bytes) -> Record:
    """Raises pydantic.ValidationError, a ValueError."""
    return _JSON.validate_json(text)


def keep(record: Record, file: Path) -> None:
    """Replace `file` at once: an interrupted benchmark leaves the result before it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.write_bytes(to_json(record))
    fresh.replace(file)


def kept(folder: Path = RESULTS) -> dict[str, Record]:
    """All there are, by chapter's name."""
    return {file.stem: from_json(file.read_bytes()) for file in sorted(folder.glob("*.json"))}
