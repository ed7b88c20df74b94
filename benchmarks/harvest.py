"""The harvest: how many repositories a second it writes, and what a request feels of it.

    python -m benchmarks.harvest --held 1000000

Into an embedded PostgreSQL that holds a seeded catalog. Rates are by the clock, and by the CPU time
of PostgreSQL's backend, which other work on the machine doesn't change. Latency is that of a warm
hit and of a revalidated miss in a process whose harvest is fed RATE repositories a second (lists of
100), turn by turn with the same process left in peace.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import psutil
import psycopg
import requests

from script.embedded import Postgres, Valkey, start_together, stop_together
from tests.serving import API_KEY, SECRET_KEY, Forewarm
from tests.standin.accounts import SERVICE_TOKEN
from tests.standin.process import StandIn
from webapp.db.catalog_writes import RepositorySight, catalog_upsert
from webapp.db.migrate import upgrade
from webapp.db.seed import WORD_SHARES, WORDS, seed
from webapp.harvest import Harvest
from webapp.harvest_batch import ROWS
from webapp.secret import Secret
from webapp.sights import rows_seen

RATE = 5_000
LIST = 100
TURNS, TURN = 6, 3.0  # seconds


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
        conn.execute("delete from repositories where id >= 8000000000000")
        conn.execute("delete from repository_days where repository_id >= 8000000000000")
    return measured


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


def _percentiles(values: list[float]) -> str:
    cuts = statistics.quantiles(values, n=100)
    return f"{cuts[49]:8.2f}{cuts[94]:8.2f}{cuts[98]:8.2f}"


def measure(held: int, count: int) -> None:
    """Run it all and print it."""
    with ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix="forewarm-bench-"))
        directory.chmod(0o755)
        stack.callback(shutil.rmtree, directory)
        valkey, postgres = Valkey(directory / "valkey"), Postgres(directory / "postgres")
        start_together([valkey, postgres])
        stack.callback(stop_together, [valkey, postgres])
        upgrade(Secret(postgres.url))
        seed(Secret(postgres.url), repos=held, orgs=max(1, held // 500), days=1)
        github = stack.enter_context(StandIn.start(limits=False))
        template = requests.get(
            f"{github.url}/orgs/pallets/repos",
            headers={"Authorization": f"Bearer {SERVICE_TOKEN}"},
            timeout=5,
        ).json()[0]
        print(f"{held:,} repositories held; {'a second':>22}{'a CPU second':>15}")
        for name, clock, cpu in rates(postgres.url, template, count):
            print(f"{name:<40}{clock:>12,.0f}{cpu:>15,.0f}")
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
        alone: dict[str, list[float]] = {}
        while_fed: dict[str, list[float]] = {}
        counts: list[int] = []
        for _ in range(TURNS):
            _join(alone, latencies(forewarm))
            with fed(forewarm.services.harvest, template, counts):
                _join(while_fed, latencies(forewarm))
        print(f"\n{'milliseconds':<32}{'p50':>8}{'p95':>8}{'p99':>8}")
        for kind, values in alone.items():
            print(f"{kind + ', harvest at rest':<32}{_percentiles(values)}")
            print(f"{kind + ', harvest fed':<32}{_percentiles(while_fed[kind])}")
        written = sum(counts) / (TURNS * TURN)
        print(f"\nwritten meanwhile: {written:,.0f} repositories a second")


def _join(into: dict[str, list[float]], more: dict[str, list[float]]) -> None:
    for kind, values in more.items():
        into.setdefault(kind, []).extend(values)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--held", type=int, default=1_000_000, help="repositories already there")
    parser.add_argument("--count", type=int, default=20_000, help="repositories written")
    chosen = parser.parse_args()
    measure(chosen.held, chosen.count)


if __name__ == "__main__":
    main()
