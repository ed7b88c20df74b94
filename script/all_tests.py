"""script/test: lint, then every test; the arguments are pytest's.

Most tests wait for a server more than they compute, so a process a core runs them, each with
stores of its own. Those that measure (marked `alone`) follow one by one, with the machine to
themselves.

Policy: what can't run here is said loudly, and under CI is a failure rather than a skip.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from script import checks
from script.var import ROOT

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
PROCESSES_MAX = 4
SIDE_BY_SIDE = ("-n", "auto", "--maxprocesses", str(PROCESSES_MAX), "--dist", "loadfile")
FINE = {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
RUNS = {"side by side": ("-m", "not alone", *SIDE_BY_SIDE), "alone": ("-m", "alone")}
BROWSER_TESTS = ROOT / "tests" / "browser"


def browser_refusal(*, ci: bool) -> str | None:
    """Have a Chromium for the browser tests; where there is none, what to say (None: all well)."""
    if not any(BROWSER_TESTS.glob("test_*.py")) or any(map(shutil.which, CHROMIUM)):
        return None
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("Installing Debian's chromium for the browser tests …", flush=True)
        for command in (["apt-get", "update", "-qq"], install_chromium()):
            subprocess.run(
                command,
                check=False,
                stdout=subprocess.DEVNULL,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            )
        if any(map(shutil.which, CHROMIUM)):
            return None
    verdict = "CI never skips them" if ci else "THE BROWSER TESTS ARE SKIPPED"
    return f"no Chromium here: {verdict}; install it (apt install chromium)"


def install_chromium() -> list[str]:
    return ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "chromium"]


def main(arguments: list[str]) -> int:
    ci = bool(os.environ.get("CI"))
    refusal = browser_refusal(ci=ci)
    if refusal and ci:
        print(f"script/test: {refusal}", file=sys.stderr)
        return 1
    failures = checks.run()
    statuses = {name: run([*options, *arguments]) for name, options in RUNS.items()}
    failed = [name for name, status in statuses.items() if status not in FINE]
    if set(statuses.values()) == {pytest.ExitCode.NO_TESTS_COLLECTED}:
        failed = ["nothing was collected"]
    if refusal:
        print(f"script/test: {refusal}", file=sys.stderr)
    if failures:
        print(f"script/test: failed before the tests: {', '.join(failures)}", file=sys.stderr)
    if failed:
        print(f"script/test: tests failed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failures or failed))


def run(arguments: list[str]) -> int:
    """Run pytest; its exit status."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments], cwd=ROOT, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
