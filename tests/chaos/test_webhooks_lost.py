"""No delivery is lost: Redis, PostgreSQL, the broker and the worker are killed (-9) at random while
GitHub's reads lag and deliveries come; in the end every answer is GitHub's.

One of them is away at a time. FOREWARM_LONG=1 makes a thousand changes, with a seed of its own or
FOREWARM_SEED, then leaves looks and pauses to worker and scheduler; the short form sees to what is
still due itself, as if a minute had passed.
"""

from __future__ import annotations

import os
import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from script.embedded import Postgres, Valkey
from tests.serving import API_KEY, Forewarm, Server, serve
from tests.standin.accounts import SERVICE_TOKEN
from tests.standin.process import StandIn
from tests.webapp.delivering import SECRET
from tests.workers.processes import SCHEDULER, WORKER, Process, wait_for

LONG = bool(os.environ.get("FOREWARM_LONG"))
SEED = os.environ.get("FOREWARM_SEED") or (secrets.token_hex(4) if LONG else "seed")
CHANGES, EVERY = (1_000, 0.12) if LONG else (50, 0.03)  # seconds between changes
READ_EVERY = 0.05 if LONG else 0.004
LAG_MS = 1_500 if LONG else 300
PAUSES_END = 85.0  # seconds until looks are taken and pauses over, a sweep included

NAMES = ("flask", "click", "jinja", "werkzeug", "quart", "markupsafe")
DETAILS = [f"/repos/pallets/{name}" for name in NAMES]
PATHS = [*DETAILS, *(f"{path}/releases" for path in DETAILS), "/orgs/pallets/repos?per_page=100"]
SHOWN = (
    *("full_name", "description", "private", "archived", "stargazers_count", "forks_count"),
    *("open_issues_count", "pushed_at", "updated_at", "tag_name"),
)

Change = Callable[[StandIn, str, int], object]
CHANGE: tuple[Change, ...] = (
    lambda github, repo, number: github.change_repo(repo, description=f"change {number}"),
    lambda github, repo, number: github.star(repo),
    lambda github, repo, number: github.push(repo),
    lambda github, repo, number: github.open_issue(repo),
    lambda github, repo, number: github.release(repo, f"v{number}"),
    lambda github, repo, number: github.change_repo(repo, archived=number % 2 == 0),
    lambda github, repo, number: github.change_repo(repo, private=number % 2 == 0),
)


@dataclass
class House:
    """Everything that runs, and how each part is killed and comes back."""

    environ: dict[str, str]
    valkey: Valkey
    broker: Valkey
    postgres: Postgres
    folder: Path
    worker: Process | None = None
    kills: Counter[str] = field(default_factory=Counter)

    def start_worker(self) -> None:
        log = self.folder / f"worker-{self.kills['worker']}.log"
        self.worker = Process(WORKER, self._environ(), log)

    def start_scheduler(self) -> Process:
        return Process(SCHEDULER, self._environ(), self.folder / "scheduler.log")

    def kill(self, part: str, seconds: float) -> None:
        """Kill -9, away for so many seconds, back."""
        self.kills[part] += 1
        if part == "worker":
            assert self.worker
            self.worker.kill()
            time.sleep(seconds)
            self.start_worker()
            return
        store = {"redis": self.valkey, "broker": self.broker, "postgresql": self.postgres}[part]
        store.kill()
        time.sleep(seconds)
        store.start()

    def _environ(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "dramatiq_restart_delay": "300", **self.environ}


@pytest.fixture
def house(
    environ: dict[str, str],
    store_directory: Path,
    valkey: Valkey,
    postgres: Postgres,
    tmp_path: Path,
) -> Iterator[House]:
    broker = Valkey(store_directory / "broker", maxmemory="64mb")
    broker.start()
    settings = {**environ, "BROKER_URL": broker.url, "GITHUB_WEBHOOK_SECRET": SECRET}
    settings |= {"WATCH": "pallets", "ANONYMOUS_SCOPE": "service"}
    found = House(settings, valkey, broker, postgres, tmp_path)
    found.start_worker()
    yield found
    if found.worker:
        found.worker.kill()
    broker.stop()


def judged(url: str) -> requests.Response:
    """An answer that claims to be GitHub's of now: not GRACE, nor a limit (the looks of so many
    changes drain the minute's budget)."""
    deadline = time.monotonic() + 90
    while True:
        answer = requests.get(url, headers={"Authorization": f"Bearer {API_KEY}"}, timeout=20)
        if answer.headers["X-Cache"] not in {"GRACE", "ERROR"}:
            return answer
        assert time.monotonic() < deadline, answer.text
        time.sleep(1)


def shown(answer: requests.Response) -> Any:
    """What of an answer a change can change."""
    if answer.status_code != 200:
        return answer.status_code
    said = answer.json()
    rows = said if isinstance(said, list) else [said]
    return [{name: row.get(name) for name in SHOWN} for row in rows]


class Readers:
    """Fill the cache, with whatever GitHub says at the time, till the block ends."""

    def __init__(self, server: Server, seed: str) -> None:
        self._server = server
        self._chance = random.Random(seed)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self.seen: Counter[str] = Counter()

    def __enter__(self) -> Readers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _read(self) -> None:
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {API_KEY}"
            while not self._stop.wait(READ_EVERY):
                answer = session.get(self._server.api + self._chance.choice(PATHS), timeout=20)
                self.seen[answer.headers.get("X-Cache", str(answer.status_code))] += 1


class Killing(threading.Thread):
    """Kills one part after another, till told to stop; PostgreSQL last in the short form, where
    nobody waits for what a worker had taken when it was killed."""

    def __init__(self, house: House, chance: random.Random) -> None:
        super().__init__()
        self._house = house
        self._chance = chance
        self.stop = threading.Event()

    def run(self) -> None:
        parts = ["redis", "broker", "worker"]
        self._chance.shuffle(parts)
        for part in (*parts, "postgresql"):
            self._kill(part)
        while LONG and not self.stop.is_set():
            self._kill(self._chance.choice([*parts, "postgresql"]))

    def _kill(self, part: str) -> None:
        time.sleep(0.2 + 0.3 * self._chance.random())
        self._house.kill(part, 0.1 + (1.5 if LONG else 0.4) * self._chance.random())
        if LONG:
            # What a killed broker forgets of its last second, no second failure may need.
            self.stop.wait(1.5)


def redelivered(github: StandIn) -> int:
    """Deliveries that weren't accepted come again, as an operator has GitHub do it."""
    failed = [each for each in github.deliveries() if each["status_code"] != 202]
    for each in failed:
        github.redeliver(each["id"])
    return len(failed)


def settled(github: StandIn) -> bool:
    return all(each["status"] != "pending" for each in github.deliveries())


def changes(github: StandIn, chance: random.Random) -> int:
    """Make them; how many deliveries that were."""
    for number in range(CHANGES):
        chance.choice(CHANGE)(github, f"pallets/{chance.choice(NAMES)}", number)
        time.sleep(EVERY * 2 * chance.random())
    return len(github.deliveries())


def as_if_a_minute_had_passed(settings: Mapping[str, str]) -> None:
    """Take the looks that are still due, and pay the lists that are owed."""
    later = Forewarm(settings).services
    for each in (later.webhooks, later.invalidation):
        vars(each)["_clock"] = lambda: time.time() + 90
    later.webhooks.sweep()
    later.invalidation.owed()
    later.close()


def test_in_the_end_every_answer_is_githubs(house: House, github: StandIn) -> None:
    chance = random.Random(SEED)
    github.limits(primary=False, secondary=False)
    github.lag(LAG_MS)
    scheduler = house.start_scheduler() if LONG else None
    with serve(house.environ, house.folder / "server.log") as server:
        github.hook(f"{server.url}/webhooks/github", SECRET)
        killing = Killing(house, chance)
        with Readers(server, SEED) as readers:
            killing.start()
            sent = changes(github, chance)
            killing.stop.set()
            killing.join()
            wait_for(lambda: settled(github), "end of the deliveries")
            again = redelivered(github)
            time.sleep(PAUSES_END if LONG else 2.2)  # the first looks are the worker's
            if not LONG:
                as_if_a_minute_had_passed(house.environ)
        assert house.worker
        assert house.worker.popen.poll() is None, house.worker.output
        ours = {path: shown(judged(server.api + path)) for path in PATHS}
    if scheduler:
        scheduler.kill()
    truth = {
        path: shown(
            requests.get(github.url + path, headers={"Authorization": f"Bearer {SERVICE_TOKEN}"})
        )
        for path in PATHS
    }
    print(
        f"seed {SEED}: {sent} deliveries, {again} of them again, kills {dict(house.kills)},"
        f" reads {dict(readers.seen)}"
    )
    assert {path: said for path, said in ours.items() if said != truth[path]} == {}
    assert set(house.kills) == {"redis", "broker", "worker", "postgresql"}
