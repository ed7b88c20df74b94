"""script/bench over these: `python -m tests.benchmarks.samples FOLDER MINUTES NAME…`."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.chapters import Listed
from benchmarks.runner import Plan, bench

if __name__ == "__main__":
    _, folder, minutes, *names = sys.argv
    listed = [Listed(name, "a sample", float(minutes), float(minutes)) for name in names]
    sys.exit(bench(Plan(listed, False, Path(folder), "tests.benchmarks.samples")))
