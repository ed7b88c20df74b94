"""Minutes under people's load, with faults in the middle: errors, p99, and what memory does.

    python -m benchmarks.soak [--quick]

The Procfile's processes, real stores, a stand-in GitHub 50 ms away; tests/load/locustfile.py by
locust in a process of its own. Within the run Redis is restarted, all workers are
killed, and GitHub takes two seconds for half a minute; a fault's window ends ten seconds after it,
the time in which everything is to be as before. Each path is asked for once before, ten a second:
a cold start as fast as the load would be GitHub's 900 points a minute, not ours to measure here.
"""

from __future__ import annotations

import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from benchmarks.alone import alone, say
from benchmarks.machine import ROOT
from benchmarks.results import Chapter, Chart, Effort, Series, Table
from benchmarks.soak_house import (
    KEY,
    PASSWORD,
    TYPES,
    WEBHOOK_SECRET,
    House,
    Look,
    Watch,
    house,
)

MINUTES = {Effort.FULL: 10.0, Effort.QUICK: 0.75}
USERS, RATE = 25, 200.0
LATENCY_MS, SLOW_MS = 50.0, 2_000.0
ORGS = 20
REPOS = {Effort.FULL: 300, Effort.QUICK: 60}
ASKED_A_SECOND = 10.0  # before: GitHub allows 900 points a minute
RECOVERY = 10.0  # seconds that a window outlasts its fault
PAGE = 100
WARM_UP = 0.4  # of the run, until memory is looked at
DOWN = 2.0  # seconds that Redis is away
SLOW_SHARE = 0.05  # of the run, that GitHub is slow


@dataclass(frozen=True, slots=True)
class Fault:
    """What is done at a share of the run, and how many seconds it lasts."""

    name: str
    at: float
    cause: Callable[[House, float], None]


def _restart_redis(held: House, _: float) -> None:
    held.valkey.stop()
    time.sleep(DOWN)
    held.valkey.start()


def _kill_workers(held: House, _: float) -> None:
    held.formation.kill("worker")


def _slow_github(held: House, seconds: float) -> None:
    held.github.latency(SLOW_MS)
    time.sleep(seconds * SLOW_SHARE)
    held.github.latency(LATENCY_MS)


FAULTS = (
    Fault("Redis restarted", 0.3, _restart_redis),
    Fault("workers killed", 0.5, _kill_workers),
    Fault("GitHub slow", 0.7, _slow_github),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A request, by locust: its end on the wall clock."""

    ended: float
    kind: str
    ms: float
    error: str


@dataclass(frozen=True, slots=True)
class Window:
    """When a fault was felt, or may have been."""

    name: str
    began: float
    ended: float

    def has(self, sample: Sample) -> bool:
        """Whether any of a request lies in it."""
        return sample.ended >= self.began and sample.ended - sample.ms / 1000 <= self.ended


def measure(effort: Effort) -> Chapter:
    """The chapter; as many minutes as the effort is worth."""
    minutes, repos = MINUTES[effort], REPOS[effort]
    seconds = 60 * minutes
    with house(latency_ms=LATENCY_MS, orgs=ORGS, repos=repos) as held, Watch(held) as watch:
        _asked_once(held)
        samples, windows = _under_load(held, seconds)
        restarts = held.formation.restarts
    began = min(each.ended for each in samples)
    looks = [each for each in watch.looks if each.at >= began]
    calm = [each for each in samples if not any(window.has(each) for window in windows)]
    disturbed = [each for each in samples if any(window.has(each) for window in windows)]
    for error in sorted({each.error for each in samples if each.error})[:20]:
        say(f"error: {error}")
    return Chapter(
        name="soak",
        title="A soak",
        method=(
            f"{minutes:g} minutes of {USERS} locust users, {len(samples) / seconds:.0f} requests a"
            f" second beside {repos} repositories, GitHub {LATENCY_MS:g} ms away;"
            f" {', '.join(each.name for each in FAULTS)}."
            f" A fault's window ends {RECOVERY:g} s after it."
        ),
        tables=(
            _kinds(calm, disturbed),
            _windows(samples, windows),
            _memory(looks, began + WARM_UP * seconds),
        ),
        charts=(_chart(looks, began),),
        figures={
            "requests": len(samples),
            "errors_calm": sum(bool(each.error) for each in calm),
            "errors_disturbed": sum(bool(each.error) for each in disturbed),
            "restarts": restarts,
        },
    )


def _asked_once(held: House) -> None:
    """Every path that the load asks for, at a pace that GitHub allows."""
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {KEY}"

        def ask(path: str) -> Any:
            time.sleep(1 / ASKED_A_SECOND)
            return session.get(f"{held.url}/api/v3{path}", timeout=20).json()

        for org in ask("/organizations?per_page=100"):
            for page in itertools.count(1):
                rows = ask(f"/orgs/{org['login']}/repos?per_page=100&page={page}")
                for each in rows:
                    ask(f"/repos/{each['full_name']}")
                    ask(f"/repos/{each['full_name']}/languages")
                if len(rows) < PAGE:
                    break


def _under_load(held: House, seconds: float) -> tuple[list[Sample], list[Window]]:
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "samples"
        log = Path(folder) / "locust.log"
        environ = {
            **os.environ,
            "FOREWARM_API_KEY": KEY,
            "FOREWARM_ADMIN_PASSWORD": PASSWORD,
            "FOREWARM_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "FOREWARM_RATE": str(RATE),
            "FOREWARM_SAMPLES": str(kept),
        }
        command = [
            *(sys.executable, "-m", "locust", "-f", "tests/load/locustfile.py", "--headless"),
            *("--host", held.url, "--users", str(USERS), "--spawn-rate", str(USERS)),
            *("--run-time", f"{seconds:.0f}s", "--exit-code-on-error", "0", "--only-summary"),
        ]
        with log.open("wb") as out:
            locust = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=out, stderr=out)
        try:
            windows = _faults(held, seconds)
            status = locust.wait(seconds + 120)
        finally:
            locust.kill()
            locust.wait()
        if status or not kept.exists():
            raise RuntimeError(f"locust ended with {status}:\n{log.read_text()[-2_000:]}")
        lines = kept.read_text(encoding="utf-8").splitlines()
        return [Sample(*json.loads(line)) for line in lines], windows


def _faults(held: House, seconds: float) -> list[Window]:
    began = time.monotonic()
    windows = []
    for fault in FAULTS:
        time.sleep(max(0.0, began + fault.at * seconds - time.monotonic()))
        say(f"{time.monotonic() - began:.0f} s: {fault.name}")
        start = time.time()
        fault.cause(held, seconds)
        windows.append(Window(fault.name, start, time.time() + RECOVERY))
    return windows


def _ms(samples: Sequence[Sample], share: float) -> float | None:
    ordered = sorted(each.ms for each in samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else None


def _kinds(calm: Sequence[Sample], disturbed: Sequence[Sample]) -> Table:
    rows = []
    for kind in sorted({each.kind for each in (*calm, *disturbed)}):
        ours = [each for each in calm if each.kind == kind]
        theirs = [each for each in disturbed if each.kind == kind]
        rows.append(
            (
                *(kind, len(ours), sum(bool(each.error) for each in ours)),
                *(_ms(ours, 0.5), _ms(ours, 0.99), len(theirs)),
                *(sum(bool(each.error) for each in theirs), _ms(theirs, 0.5), _ms(theirs, 0.99)),
            )
        )
    columns = (
        *("request", "calm", "errors", "p50 (ms)", "p99 (ms)"),
        *("in faults", "errors in faults", "p50 in faults (ms)", "p99 in faults (ms)"),
    )
    return Table("Requests, as the client waits", columns, tuple(rows))


def _windows(samples: Sequence[Sample], windows: Sequence[Window]) -> Table:
    rows = []
    for window in windows:
        inside = [each for each in samples if window.has(each)]
        failed = [each for each in inside if each.error]
        last = max((each.ended for each in failed), default=None)
        rows.append(
            (
                *(window.name, window.ended - window.began, len(inside), len(failed)),
                *(last - window.began if last else None, _ms(inside, 0.99)),
                max((each.ms for each in inside), default=None),
            )
        )
    columns = (
        *("fault", "window (s)", "requests", "errors", "last error after (s)"),
        *("p99 (ms)", "longest (ms)"),
    )
    return Table("Faults", columns, tuple(rows))


def _memory(looks: Sequence[Look], since: float) -> Table:
    seen: dict[str, list[tuple[float, float]]] = {}
    for each in looks:
        if each.at < since:
            continue
        for name in TYPES:
            seen.setdefault(name, []).append((each.at, each.resident[name]))
        if each.redis_mib:
            seen.setdefault("Redis", []).append((each.at, each.redis_mib))
            seen.setdefault("Redis, connections", []).append((each.at, each.redis_connections))
        seen.setdefault("PostgreSQL, data", []).append((each.at, each.postgres_mib))
        seen.setdefault("PostgreSQL, connections", []).append((each.at, each.postgres_connections))
    rows = []
    for name, points in seen.items():
        times, values = zip(*points, strict=True)
        slope = statistics.linear_regression(times, values).slope if len(points) > 1 else None
        rows.append(
            (
                *(name, values[0], statistics.median(values), max(values), values[-1]),
                None if slope is None else slope * 3600,
            )
        )
    columns = ("what (MiB, or a number)", "after warm-up", "median", "most", "last", "an hour more")
    note = f"After the first {WARM_UP:.0%} of the run; the last column is a straight line's slope."
    return Table("Memory", columns, tuple(rows), note)


def _chart(looks: Sequence[Look], began: float) -> Chart:
    return Chart(
        name="soak-memory",
        title="Resident memory during the soak",
        kind="lines",
        at=tuple((each.at - began) / 60 for each in looks),
        series=(
            *(Series(name, tuple(each.resident[name] for each in looks)) for name in TYPES),
            Series("Redis", tuple(each.redis_mib or None for each in looks)),
        ),
        unit="MiB",
        across="minutes",
        about="Lines that end where they began: memory doesn't grow with the minutes.",
    )


if __name__ == "__main__":
    sys.exit(alone(measure, __doc__))
