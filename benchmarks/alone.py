"""A benchmark as a command of its own: `python -m benchmarks.X [--quick] [--json FILE]`.

Without `--json` it prints what it found. `script/bench` gives it, and renders the document.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.records import keep, recorded
from benchmarks.results import Chapter, Effort
from benchmarks.tables import chapter_text


def alone(
    measure: Callable[[Effort], Chapter],
    about: str | None,
    arguments: Sequence[str] | None = None,
) -> int:
    """The command; `about` is the module's docstring. The exit status: 1 where a target is missed
    and somebody reads it (with `--json` a miss is a result as any other).
    """
    parser = argparse.ArgumentParser(description=(about or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="only see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the result there")
    chosen = parser.parse_args(arguments)
    record = recorded(measure, Effort.QUICK if chosen.quick else Effort.FULL)
    if chosen.json:
        keep(record, chosen.json)
        return 0
    print(chapter_text(record.chapter, targets=True))
    return int(not all(target.met for target in record.chapter.targets))


def say(progress: str) -> None:
    """A line of progress, beside the result."""
    print(progress, file=sys.stderr, flush=True)
