"""What saturates first, from one small dyno to many machines on one Redis and one PostgreSQL.

Arithmetic over measured figures, nothing more: each resource of a step is told in the watched
repositories that it carries, asked for as in the simulated day; the least of them comes first. Half
of each is kept free.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.records import Record
from benchmarks.results import Cell
from benchmarks.tables import table
from webapp.settings_table import SETTINGS

REQUESTS_AN_HOUR = 4.32
"""For each watched repository: 1 of a repository and 0.2 of a list a second for 1,000 of them."""
USED = 0.5
ENTRIES = 3
"""Answers kept of each watched repository: itself, two of its parts, and its share of lists."""
READING = (
    "Each column with the name of a resource tells the watched repositories that it carries;"
    " connections are those that pools may open, of those that there are."
)
NOT_YET = "Not measured yet: it takes the chapters hits, growth and catalog."


@dataclass(frozen=True, slots=True)
class Step:
    """A size of installation. Cores and processes are of web; sizes in 10^9 bytes; points an hour
    are of all credentials."""

    name: str
    cores: float
    web: int
    workers: int
    redis_gb: float
    redis_connections: int
    postgres_gb: float
    postgres_connections: int
    points: int


STEPS = (
    Step("one small dyno each of web, worker and scheduler", 1, 1, 1, 0.025, 20, 1, 20, 5_000),
    Step("one machine of 2 cores and 4 GB, stores on it", 1, 1, 1, 1, 10_000, 20, 100, 5_000),
    Step("4 cores of web, a worker machine, stores apart", 4, 4, 2, 4, 10_000, 100, 200, 15_000),
    Step("8 machines of 4 cores, 4 of workers", 32, 32, 8, 16, 10_000, 400, 500, 60_000),
    Step("32 machines of 4 cores, 8 of workers", 128, 128, 16, 64, 10_000, 1_000, 1_000, 240_000),
)


@dataclass(frozen=True, slots=True)
class Costs:
    """What the arithmetic begins with, each a measured figure."""

    near_rate: float  # hits a second of a core
    redis_rate: float  # the same, each of them from Redis
    redis_read_us: float  # of Redis's own CPU
    entry_bytes: float
    catalog_bytes: float  # of PostgreSQL, a repository
    points: float  # an hour, a watched repository


def costs(records: Mapping[str, Record]) -> Costs | None:
    """From the chapters; None where one isn't there."""
    try:
        hits, growth = records["hits"].chapter.figures, records["growth"].chapter.figures
        catalog = records["catalog"].chapter.figures
        return Costs(
            near_rate=hits["Forewarm, near/rps"],
            redis_rate=hits["Forewarm, Redis/rps"],
            redis_read_us=growth["Redis's CPU a read, µs"],
            entry_bytes=growth["bytes an entry"],
            catalog_bytes=catalog["bytes a repository, indexes and history included"],
            points=growth["points an hour a watched repository"],
        )
    except KeyError:
        return None


def carried(step: Step, cost: Costs) -> dict[str, float]:
    """Watched repositories that each resource carries, by its name. The worst case of a hit counts:
    each of them is read from Redis."""
    hour = 3_600 / REQUESTS_AN_HOUR
    redis_rate = 1e6 / cost.redis_read_us
    found = {
        "web's CPU": step.cores * cost.redis_rate * hour * USED,
        "Redis's CPU": redis_rate * hour * USED,
        "Redis's memory": step.redis_gb * 1e9 / cost.entry_bytes / ENTRIES * USED,
        "PostgreSQL's disk": step.postgres_gb * 1e9 / cost.catalog_bytes * USED,
    }
    if cost.points > 0:
        found["GitHub's limit"] = step.points / cost.points * USED
    return found


def connections(step: Step) -> tuple[int, int]:
    """Of Redis and of PostgreSQL, at most, the scheduler's included: pools as they are set."""
    default = {row.variable: row.default for row in SETTINGS}
    processes = step.web + step.workers + 1
    return processes * int(default["REDIS_POOL"]), processes * int(default["DATABASE_POOL"])


def capacity(records: Mapping[str, Record]) -> str:
    """The guide: what one unit carries, then each step."""
    cost = costs(records)
    if cost is None:
        return NOT_YET
    rows: list[tuple[Cell, ...]] = []
    for step in STEPS:
        limits = carried(step, cost)
        first = min(limits, key=lambda name: limits[name])
        redis, postgresql = connections(step)
        too_many = [
            name
            for name, used, most in (
                ("Redis's connections: lower REDIS_POOL", redis, step.redis_connections),
                (
                    "PostgreSQL's connections: lower DATABASE_POOL, or a pooler",
                    postgresql,
                    step.postgres_connections,
                ),
            )
            if used > most
        ]
        rows.append(
            (
                step.name,
                "; ".join([first, *too_many]),
                round(step.cores * cost.near_rate * USED),
                *(_rounded(limits[name]) for name in limits),
                _of(redis, step.redis_connections),
                _of(postgresql, step.postgres_connections),
            )
        )
    named = carried(STEPS[0], cost)
    return "\n\n".join(
        [
            _units(cost),
            READING,
            table(
                (
                    *("installation", "saturates first", "near hits a second", *named),
                    *("Redis's connections", "PostgreSQL's"),
                ),
                rows,
            ),
        ]
    )


def _of(used: int, most: int) -> str:
    return f"{used:,} of {most:,}"


def _rounded(value: float) -> int:
    """To two significant digits: it is arithmetic over one machine's figures."""
    return int(float(f"{value:.2g}"))


def _units(cost: Costs) -> str:
    reads = 1e6 / cost.redis_read_us
    lines = {
        "a core of web": f"{cost.near_rate:,.0f} near hits a second, or {cost.redis_rate:,.0f} that"
        " are all read from Redis",
        "a core of Redis": f"{reads:,.0f} reads a second, at {cost.redis_read_us:.0f} µs each; near"
        " hits ask it nothing",
        "a gigabyte of Redis": f"{1e9 / cost.entry_bytes:,.0f} answers of {cost.entry_bytes:,.0f}"
        " bytes (10 kB of JSON, packed)",
        "a gigabyte of PostgreSQL": f"{1e9 / cost.catalog_bytes:,.0f} repositories of"
        f" {cost.catalog_bytes:,.0f} bytes, indexes and five days of history included",
    }
    if cost.points:
        lines["a token's 5,000 points an hour"] = (
            f"{5_000 / cost.points:,.0f} watched repositories, at {cost.points:.3f} points an hour"
            " each"
        )
    return "\n".join(f"- {name}: {carries}" for name, carries in lines.items())
