"""Response times: with a GitHub that takes 50 ms, and of hits that are asked for at a fixed rate.

    python -m benchmarks.latency [--quick]

First each subject is asked, one request after another, for what it doesn't know, for what it does,
and for what it holds past its period. Then hits come at a fixed rate, due whether or not the last
one was answered.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import requests

from benchmarks.alone import alone, say
from benchmarks.bodies import DETAIL, many
from benchmarks.loads.open_loop import CONNECTIONS, Latencies, open_loop
from benchmarks.loads.wrk import CLIENT, GZIP
from benchmarks.results import Chapter, Chart, Effort, Series, Spread, Table, rows
from benchmarks.selfcheck import check
from benchmarks.serving import ground
from benchmarks.subjects import (
    CACHED_GRANIAN,
    CACHED_GUNICORN,
    NEAR,
    NGINX,
    NO_CACHE,
    REDIS,
    REQUESTS_CACHE,
    VARNISH,
    Subject,
    absent,
    running,
)

GITHUB_MS = 50.0
ANSWERED = (VARNISH, NGINX, NEAR, REDIS, CACHED_GRANIAN, REQUESTS_CACHE, NO_CACHE)
FRESH = 4  # seconds
BEHIND = 2 * GITHUB_MS / 1000  # seconds in which a refresh behind an answer is over
AT_RATE = (VARNISH, NGINX, NEAR, REDIS, CACHED_GRANIAN, CACHED_GUNICORN)
MISS, HIT, EXPIRED, ANEW = "miss", "hit", "expired", "max-age=0"


@dataclass(frozen=True, slots=True)
class Pace:
    """How many answers of each sort; the rates, and the rounds and seconds of each."""

    answers: int
    rates: tuple[int, ...]
    rounds: int
    seconds: float


PACES = {
    Effort.FULL: Pace(20, (500, 1_000, 2_500, 5_000, 10_000), 2, 2.0),
    Effort.QUICK: Pace(5, (1_000,), 1, 1.0),
}

Times = dict[str, dict[str, list[float]]]
"""Milliseconds by subject and sort of answer."""
AtRate = dict[str, dict[int, list[Latencies]]]
"""By subject and rate; a subject that fell behind has none of higher rates."""


def measure(effort: Effort) -> Chapter:
    """Both."""
    pace = PACES[effort]
    times = _answers(pace.answers)
    found = _rates(pace)
    return _told(times, found, pace)


def _answers(number: int) -> Times:
    times: Times = {}
    with ground(latency_ms=GITHUB_MS) as own, running(own, ANSWERED, FRESH) as subjects:
        paths = many(own.github, number * len(subjects))
        asked = {
            name: paths[place * number : (place + 1) * number]
            for place, name in enumerate(subjects)
        }
        old_at = 0.0
        for name, subject in subjects.items():
            say(f"latency: {name}, a GitHub of {GITHUB_MS:g} ms")
            times[name] = {MISS: _asked(subject, asked[name]), HIT: _asked(subject, asked[name])}
            old_at = time.monotonic() + FRESH
        time.sleep(max(0.0, old_at - time.monotonic()) + 0.1)
        for name, subject in subjects.items():
            times[name][EXPIRED] = _asked(subject, asked[name], pause=BEHIND)
            if subject.ours:
                anew = {"Cache-Control": "max-age=0"}
                times[name][ANEW] = _asked(subject, asked[name], anew)
    return times


def _asked(
    subject: Subject,
    paths: Sequence[str],
    headers: Mapping[str, str] | None = None,
    pause: float = 0.0,
) -> list[float]:
    """Milliseconds of each, one after another on one connection."""
    took = []
    with requests.Session() as session:
        session.headers.update({**CLIENT, **GZIP, **(headers or {})})
        session.get(subject.base + "/orgs/pallets", timeout=20)  # opens the connection
        for path in paths:
            began = time.perf_counter()
            session.get(subject.base + path, timeout=20).raise_for_status()
            took.append(1000 * (time.perf_counter() - began))
            time.sleep(pause)
    return took


def _rates(pace: Pace) -> AtRate:
    found: AtRate = defaultdict(dict)
    with ground() as own, running(own, AT_RATE) as subjects:
        for subject in subjects.values():
            check(own, subject, DETAIL)
            open_loop(subject.base + DETAIL, 500, 0.5)  # warm
        for rate in pace.rates:
            say(f"latency: {rate} requests a second")
            able = [
                each
                for name, each in subjects.items()
                if not any(
                    latencies.saturated for rounds in found[name].values() for latencies in rounds
                )
            ]
            for _ in range(pace.rounds):
                for subject in able:
                    taken = open_loop(subject.base + DETAIL, rate, pace.seconds)
                    found[subject.name].setdefault(rate, []).append(taken)
    return found


def _told(times: Times, found: AtRate, pace: Pace) -> Chapter:
    lags = [each.lag_ms for by_rate in found.values() for runs in by_rate.values() for each in runs]
    return Chapter(
        name="latency",
        title="Response times",
        method=(
            f"Above: a GitHub that takes {GITHUB_MS:g} ms, one request after another on one "
            "connection, details of repositories; what a client library adds is in it, the same "
            "for all. "
            f"“Expired” is asked for {FRESH} s after it was cached, when its period is over, and "
            "with a pause behind each, for nginx answers the next on a connection only when it "
            "has asked GitHub. Below: "
            f"10 kB, gzip, at a fixed rate over {CONNECTIONS} connections, timed from when each "
            "request was due (no coordinated omission); a line ends where its subject no longer "
            "kept up."
        ),
        tables=(
            Table(
                f"Response time with a GitHub of {GITHUB_MS:g} ms, ms",
                ("subject", "miss", "hit", "expired", "asked for anew (`max-age=0`)"),
                rows(
                    (
                        name,
                        *(
                            Spread.of(of_subject[sort]) if sort in of_subject else None
                            for sort in (MISS, HIT, EXPIRED, ANEW)
                        ),
                    )
                    for name, of_subject in times.items()
                ),
                "Median, and the ends. Varnish, nginx and Forewarm answer what has expired at once "
                "and ask GitHub behind it.",
            ),
            Table(
                "Hits at a fixed rate, ms from due to the last byte",
                ("subject", "a second", "p50", "p99", "p99.9", "worst"),
                rows(
                    (
                        name,
                        rate,
                        *(
                            Spread.of(getattr(each, part) for each in runs)
                            for part in ("p50", "p99", "p999", "worst")
                        ),
                    )
                    for name, by_rate in found.items()
                    for rate, runs in by_rate.items()
                    if not _behind(runs)
                ),
                "Left out: rates that a subject didn't keep up with. What the generator itself "
                f"adds, by its p99: {Spread.of(lags).median:.3f} ms.",
            ),
        ),
        charts=(_answers_chart(times), _rates_chart(found, pace)),
        figures={
            **{
                f"{name}/{sort}_ms": Spread.of(took).median
                for name, of_subject in times.items()
                for sort, took in of_subject.items()
            },
            "generator_lag_ms": Spread.of(lags).median,
        },
        missing=absent(sorted({*ANSWERED, *AT_RATE})),
    )


def _behind(runs: Sequence[Latencies]) -> bool:
    return any(each.saturated for each in runs)


def _answers_chart(times: Times) -> Chart:
    return Chart(
        name="latency-answers",
        title=f"Response time with a GitHub of {GITHUB_MS:g} ms",
        kind="bars",
        at=tuple(times),
        series=tuple(
            Series(sort, tuple(Spread.of(of_subject[sort]) for of_subject in times.values()))
            for sort in (MISS, HIT, EXPIRED)
        ),
        unit="ms",
        log_y=True,
        about="Milliseconds for what a subject doesn't know, what it does, and what has expired.",
    )


def _rates_chart(found: AtRate, pace: Pace) -> Chart:
    def values(by_rate: Mapping[int, list[Latencies]]) -> tuple[Spread | None, ...]:
        return tuple(
            Spread.of(each.p99 for each in by_rate[rate])
            if rate in by_rate and not _behind(by_rate[rate])
            else None
            for rate in pace.rates
        )

    return Chart(
        name="latency-rates",
        title="Hits at a fixed rate: p99",
        kind="lines",
        at=tuple(float(rate) for rate in pace.rates),
        series=tuple(Series(name, values(by_rate)) for name, by_rate in found.items()),
        unit="ms",
        across="requests a second",
        log_x=True,
        log_y=True,
        about="The slowest hundredth of hits by the rate they are asked for at.",
    )


if __name__ == "__main__":
    sys.exit(alone(measure, __doc__))
