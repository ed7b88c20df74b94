"""What each strategy gains: the same with it and without, by switches that exist.

    python -m benchmarks.gains [--quick]

Hits are asked of Forewarms that differ by one setting, on one core, in interleaved rounds. The
others are measured in what they save: milliseconds, GitHub's points, rows a second.
"""

from __future__ import annotations

import gzip
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import psycopg
import redis
import requests

from benchmarks.alone import alone, say
from benchmarks.bodies import DETAIL, fetched, many
from benchmarks.harvest import answers
from benchmarks.loads.wrk import CLIENT, GZIP, installed, load
from benchmarks.results import Cell, Chapter, Effort, Spread, Table, rows
from benchmarks.serving import Ground, granian, ground, gunicorn, running
from benchmarks.stores import own_stores
from script.ports import free_port
from webapp.db.catalog_writes import catalog_upsert
from webapp.harvesting.batch import ROWS
from webapp.harvesting.sights import rows_seen

GITHUB_MS = 50.0
FRESH, SHORT = 3 * 3_600, 2  # seconds fresh


@dataclass(frozen=True, slots=True)
class Pace:
    """Rounds of a second each; how many answers, and how many rows."""

    rounds: int
    answers: int
    rows: int


PACES = {Effort.FULL: Pace(7, 50, 2_000), Effort.QUICK: Pace(1, 5, 200)}


@dataclass(frozen=True, slots=True)
class Variant:
    """A Forewarm as it is, but for some settings."""

    name: str
    settings: Mapping[str, str]
    server: Callable[[str, int, int], list[str]] = granian


WHOLE, NO_NEAR = Variant("as it is", {}), Variant("near off", {"NEAR_MB": "0"})
VARIANTS = (
    WHOLE,
    NO_NEAR,
    Variant("hit path off", {"HITPATH": "off"}),
    Variant("near and hit path off", {"NEAR_MB": "0", "HITPATH": "off"}),
    Variant("on gunicorn", {}, gunicorn),
    Variant("telemetry off", {"TELEMETRY": "off"}),
    Variant("every hit traced", {"HIT_SAMPLE": "1"}),
)


@contextmanager
def served(
    own: Ground, variants: Sequence[Variant], fresh: int = FRESH
) -> Iterator[dict[str, str]]:
    """Each variant's base URL."""
    with ExitStack() as stack:
        found = {}
        for each in variants:
            port = free_port()
            environ = {**own.settings, "CACHE_FRESH_REPO": str(fresh), "PORT": str(port)}
            base = f"http://127.0.0.1:{port}/api/v3"
            stack.enter_context(
                running(
                    each.server("wsgi:app", port, 1),
                    {**environ, **each.settings},
                    f"{base}/rate_limit",
                )
            )
            found[each.name] = base
        yield found


def _hits(pace: Pace) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Requests a second by variant; and a body's bytes on the way, packed and not."""
    rates: dict[str, list[float]] = {each.name: [] for each in VARIANTS}
    rates["unchanged"] = []
    with ground() as own, served(own, VARIANTS) as bases:
        held = requests.get(bases[WHOLE.name] + DETAIL, headers={**CLIENT, **GZIP}, timeout=10)
        asked = {name: (base, GZIP) for name, base in bases.items()}
        whole = bases[WHOLE.name]
        asked["unchanged"] = (whole, {**GZIP, "If-None-Match": held.headers["ETag"]})
        for base, headers in asked.values():
            load(base + DETAIL, 1, headers=headers)  # warm
        for number in range(pace.rounds):
            say(f"gains: hits, round {number + 1} of {pace.rounds}")
            for name, (base, headers) in asked.items():
                rates[name].append(load(base + DETAIL, 1, headers=headers).rate)
        body = fetched(own.github, DETAIL)
    return rates, {"packed": len(gzip.compress(body)), "plain": len(body)}


def _expired(pace: Pace) -> dict[str, float]:
    """Median milliseconds of an answer past its period, by whether stale ones are served."""
    variants = (Variant("stale served", {}), Variant("stale not served", {"CACHE_STALE": "0"}))
    found = {}
    for each in variants:
        # Stores of its own: an entry keeps the periods that it was stored with.
        with ground(latency_ms=GITHUB_MS) as own, served(own, (each,), SHORT) as bases:
            say(f"gains: {each.name}")
            paths = many(own.github, pace.answers)
            _asked(bases[each.name], paths)
            time.sleep(SHORT + 0.5)
            found[each.name] = statistics.median(_asked(bases[each.name], paths, pause=0.1))
    return found


def _asked(base: str, paths: Sequence[str], pause: float = 0.0) -> list[float]:
    """Milliseconds of each, one after another."""
    took = []
    with requests.Session() as session:
        session.headers.update({**CLIENT, **GZIP})
        for path in paths:
            began = time.perf_counter()
            session.get(base + path, timeout=20).raise_for_status()
            took.append(1_000 * (time.perf_counter() - began))
            time.sleep(pause)
    return took


def _lost(pace: Pace) -> dict[str, float]:
    """GitHub's points for asking again after Redis has lost everything, by who still knows it."""
    found = {}
    with ground() as own, served(own, (NO_NEAR,)) as bases:
        base = bases[NO_NEAR.name]
        paths = many(own.github, pace.answers)
        with (
            psycopg.connect(own.settings["DATABASE_URL"], autocommit=True) as conn,
            redis.Redis.from_url(own.settings["REDIS_URL"]) as store,
        ):
            for name, forget in (("archive", False), ("no archive", True)):
                say(f"gains: {name}")
                _asked(base, paths)
                _archived(conn, len(paths))
                if forget:
                    conn.execute("truncate upstream_responses")
                store.flushall()
                own.github.forget()
                _asked(base, paths)
                found[name] = float(own.github.points())
    return found


def _archived(conn: psycopg.Connection[Any], number: int) -> None:
    """Wait until as many answers are in the archive: they get there behind the request."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        row = conn.execute("select count(*) from upstream_responses").fetchone()
        if row and row[0] >= number:
            return
        time.sleep(0.05)
    raise TimeoutError("the archive is behind")


def _written(pace: Pace) -> dict[str, float]:
    """Repositories a second into the catalog, in the harvest's batches and one by one."""
    with own_stores() as stores, ground() as own:
        template = orjson.loads(fetched(own.github, DETAIL))
        found = {}
        for name, size in (("batches", ROWS), ("one by one", 1)):
            first = 8 * 10**12 + size * 10**6
            sights = rows_seen(answers(pace.rows, template, first), datetime.now(UTC)).repositories
            with psycopg.connect(stores.postgres.url, autocommit=True) as conn:
                began = time.perf_counter()
                for start in range(0, len(sights), size):
                    with conn.transaction():
                        catalog_upsert(conn, sights[start : start + size])
                found[name] = len(sights) / (time.perf_counter() - began)
    return found


COMPARED: tuple[tuple[str, str, str], ...] = (
    ("near shelf", "as it is", "near off"),
    ("hit path, near", "as it is", "hit path off"),
    ("hit path, Redis", "near off", "near and hit path off"),
    ("granian", "as it is", "on gunicorn"),
    ("304 to who has it", "unchanged", "as it is"),
    ("one hit in 100 traced", "as it is", "every hit traced"),
    ("telemetry", "as it is", "telemetry off"),
)
"""Of hits: a strategy, with it, without it."""


def measure(effort: Effort) -> Chapter:
    """All of it."""
    pace = PACES[effort]
    lines: list[tuple[Cell, ...]] = []
    figures: dict[str, float] = {}
    missing = []
    if installed():
        rates, packed = _hits(pace)
        figures |= {name: Spread.of(values).median for name, values in rates.items()}
        figures |= packed
        lines += [
            (name, "hits a second", *_compared(rates[with_it], rates[without]))
            for name, with_it, without in COMPARED
        ]
        lines.append(_pair("bodies kept packed", "bytes sent", packed, less=True))
    else:
        missing.append("hits: wrk is not installed")
    figures |= (expired := _expired(pace)) | (lost := _lost(pace)) | (written := _written(pace))
    lines += [
        _pair("stale served meanwhile", "ms of an expired answer", expired, less=True),
        _pair("archive", "points after Redis lost all", lost, less=True),
        _pair("batches of the harvest", "repositories a second", written, less=False),
    ]
    return Chapter(
        "gains",
        "What each strategy gains",
        f"Hits: 10 kB, gzip, 32 connections, variants that differ by one setting on one core,"
        f" {pace.rounds} interleaved rounds of 1 s. Expired answers: {pace.answers} of them, a"
        f" GitHub of {GITHUB_MS:g} ms. The archive: {pace.answers} answers asked for again after"
        f" Redis lost everything. The harvest: {pace.rows:,} repositories, by {ROWS} and one by"
        " one.",
        (
            Table(
                "With and without",
                ("strategy", "in", "with", "without", "times better"),
                rows(lines),
            ),
        ),
        figures=figures,
        missing=tuple(missing),
    )


def _compared(with_it: Sequence[float], without: Sequence[float]) -> tuple[Cell, ...]:
    return (Spread.of(with_it), Spread.of(without), Spread.ratios(with_it, without))


def _pair(name: str, unit: str, found: Mapping[str, float], *, less: bool) -> tuple[Cell, ...]:
    """`found` is with it, then without; `less` is better or more is."""
    with_it, without = found.values()
    better, worse = (without, with_it) if less else (with_it, without)
    return (name, unit, with_it, without, better / worse if worse else None)


if __name__ == "__main__":
    sys.exit(alone(measure, __doc__))
