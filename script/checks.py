"""script/lint: style, format, types and layers; each named and timed, all run even if one fails."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from script.var import ROOT

BIN = Path(sys.executable).parent

# name -> command; their settings are in pyproject.toml.
CHECKS: Mapping[str, Sequence[str]] = {
    "ruff check": ("ruff", "check", "--quiet", "."),
    "ruff format": ("ruff", "format", "--check", "--quiet", "."),
    "mypy": ("mypy", "--no-error-summary"),
    "lint-imports": ("lint-imports", "--no-logo"),
}


def run(checks: Mapping[str, Sequence[str]] = CHECKS, cwd: Path = ROOT) -> list[str]:
    """Run all of them, show a line for each and the words of those that fail; the failures."""
    failures = []
    for name, (program, *arguments) in checks.items():
        began = time.monotonic()
        done = subprocess.run(
            [BIN / program, *arguments],
            cwd=cwd,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            env={**os.environ, "NO_COLOR": "1"},
        )
        seconds = time.monotonic() - began
        if done.returncode:
            failures.append(name)
            print(done.stdout.rstrip())
        print(f"{'FAILS' if done.returncode else 'ok   '} {name:<14}{seconds:6.1f} s", flush=True)
    return failures


if __name__ == "__main__":
    sys.exit(1 if run() else 0)
