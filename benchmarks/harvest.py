"""The harvest: how many repositories a second it writes, and what a request feels of it.

    python -m benchmarks.harvest [--quick]

Into an embedded PostgreSQL that holds a seeded catalog. Rates are by the clock, and by the CPU time
of PostgreSQL's backend, which other work on the machine doesn't change. Latency is that of a warm
hit and of a revalidated miss in a process whose harvest is fed RATE repositories a second (lists of
100), turn by turn with the same process left in peace.
"""

from __future__ import annotations

import random
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import psutil
import psycopg
import requests

from benchmarks.alone import alone
from benchmarks.results import Cell, Chapter, Effort, Table
from benchmarks.seeded import seeded
from benchmarks.stores import own_folder
from script.embedded import Valkey
from tests.serving import API_KEY, SECRET_KEY, Forewarm
from tests.standin.accounts import SERVICE_TOKEN
from tests.standin.process import StandIn
from webapp.db.catalog_writes import RepositorySight, catalog_upsert
from webapp.db.seed import WORD_SHARES, WORDS
from webapp.harvesting.batch import ROWS
from webapp.harvesting.harvest import Harvest
from webapp.harvesting.sights import rows_seen

HELD = {Effort.FULL: 1_000_000, Effort.QUICK: 50_000}
DAYS = {Effort.FULL: 5, Effort.QUICK: 1}
COUNT = {Effort.FULL: 20_000, Effort.QUICK: 2_000}
RATE = 5_000
LIST = 100
TURNS = {Effort.FULL: 6, Effort.QUICK: 1}
TURN = 3.0  # seconds


def answers(count: int, template: dict[str, Any], first: int) -> list[dict[str, Any]]:
    """Repositories as GitHub's lists give them."""
    chance = random.Random(4)

    def words(number: int) -> list[str]:
        return chance.choices(WORDS, cum_weights=WORD_SHARES, k=number)

    rows = []
    for number in range(count):
        name = f"{'-'.join(words(2))}-{number:x}"
        owner = f"bench-{number % 50}"
        rows.append(
            template
            | {
                "id": first + number,
                "name": name,
                "full_name": f"{owner}/{name}",
                "description": " ".join(words(8)),
                "stargazers_count": int(chance.paretovariate(0.6)),
                "topics": list(set(words(3))),
                "owner": template["owner"] | {"id": 90_000_000 + number % 50, "login": owner},
            }
        )
    return rows


def rates(url: str, template: dict[str, Any], count: int) -> list[tuple[str, float, float]]:
    """What is written, repositories a second by the clock, and a second of the backend's CPU."""
    now = datetime.now(UTC)
    rows = rows_seen(answers(count, template, 8 * 10**12), now).repositories
    shuffled = random.Random(1).sample(rows, len(rows))
    measured = []
    with psycopg.connect(url, autocommit=True) as conn:
        backend = psutil.Process(conn.info.backend_pid)
        later = timedelta(seconds=1)
        for name, sights in (
            ("new", rows),
            ("seen again, unchanged", [replace(row, seen_at=now + later) for row in rows]),
            (
                "changed",
                [
                    replace(row, seen_at=now + 2 * later, stargazers_count=row.stargazers_count + 1)
                    for row in shuffled
                ],
            ),
        ):
            before, began = _cpu(backend), time.perf_counter()
            for batch in _batches(sights):
                with conn.transaction():
                    catalog_upsert(conn, batch)
            took, used = time.perf_counter() - began, _cpu(backend) - before
            measured.append((name, count / took, count / used))
        take_back(conn)
    return measured


def take_back(conn: psycopg.Connection[Any]) -> None:
    """What was written here, so that the seeded catalog is as it was."""
    conn.execute("delete from repositories where id >= 8000000000000")
    conn.execute("delete from repository_days where repository_id >= 8000000000000")


def _batches(rows: list[RepositorySight]) -> Iterator[list[RepositorySight]]:
    for start in range(0, len(rows), ROWS):
        yield sorted(rows[start : start + ROWS], key=lambda row: row.id)


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@contextmanager
def fed(harvest: Harvest, template: dict[str, Any], counts: list[int]) -> Iterator[None]:
    """While inside, the harvest is offered RATE repositories a second."""
    bodies = [
        orjson.dumps(answers(LIST, template, 9 * 10**12 + number * LIST)) for number in range(200)
    ]
    stopped = threading.Event()

    def feed() -> None:
        began, sent = time.monotonic(), 0
        while not stopped.is_set():
            due = int((time.monotonic() - began) * RATE / LIST)
            while sent < due:
                harvest.offer("/orgs/bench/repos", bodies[sent % len(bodies)], time.time())
                sent += 1
            stopped.wait(0.01)

    written = harvest.counts["written"]
    feeder = threading.Thread(target=feed)
    feeder.start()
    try:
        yield
    finally:
        stopped.set()
        feeder.join()
        counts.append(harvest.counts["written"] - written)
        harvest.flush(30)


def latencies(forewarm: Forewarm) -> dict[str, list[float]]:
    """Milliseconds of requests during a turn, by kind."""
    times: dict[str, list[float]] = {"warm hit": [], "revalidated": []}
    ends, number = time.monotonic() + TURN, 0
    while time.monotonic() < ends:
        number += 1
        kind = "revalidated" if number % 10 == 0 else "warm hit"
        headers = {"Cache_Control": "max-age=0"} if kind == "revalidated" else {}
        began = time.perf_counter()
        answer = forewarm.get("/repos/pallets/flask", **headers)
        times[kind].append((time.perf_counter() - began) * 1_000)
        assert answer.status_code == 200
        time.sleep(0.001)
    return times


def _percentiles(values: list[float]) -> tuple[float, ...]:
    cuts = statistics.quantiles(values, n=100)
    return cuts[49], cuts[94], cuts[98]


def measure(effort: Effort) -> Chapter:
    """Rates, then latencies."""
    held, turns = HELD[effort], TURNS[effort]
    with ExitStack() as stack:
        postgres = stack.enter_context(seeded(held, days=DAYS[effort]))
        folder = stack.enter_context(own_folder())
        valkey = Valkey(folder / "valkey")
        valkey.start()
        stack.callback(valkey.stop)
        github = stack.enter_context(StandIn.start(limits=False))
        template = requests.get(
            f"{github.url}/orgs/pallets/repos",
            headers={"Authorization": f"Bearer {SERVICE_TOKEN}"},
            timeout=5,
        ).json()[0]
        written = rates(postgres.url, template, COUNT[effort])
        forewarm = Forewarm(
            {
                "HOST": "127.0.0.1",
                "REDIS_URL": valkey.url,
                "DATABASE_URL": postgres.url,
                "GITHUB_API_URL": github.url,
                "GITHUB_TOKEN": SERVICE_TOKEN,
                "API_KEYS": f"bench:{API_KEY}",
                "SECRET_KEY": SECRET_KEY,
                "LOG_LEVEL": "WARNING",
            }
        )
        stack.callback(forewarm.services.close)
        latencies(forewarm)  # warm
        alone_: dict[str, list[float]] = {}
        while_fed: dict[str, list[float]] = {}
        counts: list[int] = []
        for _ in range(turns):
            _join(alone_, latencies(forewarm))
            with fed(forewarm.services.harvest, template, counts):
                _join(while_fed, latencies(forewarm))
        with psycopg.connect(postgres.url, autocommit=True) as conn:
            take_back(conn)
    felt: list[tuple[Cell, ...]] = [
        (f"{kind}, {state}", *_percentiles(times[kind]))
        for kind in alone_
        for state, times in (("harvest at rest", alone_), ("harvest fed", while_fed))
    ]
    rate = sum(counts) / (turns * TURN)
    return Chapter(
        "harvest",
        "The harvest",
        f"{held:,} repositories held; {COUNT[effort]:,} more come as lists bring them. Then warm"
        f" hits and revalidations in a process whose harvest is fed {RATE:,} repositories a second,"
        " turn by turn with the same process left in peace.",
        (
            Table(
                "Written, repositories",
                ("", "a second", "a second of PostgreSQL's CPU"),
                tuple(written),
            ),
            Table(
                "What a request feels of it, ms",
                ("", "p50", "p95", "p99"),
                tuple(felt),
                f"Written meanwhile: {rate:,.0f} repositories a second.",
            ),
        ),
        figures={f"{name}, repositories a second": clock for name, clock, _ in written},
    )


def _join(into: dict[str, list[float]], more: dict[str, list[float]]) -> None:
    for kind, values in more.items():
        into.setdefault(kind, []).extend(values)


if __name__ == "__main__":
    sys.exit(alone(measure, __doc__))
