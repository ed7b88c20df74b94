"""How cost grows: with traffic, with what is watched, with entries, and with processes.

    python -m benchmarks.growth [--quick]

The first two in virtual time (benchmarks/simulation/ says how): GitHub's points over some hours.
Entries are filled through the store. Processes of one granian share one core, so that what is told
is what more of them cost, not what more cores give.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
import redis

from benchmarks.alone import alone, say
from benchmarks.bodies import DETAIL
from benchmarks.loads.wrk import GZIP, installed, load
from benchmarks.results import Chapter, Chart, Effort, Series, Table, rows
from benchmarks.serving import Ground, cpu_seconds, granian, ground, resident_mb, running
from benchmarks.simulation.ground import simulated
from benchmarks.simulation.world import HOUR, OWNER_REPOS, trace
from script.ports import free_port
from webapp.cache.keys import SERVICE, canonical_target, entry_key
from webapp.github.answer import Answer
from webapp.github.entries import Finisher
from webapp.policy import DEFAULT_PERIODS, match
from webapp.services import Services, build
from webapp.settings import Settings

BASE = "http://127.0.0.1:8000/api/v3"
LISTS = 0.2
"""Of lists, for each request of a repository."""
READS = 10_000


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is tried. `rates` are requests of repositories a second."""

    hours: float
    rates: tuple[float, ...]
    owners: tuple[int, ...]
    entries: tuple[int, ...]
    processes: tuple[int, ...]


SIZES = {
    Effort.FULL: Sizes(1.0, (0.25, 1.0, 4.0), (5, 20, 40), (1_000, 10_000, 50_000), (1, 2, 4)),
    Effort.QUICK: Sizes(0.2, (0.5, 1.0), (2, 4), (200, 1_000), (1, 2)),
}
TYPICAL_RATE, TYPICAL_OWNERS = 1.0, 10


@dataclass(frozen=True, slots=True)
class Spent:
    """An hour of it: requests, GitHub's points and calls."""

    requests: float
    points: float
    calls: float


def spent(hours: float, owners: int, rate: float) -> Spent:
    """After an hour that isn't counted, in which what is fetched once was."""
    with simulated(owners, warm=True) as (simulation, world, start):
        simulation.move(start)
        delays = random.Random(5)

        def asked(begins: float, seconds: float, seed: int) -> Spent:
            events = trace(
                *(world, begins, seconds),
                details=rate,
                lists=rate * LISTS,
                deliveries=round(500 * owners / 20 * seconds / (24 * HOUR)),
                seed=seed,
            )
            found = simulation.run(events, delays)
            share = HOUR / seconds
            return Spent(found.requests * share, found.points * share, found.calls * share)

        asked(start, HOUR, 1)
        return asked(start + HOUR, hours * HOUR, 2)


@dataclass(frozen=True, slots=True)
class Shelf:
    """With so many entries in Redis: bytes each, µs that one read takes a client, and µs of it that
    Redis computes."""

    entries: int
    bytes_each: float
    read_us: float
    redis_us: float


def shelves(sizes: tuple[int, ...]) -> list[Shelf]:
    """Filled on and on, with bodies of 10 kB."""
    found = []
    with ground() as own:
        services = build(Settings.from_env({**own.settings, "TELEMETRY": "off"}))
        try:
            finisher = Finisher(own.settings["GITHUB_API_URL"], DEFAULT_PERIODS, random.random)
            empty, filled = int(services.redis.info("memory")["used_memory"]), 0
            for size in sizes:
                say(f"growth: {size:,} entries")
                for number in range(filled, size):
                    _fill(services, finisher, number, own.body)
                filled = size
                used = int(services.redis.info("memory")["used_memory"]) - empty
                before = cpu_seconds(own.valkey.pid or 0)
                read_us = _read_us(services, size)
                redis_us = (cpu_seconds(own.valkey.pid or 0) - before) / READS * 1e6
                found.append(Shelf(size, used / size, read_us, redis_us))
        finally:
            services.close()
    return found


def _name(number: int) -> str:
    return f"/repos/owner-{number % 100}/repository-{number}"


def _fill(services: Services, finisher: Finisher, number: int, body: bytes) -> None:
    target = canonical_target(_name(number), "", "", "")
    own = body.replace(b"pallets/flask", _name(number).removeprefix("/repos/").encode())
    headers = {"Content-Type": "application/json; charset=utf-8", "ETag": f'W/"{number}"'}
    entry = finisher.entry(Answer(200, headers, own, time.time()), target, SERVICE, BASE)
    lease, _ = services.store.acquire(entry_key(target, SERVICE, BASE), match(target.path).tags)
    assert lease
    assert services.store.fill(lease, entry, time.time())


def _read_us(services: Services, size: int) -> float:
    """The median of reads of random entries."""
    chance, times = random.Random(1), []
    for _ in range(READS):
        target = canonical_target(_name(chance.randrange(size)), "", "", "")
        key, tags = entry_key(target, SERVICE, BASE), match(target.path).tags
        began = time.perf_counter()
        services.store.read(key, tags)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e6


@dataclass(frozen=True, slots=True)
class Crew:
    """So many web processes: hits a second on one core, memory in 10^6 bytes, connections."""

    processes: int
    rate: float
    memory_mb: float
    redis: int
    postgresql: int


def crews(numbers: tuple[int, ...]) -> list[Crew]:
    """Each with stores of its own, so that connections can be counted."""
    found = []
    for number in numbers:
        say(f"growth: {number} web processes")
        with ground() as own:
            port = free_port()
            url = f"http://127.0.0.1:{port}/api/v3"
            environ = {**own.settings, "PORT": str(port)}
            command = granian("wsgi:app", port, number)
            with running(command, environ, f"{url}/rate_limit") as process:
                load(url + DETAIL, 2, headers=GZIP)
                rate = load(url + DETAIL, 2, headers=GZIP).rate
                found.append(Crew(number, rate, resident_mb(process.pid), *_connections(own)))
    return found


def _connections(own: Ground) -> tuple[int, int]:
    """To Redis and to PostgreSQL, without ours that count them."""
    with redis.Redis.from_url(own.settings["REDIS_URL"]) as store:
        clients = len(store.client_list()) - 1
    with psycopg.connect(own.settings["DATABASE_URL"]) as conn:
        row = conn.execute(
            "select count(*) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        ).fetchone()
    return clients, row[0] if row else 0


def measure(effort: Effort) -> Chapter:
    """All four."""
    sizes = SIZES[effort]
    by_rate = {}
    for rate in sizes.rates:
        say(f"growth: {rate:g} requests of repositories a second")
        by_rate[rate] = spent(sizes.hours, TYPICAL_OWNERS, rate)
    by_owners = {}
    for owners in sizes.owners:
        say(f"growth: {owners} organisations")
        by_owners[owners] = spent(sizes.hours, owners, TYPICAL_RATE)
    filled = shelves(sizes.entries)
    processes = crews(sizes.processes) if installed() else []
    watched = {float(owners * OWNER_REPOS): each for owners, each in by_owners.items()}
    return Chapter(
        "growth",
        "How cost grows",
        f"Points: {sizes.hours:g} simulated hours after one that isn't counted, {LISTS:g} list"
        " requests for each of a repository, webhooks in proportion to what is watched;"
        f" {TYPICAL_OWNERS * OWNER_REPOS} watched repositories where traffic grows, and"
        f" {TYPICAL_RATE:g} request a second where they do. Entries: 10 kB of JSON each, packed."
        " Processes: of one granian on one core.",
        (
            _spent_table("Traffic", "requests of repositories a second", by_rate),
            _spent_table("Watched repositories", "repositories", watched),
            Table(
                "Entries in Redis",
                ("entries", "bytes each", "µs a read", "of them Redis's CPU"),
                rows(
                    (f"{each.entries:,}", each.bytes_each, each.read_us, each.redis_us)
                    for each in filled
                ),
            ),
            Table(
                "Web processes on one core",
                ("processes", "hits a second", "memory, MB", "Redis connections", "PostgreSQL's"),
                rows(
                    (str(each.processes), each.rate, each.memory_mb, each.redis, each.postgresql)
                    for each in processes
                ),
            ),
        ),
        (
            Chart(
                "growth-traffic",
                "Points an hour as traffic grows",
                "lines",
                tuple(3_600 * (1 + LISTS) * rate for rate in by_rate),
                (
                    Series("no cache", tuple(each.requests for each in by_rate.values())),
                    Series("Forewarm", tuple(each.points for each in by_rate.values())),
                ),
                "points an hour",
                "requests an hour",
                log_x=True,
                log_y=True,
                about="Points of GitHub's limit that an hour takes, by requests, with and without.",
            ),
        ),
        figures=_figures(by_rate, watched, filled, processes),
        missing=() if processes else ("processes: wrk is not installed",),
    )


def _spent_table(title: str, first: str, found: Mapping[float, Spent]) -> Table:
    return Table(
        f"{title}: an hour",
        (first, "requests", "points", "calls", "points a 1,000 requests"),
        rows(
            (
                *(f"{size:,g}", each.requests, each.points, each.calls),
                1_000 * each.points / each.requests,
            )
            for size, each in found.items()
        ),
    )


def _figures(
    by_rate: Mapping[float, Spent],
    watched: Mapping[float, Spent],
    filled: list[Shelf],
    processes: list[Crew],
) -> dict[str, float]:
    """Slopes, from the first to the last of each."""
    first, last = min(by_rate), max(by_rate)
    found = {
        "traffic, times": last / first,
        "points, times": by_rate[last].points / max(1.0, by_rate[first].points),
        "points an hour a watched repository": watched[max(watched)].points / max(watched),
        "bytes an entry": filled[-1].bytes_each,
        "Redis's CPU a read, µs": filled[-1].redis_us,
        "read growth": filled[-1].read_us / filled[0].read_us,
        "read growth, entries": filled[-1].entries / filled[0].entries,
    }
    if processes:
        one, more = processes[0], processes[-1]
        found["MB, one process"] = one.memory_mb
        found["MB, each more"] = (more.memory_mb - one.memory_mb) / max(
            1, more.processes - one.processes
        )
        found["Redis connections, one process"] = one.redis
        found["PostgreSQL connections, one process"] = one.postgresql
    return found


if __name__ == "__main__":
    sys.exit(alone(measure, __doc__))
