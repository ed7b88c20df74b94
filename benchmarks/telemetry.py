"""Warm hits with telemetry and without it, in one run.

    python -m benchmarks.telemetry [--quick]

One worker process each, both servers pinned to one core and the load generator (wrk) to another,
10 kB of repository JSON, gzip, keep-alive, 32 connections. Each round measures both, in turn the
one and the other first; what counts is the ratio within a round, because the machine's speed
drifts. The hit path only notes what it served: what is measured is that, and the recorder beside
it, which counts, delivers to Redis and tells the log every 5 s.
"""

from __future__ import annotations

import statistics
import sys
import time
from contextlib import ExitStack

import requests

from benchmarks.alone import alone, say
from benchmarks.bodies import DETAIL
from benchmarks.loads.wrk import CLIENT, Load, installed, load
from benchmarks.results import Cell, Chapter, Effort, Spread, Table, Target, rows
from benchmarks.serving import granian, ground, running
from script.ports import free_port

SHELVES = {
    "near": {},
    "Redis": {"NEAR_MB": "0"},
    # Without the one hit in a hundred that is traced: what metrics and the log cost alone.
    "near, none traced": {"HIT_SAMPLE": "0"},
}
# Longer than the recorder's 5 s for both together, so that its work is in each round.
ROUNDS, SECONDS = {Effort.FULL: 5, Effort.QUICK: 1}, {Effort.FULL: 2, Effort.QUICK: 1}
SCRAPES = 20
ON, OFF = "on", "off"

Loads = dict[str, list[Load]]


def measure(effort: Effort) -> Chapter:
    """Each shelf with and without, and what a scrape of /metrics takes."""
    if not installed():
        return _chapter((), missing=("wrk is not installed: nothing was measured",))
    found: dict[str, Loads] = {}
    with ExitStack() as stack:
        settings = stack.enter_context(ground()).settings
        subjects = {}
        for shelf, more in SHELVES.items():
            for telemetry in (ON, OFF):
                port = free_port()
                base = f"http://127.0.0.1:{port}"
                # LOG_LEVEL INFO as in service: the recorder's lines are a part of it.
                environ = {**settings, **more, "TELEMETRY": telemetry, "LOG_LEVEL": "INFO"}
                server = running(
                    granian("wsgi:app", port), {**environ, "PORT": str(port)}, f"{base}/healthz"
                )
                process = stack.enter_context(server)
                subjects[shelf, telemetry] = (f"{base}/api/v3{DETAIL}", process.pid)
        for url, _ in subjects.values():
            load(url, 1)  # warm
        for number in range(ROUNDS[effort]):
            say(f"telemetry: round {number + 1} of {ROUNDS[effort]}")
            for shelf in SHELVES:
                of_shelf = found.setdefault(shelf, {ON: [], OFF: []})
                for telemetry in (ON, OFF) if number % 2 else (OFF, ON):
                    url, pid = subjects[shelf, telemetry]
                    of_shelf[telemetry].append(load(url, SECONDS[effort], pid=pid))
        scrape = _scrape(subjects["near", ON][0].partition("/api/v3")[0])
    lines: list[tuple[Cell, ...]] = [
        (
            shelf,
            Spread.of(each.rate for each in loads[ON]),
            Spread.of(each.rate for each in loads[OFF]),
            _ratio(loads),
            Spread.of(each.cpu_us for each in loads[ON]).median,
            Spread.of(each.cpu_us for each in loads[OFF]).median,
        )
        for shelf, loads in found.items()
    ]
    columns = ("shelf", "on, a second", "off, a second", "ratio", "on, CPU µs", "off, CPU µs")
    return _chapter(
        (
            Table("Warm hits with telemetry and without", columns, rows(lines)),
            Table("A scrape of /metrics", ("series", "ms"), rows([scrape])),
        ),
        targets=(Target("telemetry", _ratio(found["near"])),),
        figures={"scrape_ms": scrape[1].median},
    )


def _ratio(loads: Loads) -> Spread:
    return Spread.ratios((each.rate for each in loads[ON]), (each.rate for each in loads[OFF]))


def _scrape(base: str) -> tuple[int, Spread]:
    """How many series /metrics has and what it takes in ms, as the server is now."""
    times = []
    with requests.Session() as session:
        session.headers.update(CLIENT)
        for _ in range(SCRAPES):
            began = time.perf_counter()
            answer = session.get(f"{base}/metrics", timeout=5)
            answer.raise_for_status()
            times.append(1000 * (time.perf_counter() - began))
    lines = sum(not line.startswith("#") for line in answer.text.splitlines())
    return lines, Spread(statistics.median(times), min(times), max(times))


def _chapter(
    tables: tuple[Table, ...],
    *,
    targets: tuple[Target, ...] = (),
    figures: dict[str, float] | None = None,
    missing: tuple[str, ...] = (),
) -> Chapter:
    return Chapter(
        name="telemetry",
        title="What telemetry costs a hit",
        method=(
            "One worker process each, 10 kB, gzip, 32 connections, on the same core; each round "
            "measures with and without, in turn the one and the other first."
        ),
        tables=tables,
        targets=targets,
        figures=figures or {},
        missing=missing,
    )


if __name__ == "__main__":
    sys.exit(alone(measure, __doc__))
