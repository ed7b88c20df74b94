"""One that can't."""

from __future__ import annotations

import sys

from benchmarks.alone import alone
from benchmarks.results import Chapter, Effort


def measure(_: Effort) -> Chapter:
    """Raises."""
    raise RuntimeError("the server isn't there")


if __name__ == "__main__":
    sys.exit(alone(measure, __doc__))
