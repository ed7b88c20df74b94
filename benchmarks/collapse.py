"""1,000 requests at once over four processes, for a key that nobody holds or that has expired.

    python -m benchmarks.collapse [--quick]

Forewarm in four web processes beside the peers; nginx and Varnish, which share one cache among
their own, as they are. Each caller has a connection of its own, opened before. Counted is what
reached GitHub, which takes its time; timed, what callers waited.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import requests

from benchmarks.alone import alone, say
from benchmarks.bodies import many
from benchmarks.loads.open_loop import percentile
from benchmarks.loads.wrk import CLIENT, GZIP
from benchmarks.results import Chapter, Effort, Table, Target, rows
from benchmarks.serving import ground
from benchmarks.subjects import (
    CACHED_GRANIAN,
    NEAR,
    NGINX,
    VARNISH,
    Subject,
    absent,
    running,
)
from tests.load.callers import Said, all_at_once
from tests.standin.process import StandIn
from webapp.outcome import Outcome

CALLERS, WORKERS = 1_000, 4
COMPARED = (VARNISH, NGINX, NEAR, CACHED_GRANIAN)
GITHUB_MS = 150.0
FRESH = 4  # seconds
SLOW_MS = 4_000.0
"""What GitHub takes when what has expired is asked for: who waited for it would show."""
COLD, EXPIRED = "cold", "expired"
TITLES = {COLD: "A key that nobody holds", EXPIRED: "A key that has expired"}
_HEAD = "".join(f"{name}: {value}\r\n" for name, value in {**CLIENT, **GZIP}.items())


@dataclass(frozen=True, slots=True)
class Crowd:
    """What a thousand callers got. `waited`: who got an answer only when GitHub had given one;
    `stale`: whom we told so; the rest in ms.
    """

    calls: int
    refused: int
    waited: int
    stale: int
    p50: float
    p99: float
    worst: float


Found = dict[str, dict[str, Crowd]]
"""By subject and key."""


def measure(effort: Effort) -> Chapter:
    """Each subject by itself, for they would share the cores else."""
    found: Found = {}
    with ground() as own:
        (path,) = many(own.github, 1)
        for name in (NEAR,) if effort is Effort.QUICK else COMPARED:
            with running(own, (name,), FRESH, WORKERS, core=None) as subjects:
                for subject in subjects.values():
                    say(f"collapse: {name}")
                    found[name] = _both(own.github, subject, path)
    return _told(found)


def _both(github: StandIn, subject: Subject, path: str) -> dict[str, Crowd]:
    """A key while it is cold, and once it has expired."""
    cold = _crowd(github, subject, path, GITHUB_MS)
    time.sleep(FRESH + 0.05)
    return {COLD: cold, EXPIRED: _crowd(github, subject, path, SLOW_MS)}


def _crowd(github: StandIn, subject: Subject, path: str, latency_ms: float) -> Crowd:
    """Ask all at once, and count what reached GitHub until it has answered that."""
    github.latency(latency_ms)
    before = github.count(path)
    answers = all_at_once([subject.base + path] * CALLERS, _HEAD)
    time.sleep(latency_ms / 1000 + 0.3)
    github.latency(0)
    return _summed(answers, github.count(path) - before, latency_ms)


def _summed(answers: Sequence[Said], calls: int, latency_ms: float) -> Crowd:
    took = sorted(1000 * each.seconds for each in answers)
    return Crowd(
        calls=calls,
        refused=sum(each.status != requests.codes.ok for each in answers),
        waited=sum(each >= latency_ms for each in took),
        stale=sum(each.outcome == Outcome.STALE for each in answers),
        p50=percentile(took, 0.5),
        p99=percentile(took, 0.99),
        worst=took[-1],
    )


def _told(found: Found) -> Chapter:
    ours = found[NEAR]
    return Chapter(
        name="collapse",
        title="A thousand requests at once for one key",
        method=(
            f"{CALLERS:,} callers, each on a connection opened before, ask {WORKERS} processes at "
            f"the same moment (Varnish is one). The cold key: GitHub takes {GITHUB_MS:g} ms. The "
            f"expired one: it takes {SLOW_MS / 1000:g} s, so that who waits for it shows. Both "
            "cores are used."
        ),
        tables=tuple(_table(title, key, found) for key, title in TITLES.items()),
        targets=(
            Target("collapse/cold", ours[COLD].calls),
            Target("collapse/expired", ours[EXPIRED].calls),
            Target("collapse/stale", 100 * ours[EXPIRED].stale / CALLERS),
        ),
        figures={f"{key}/p99_ms": crowd.p99 for key, crowd in ours.items()},
        missing=absent(COMPARED) if len(found) > 1 else (),
    )


def _table(title: str, key: str, found: Found) -> Table:
    parts = ("calls", "refused", "waited", "p50", "p99", "worst")
    return Table(
        title,
        (
            "subject",
            "calls to GitHub",
            "refused",
            "waited for it",
            "p50, ms",
            "p99, ms",
            "worst, ms",
        ),
        rows(
            (name, *(getattr(by_key[key], part) for part in parts))
            for name, by_key in found.items()
        ),
    )


if __name__ == "__main__":
    sys.exit(alone(measure, __doc__))
