"""Warm hits side by side: Forewarm, Varnish, nginx, Flask-Caching, requests-cache, no cache.

    python -m benchmarks.hits [--quick]

One worker process each, in front of the same stand-in GitHub, servers and their Redis pinned to one
core and the load generator (wrk) to another, keep-alive, gzip as clients ask for it. Rounds are
interleaved; what counts is the ratio within a round, for the machine's speed drifts. CPU time a
request is told beside, which other work on the machine changes least.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import requests

from benchmarks.alone import alone, say
from benchmarks.bodies import DETAIL, SIZES, drawn, many
from benchmarks.loads.wrk import CLIENT, CONNECTIONS, GZIP, Load, installed, load
from benchmarks.results import Cell, Chapter, Chart, Effort, Series, Spread, Table, Target, rows
from benchmarks.selfcheck import check
from benchmarks.serving import Ground, ground, resident_mb
from benchmarks.subjects import (
    CACHED_GRANIAN,
    CACHED_GUNICORN,
    KINDS,
    NEAR,
    NGINX,
    NO_CACHE,
    REDIS,
    VARNISH,
    Subject,
    absent,
    running,
)

COMPARED = (VARNISH, NGINX, NEAR, REDIS, CACHED_GRANIAN)
"""By size, keys and connections; the others only by the first table."""
TARGETS = {
    "near/varnish": (NEAR, VARNISH),
    "near/nginx": (NEAR, NGINX),
    "near/flask-caching": (NEAR, CACHED_GUNICORN),
    "redis/flask-caching": (REDIS, CACHED_GRANIAN),
}
KEYS = 1_000
ASKED = 20_000
LIMIT_SECONDS = 90.0
ASKERS = 6  # who ask for all keys once; more might be told to wait
ZIPF = 1.0
MANY_CONNECTIONS = (1, 8, 32, 256)
IDENTITY = {"Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Pace:
    """Rounds and seconds of the first table's measurements, and of the others'."""

    rounds: int
    seconds: int
    more_rounds: int
    more_seconds: int


PACES = {Effort.FULL: Pace(5, 2, 2, 1), Effort.QUICK: Pace(1, 1, 1, 1)}


@dataclass(frozen=True, slots=True)
class Case:
    """One way to ask; `load` is given the subject, and None says that it can't be asked so."""

    name: str
    load: Callable[[Subject, int], Load | None]


Found = dict[str, dict[str, list[Load]]]
"""Loads by case and subject, a round each."""


def measure(effort: Effort) -> Chapter:
    """All of it. Raises SelfCheckError where a subject isn't what it is said to be."""
    if not installed():
        return _chapter(missing=("wrk is not installed: nothing was measured",))
    pace = PACES[effort]
    quick = effort is Effort.QUICK
    with ground() as own, running(own, tuple(KINDS)) as subjects:
        for subject in subjects.values():
            for _, path in SIZES:
                check(own, subject, path, caches=subject.name != NO_CACHE)
        names = (NGINX, NEAR) if quick else COMPARED
        compared = [subjects[name] for name in names if name in subjects]
        for subject in subjects.values():
            load(subject.base + DETAIL, 1)  # warm
        paths = _keys(own, compared, 100 if quick else KEYS)
        first = [Case("10 kB, gzip", _one(DETAIL, GZIP))]
        main = _measured(first, list(subjects.values()), pace.rounds, pace.seconds)
        memory = {name: resident_mb(each.pid) for name, each in subjects.items()}
        sizes = _by_size(SIZES[1:2] if quick else SIZES)
        keys = [Case(name, _of(file)) for name, file in paths.items()]
        connections = [
            Case(str(number), _one(DETAIL, GZIP, number))
            for number in ((256,) if quick else MANY_CONNECTIONS)
        ]
        more = _measured(
            [*sizes, *keys, *connections], compared, pace.more_rounds, pace.more_seconds
        )
    return _told(main[first[0].name], memory, more, (sizes, keys, connections))


def _one(
    path: str, headers: Mapping[str, str], connections: int = CONNECTIONS
) -> Callable[[Subject, int], Load]:
    """One URL, all the time."""

    def ask(subject: Subject, seconds: int) -> Load:
        return load(
            subject.base + path,
            seconds,
            headers=headers,
            connections=connections,
            pid=subject.pid,
        )

    return ask


def _unchanged(path: str) -> Callable[[Subject, int], Load | None]:
    """One URL, by callers that hold it already; None from who answers that with the body."""

    def ask(subject: Subject, seconds: int) -> Load | None:
        headers = {**CLIENT, **GZIP}
        url = subject.base + path
        etag = requests.get(url, headers=headers, timeout=10).headers.get("ETag", "")
        headers = {**GZIP, "If-None-Match": etag}
        again = requests.get(url, headers={**CLIENT, **headers}, timeout=10)
        if again.status_code != requests.codes.not_modified:
            return None
        return load(url, seconds, headers=headers, pid=subject.pid)

    return ask


def _of(file: Path) -> Callable[[Subject, int], Load]:
    """A file's paths in turn."""

    def ask(subject: Subject, seconds: int) -> Load:
        return load(subject.base, seconds, paths=file, pid=subject.pid)

    return ask


def _by_size(sizes: Iterable[tuple[str, str]]) -> list[Case]:
    return [
        case
        for name, path in sizes
        for case in (
            Case(f"{name}, plain", _one(path, IDENTITY)),
            Case(f"{name}, gzip", _one(path, GZIP)),
            Case(f"{name}, 304", _unchanged(path)),
        )
    ]


def _keys(own: Ground, subjects: Iterable[Subject], number: int) -> dict[str, Path]:
    """Files of paths, uniform and by Zipf's law, all of them asked for once of each subject."""
    paths = many(own.github, number)
    with requests.Session() as session, ThreadPoolExecutor(ASKERS) as askers:
        session.headers.update({**CLIENT, **GZIP})
        for subject in subjects:
            list(askers.map(partial(_held, session), [subject.base + path for path in paths]))
    files = {}
    for name, exponent in ((f"{number:,}, uniform", 0.0), (f"{number:,}, Zipf", ZIPF)):
        files[name] = own.directory / f"keys-{exponent}"
        files[name].write_text("\n".join(drawn(paths, ASKED, exponent)))
    return files


def _held(session: requests.Session, url: str) -> None:
    """Ask until it is cached: many at once may reach a limit of a minute. Raises HTTPError."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while not (answer := session.get(url, timeout=20)).ok and time.monotonic() < deadline:
        time.sleep(1)
    answer.raise_for_status()


def _measured(
    cases: Sequence[Case], subjects: Sequence[Subject], rounds: int, seconds: int
) -> Found:
    found: Found = {case.name: defaultdict(list) for case in cases}
    for number in range(rounds):
        say(f"hits: {len(cases)} case(s), round {number + 1} of {rounds}")
        for case in cases:
            for subject in subjects:
                taken = case.load(subject, seconds)
                if taken:
                    found[case.name][subject.name].append(taken)
    return found


def _told(
    main: Mapping[str, list[Load]],
    memory: Mapping[str, float],
    more: Found,
    groups: tuple[Sequence[Case], Sequence[Case], Sequence[Case]],
) -> Chapter:
    rates = {name: [each.rate for each in loads] for name, loads in main.items()}
    sizes, keys, connections = groups
    titles = (
        ("Warm hits by size and coding, requests a second", "body", sizes),
        ("Warm hits by keys, requests a second", "keys", keys),
        ("Warm hits by connections, requests a second", "connections", connections),
    )
    return _chapter(
        tables=(
            Table(
                "Warm hits: 10 kB of JSON, gzip, one key, 32 connections",
                ("subject", "requests a second", "CPU µs a request", "memory, MB"),
                rows(
                    (name, Spread.of(rates[name]), _cpu(loads), memory[name])
                    for name, loads in main.items()
                ),
                "CPU of the server's processes, Redis's not counted; memory is what its processes "
                "hold, shared pages counted once.",
            ),
            *(_compared(title, first, cases, more) for title, first, cases in titles),
        ),
        charts=_charts(rates, more, sizes, connections),
        targets=tuple(
            Target(name, Spread.ratios(rates[over], rates[under]))
            for name, (over, under) in TARGETS.items()
            if over in rates and under in rates
        ),
        figures=_figures(main, memory),
        missing=absent(),
    )


def _cpu(loads: Iterable[Load]) -> Spread:
    return Spread.of(each.cpu_us for each in loads)


def _rate(found: Found, case: Case, name: str) -> Spread | None:
    loads = found[case.name].get(name)
    return Spread.of(each.rate for each in loads) if loads else None


def _names(found: Found) -> list[str]:
    return [name for name in COMPARED if any(name in by_name for by_name in found.values())]


def _compared(title: str, first: str, cases: Sequence[Case], found: Found) -> Table:
    names = _names(found)
    lines: list[tuple[Cell, ...]] = [
        (case.name, *(_rate(found, case, name) for name in names)) for case in cases
    ]
    return Table(title, (first, *names), rows(lines))


def _charts(
    rates: Mapping[str, list[float]],
    more: Found,
    sizes: Sequence[Case],
    connections: Sequence[Case],
) -> tuple[Chart, ...]:
    names = _names(more)
    return (
        Chart(
            name="hits",
            title="Warm hits: 10 kB, gzip, one core",
            kind="bars",
            at=tuple(rates),
            series=(Series("all", tuple(Spread.of(values) for values in rates.values())),),
            unit="requests a second",
            log_y=True,
            about="Requests a second that each subject answers from its cache.",
        ),
        Chart(
            name="hits-sizes",
            title="Warm hits by size and coding",
            kind="bars",
            at=tuple(case.name for case in sizes),
            series=tuple(
                Series(name, tuple(_rate(more, case, name) for case in sizes)) for name in names
            ),
            unit="requests a second",
            about="Requests a second by body: 1, 10 and 55 kB, plain, gzip, and unchanged (304).",
        ),
        Chart(
            name="hits-connections",
            title="Warm hits by connections",
            kind="lines",
            at=tuple(float(case.name) for case in connections),
            series=tuple(
                Series(name, tuple(_rate(more, case, name) for case in connections))
                for name in names
            ),
            unit="requests a second",
            across="connections",
            log_x=True,
            about="Requests a second with 1 to 256 connections that ask all the time.",
        ),
    )


def _figures(main: Mapping[str, list[Load]], memory: Mapping[str, float]) -> dict[str, float]:
    """`<subject>/rps`, `/cpu_us`, `/memory_mb`, by the subject's name in the tables."""
    found = {}
    for name, loads in main.items():
        found[f"{name}/rps"] = Spread.of(each.rate for each in loads).median
        found[f"{name}/cpu_us"] = _cpu(loads).median
        found[f"{name}/memory_mb"] = memory[name]
    return found


def _chapter(
    *,
    tables: tuple[Table, ...] = (),
    charts: tuple[Chart, ...] = (),
    targets: tuple[Target, ...] = (),
    figures: Mapping[str, float] | None = None,
    missing: tuple[str, ...] = (),
) -> Chapter:
    return Chapter(
        name="hits",
        title="Warm hits beside the peers",
        method=(
            "One worker process each, in front of the same stand-in GitHub, with the same bodies, "
            "kept-alive connections and gzip; servers and their Redis on one core, wrk on the "
            "other. Rounds are interleaved. Before them each subject shows that it answers "
            "GitHub's JSON, in the coding asked for, without asking GitHub again. nginx and "
            "Varnish know one caller, keep no metrics and share nothing with another machine; "
            "Forewarm checks whose key it is, counts each request and hears of purges. Varnish "
            "notes each request in shared memory, as it does wherever it runs; what it does "
            "without is told, too. It stores bodies gzipped and unpacks them for who wants them "
            "plain; requests-cache keeps them unpacked, so they are packed for each answer."
        ),
        tables=tables,
        charts=charts,
        targets=targets,
        figures=figures or {},
        missing=missing,
    )


if __name__ == "__main__":
    sys.exit(alone(measure, __doc__))
