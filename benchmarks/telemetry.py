"""Warm hits with telemetry and without it, in one run.

    python -m benchmarks.telemetry [--rounds 8] [--seconds 3]

One worker process each, both servers pinned to one core and the load generator (wrk) to another,
10 kB of repository JSON, keep-alive, 32 connections. Each round measures both, in turn the one and
the other first; what counts is the ratio within a round, because the machine's speed drifts. The
hit path only notes what it served: what is measured is that, and the recorder beside it, which
counts, delivers to Redis and tells the log every 5 s.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from contextlib import ExitStack

import requests

from benchmarks.serving import (
    CONNECTIONS,
    KEY,
    free_port,
    granian,
    ground,
    need_tools,
    rate,
    running,
)

TARGET = 0.9
SHELVES = {
    "near": {},
    "redis": {"NEAR_MB": "0"},
    # Without the one hit in a hundred that is traced: what metrics and the log cost alone.
    "near, untraced": {"HIT_SAMPLE": "0"},
}
SCRAPES = 20


def measure(rounds: int, seconds: int) -> None:
    """Run it all and print it."""
    with ExitStack() as stack:
        settings = stack.enter_context(ground()).settings
        urls: dict[tuple[str, str], str] = {}
        for shelf, more in SHELVES.items():
            for telemetry in ("on", "off"):
                port = free_port()
                base = f"http://127.0.0.1:{port}"
                urls[shelf, telemetry] = f"{base}/api/v3/repos/pallets/flask"
                environ = {**settings, **more, "PORT": str(port), "TELEMETRY": telemetry}
                # LOG_LEVEL INFO as in service: the recorder's lines are a part of it.
                environ["LOG_LEVEL"] = "INFO"
                command = granian("wsgi:app", port)
                stack.enter_context(running(command, environ, f"{base}/healthz"))
        print(f"{CONNECTIONS} connections, {rounds} rounds of {seconds} s, telemetry on / off")
        print(f"\n{'shelf':<16}{'on/s':>10}{'off/s':>10}{'ratio':>8}{'min':>8}{'max':>8}  target")
        for shelf in SHELVES:
            _compare(shelf, urls[shelf, "on"], urls[shelf, "off"], rounds, seconds)
        _scrape(urls["near", "on"].partition("/api/v3")[0])


def _compare(shelf: str, on: str, off: str, rounds: int, seconds: int) -> None:
    rates: dict[str, list[float]] = {on: [], off: []}
    for url in rates:
        rate(url, 1)  # warm
    for number in range(rounds):
        for url in (on, off) if number % 2 else (off, on):
            rates[url].append(rate(url, seconds))
        print(f"{shelf}: round {number + 1} of {rounds}", file=sys.stderr)
    ratios = [with_ / without for with_, without in zip(rates[on], rates[off], strict=True)]
    print(
        f"{shelf:<16}{statistics.median(rates[on]):>10,.0f}{statistics.median(rates[off]):>10,.0f}"
        f"{statistics.median(ratios):>8.2f}{min(ratios):>8.2f}{max(ratios):>8.2f}  ≥ {TARGET:g}"
    )


def _scrape(base: str) -> None:
    """How long /metrics takes, as the server is now."""
    times = []
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {KEY}"
        for _ in range(SCRAPES):
            began = time.perf_counter()
            answer = session.get(f"{base}/metrics", timeout=5)
            answer.raise_for_status()
            times.append(time.perf_counter() - began)
    lines = sum(not line.startswith("#") for line in answer.text.splitlines())
    print(f"\n/metrics: {statistics.median(times) * 1000:.1f} ms, {lines} series")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=8, help="interleaved rounds (8)")
    parser.add_argument("--seconds", type=int, default=3, help="seconds a measurement (3)")
    chosen = parser.parse_args()
    need_tools()
    measure(chosen.rounds, chosen.seconds)


if __name__ == "__main__":
    main()
