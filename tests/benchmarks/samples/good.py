"""One that finds something."""

from __future__ import annotations

import sys

from benchmarks.alone import alone
from benchmarks.results import Chapter, Effort, Table, Target


def measure(effort: Effort) -> Chapter:
    """A table and a target."""
    table = Table("Found", ("what", "ms"), (("this", 1.5),))
    return Chapter("good", "Good", f"a {effort} run", (table,), targets=(Target("starved", 4.0),))


if __name__ == "__main__":
    sys.exit(alone(measure, __doc__))
