"""script/bench, over samples: what ends is kept, what fails is told, and nothing is left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks.records import from_json
from benchmarks.results import Effort
from tests.benchmarks.samples.endless import STARTED

ROOT = Path(__file__).resolve().parents[2]


def bench(folder: Path, *names: str, minutes: float = 1.0) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.benchmarks.samples", str(folder), str(minutes), *names]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for(there: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def left_behind(folder: Path) -> list[str]:
    pid, temporary = (folder / STARTED).read_text().split()
    left = [f"process {pid}"] if psutil.pid_exists(int(pid)) else []
    return left + ([temporary] if Path(temporary).exists() else [])


def test_one_that_fails_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    running = bench(tmp_path, "broken", "good")
    _, said = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "failed: broken" in said
    assert [file.name for file in tmp_path.iterdir()] == ["good.json"]


def test_an_interrupted_run_keeps_what_is_done_and_leaves_nothing_behind(tmp_path: Path) -> None:
    running = bench(tmp_path, "good", "endless", "broken")
    wait_for((tmp_path / STARTED).exists)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGINT
    assert "broken" not in said
    assert from_json((tmp_path / "good.json").read_bytes()).run.effort is Effort.FULL
    assert left_behind(tmp_path) == []


def test_one_that_takes_too_long_is_ended_with_what_it_started(tmp_path: Path) -> None:
    running = bench(tmp_path, "endless", minutes=-0.47)  # 3.6 s in all
    _, said = running.communicate(timeout=60)
    assert "FAILS endless: ended: not done" in said
    assert left_behind(tmp_path) == []
