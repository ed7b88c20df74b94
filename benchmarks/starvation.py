"""Hits at a fixed rate while every thread that may fetch waits for a GitHub of 10 s.

    python -m benchmarks.starvation [--quick]

One web process of 16 threads. Hits are asked for at a fixed rate, first with nothing else to do,
then while many callers ask for what only GitHub knows. Timed from when each was due, so that a hit
that waits for a thread shows.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import requests

from benchmarks.alone import alone, say
from benchmarks.bodies import DETAIL, many
from benchmarks.loads.open_loop import Latencies, open_loop
from benchmarks.loads.wrk import CLIENT
from benchmarks.results import Chapter, Effort, Spread, Table, Target, rows
from benchmarks.selfcheck import check
from benchmarks.serving import Ground, ground
from benchmarks.subjects import CACHED_GRANIAN, NEAR, REDIS, Subject, running

SUBJECTS = (NEAR, REDIS, CACHED_GRANIAN)
SLOW_MS = 10_000.0
ASKERS = 40
FETCHING = 8
"""Threads of sixteen that may wait for GitHub at once."""
RATE, CONNECTIONS = 500.0, 16
ROUNDS, SECONDS = {Effort.FULL: 2, Effort.QUICK: 1}, {Effort.FULL: 2.0, Effort.QUICK: 1.0}
IDLE, BUSY = "nothing else", "GitHub of 10 s"
HELD_SECONDS = 5.0
"""How long it may take until all that may fetch do."""


def measure(effort: Effort) -> Chapter:
    """Forewarm by both shelves, and Flask-Caching, whose threads all wait."""
    found: dict[str, dict[str, list[Latencies]]] = {}
    held: dict[str, int] = {}
    with ground() as own:
        paths = many(own.github, len(SUBJECTS) * ASKERS)
        for number, name in enumerate(SUBJECTS[:1] if effort is Effort.QUICK else SUBJECTS):
            say(f"starvation: {name}")
            with running(own, (name,)) as subjects:
                subject = subjects[name]
                check(own, subject, DETAIL)
                found[name] = {IDLE: _hits(subject, effort)}
                unknown = paths[number * ASKERS : (number + 1) * ASKERS]
                with _waiting(own, subject, unknown) as waiting:
                    found[name][BUSY] = _hits(subject, effort, short=not subject.ours)
                    held[name] = waiting
                own.github.latency(0)
    return _told(found, held)


def _hits(subject: Subject, effort: Effort, *, short: bool = False) -> list[Latencies]:
    """Of who starves, one short round is enough."""
    seconds = 1.0 if short else SECONDS[effort]
    return [
        open_loop(subject.base + DETAIL, RATE, seconds, connections=CONNECTIONS)
        for _ in range(1 if short else ROUNDS[effort])
    ]


@contextmanager
def _waiting(own: Ground, subject: Subject, unknown: Sequence[str]) -> Iterator[int]:
    """Callers for what only GitHub knows, until the block ends; how many of them it was asked."""
    own.github.latency(SLOW_MS)
    own.github.forget()
    for path in unknown:
        threading.Thread(target=_ask, args=(subject.base + path,), daemon=True).start()
    deadline = time.monotonic() + HELD_SECONDS
    while (asked := own.github.count("/repos/many")) < FETCHING and time.monotonic() < deadline:
        time.sleep(0.02)
    yield asked


def _ask(url: str) -> None:
    try:
        requests.get(url, headers=CLIENT, timeout=SLOW_MS / 1000 + 5)
    except requests.RequestException:
        return  # the server was stopped while it waited


def _told(found: dict[str, dict[str, list[Latencies]]], held: dict[str, int]) -> Chapter:
    parts = ("p50", "p99", "p999", "worst")
    return Chapter(
        name="starvation",
        title="Hits while GitHub is slow",
        method=(
            f"One process of 16 threads; {RATE:g} hits a second over {CONNECTIONS} connections, "
            f"timed from when each was due, while {ASKERS} callers ask for what only GitHub knows, "
            f"which takes {SLOW_MS / 1000:g} s."
        ),
        tables=(
            Table(
                "Hits at a fixed rate, ms",
                ("subject", "beside", "p50", "p99", "p99.9", "worst", "calls under way"),
                rows(
                    (
                        name,
                        beside,
                        *(Spread.of(getattr(each, part) for each in runs) for part in parts),
                        held[name] if beside == BUSY else 0,
                    )
                    for name, of_subject in found.items()
                    for beside, runs in of_subject.items()
                ),
                "An answer that didn't come is counted with the time it was waited for.",
            ),
        ),
        targets=(Target("starved", Spread.of(each.p99 for each in found[NEAR][BUSY])),),
        figures={
            f"{name}/{beside}/p99_ms": Spread.of(each.p99 for each in runs).median
            for name, of_subject in found.items()
            for beside, runs in of_subject.items()
        },
    )


if __name__ == "__main__":
    sys.exit(alone(measure, __doc__))
