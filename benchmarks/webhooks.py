"""A webhook to the first fresh answer, and the oldest answer after it under load.

    python -m benchmarks.webhooks [--quick]

One Forewarm of four web processes, one worker, real stores, a stand-in GitHub that takes its time.
First, idle: from sending a delivery until an answer with the change has come, asked for again and
again. Then, under load: readers on every process while one repository after another changes; how
long after a delivery's 202 a read began that still got the older answer, and how long after it one
was received. Target: p95 of 100 ms and one round trip to GitHub; nothing older later than 100 ms.
"""

from __future__ import annotations

import http.client
import multiprocessing
import os
import statistics
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from benchmarks.alone import alone
from benchmarks.results import Chapter, Effort, Table, Target
from benchmarks.stores import own_stores
from tests.serving import Server, serve
from tests.standin.accounts import SERVICE_TOKEN
from tests.standin.process import StandIn
from tests.standin.webhooks import signature

ROOT = Path(__file__).resolve().parents[1]
SECRET, KEY = "a webhook secret for benchmarks", "fwk_a-key-for-benchmarks"
WEB_PROCESSES, READERS = 4, 6
NAMES = ("flask", "click", "jinja", "werkzeug", "quart", "markupsafe")
ROUNDS = {Effort.FULL: 200, Effort.QUICK: 20}
SECONDS = {Effort.FULL: 20.0, Effort.QUICK: 3.0}
LATENCY_MS = 50.0
LATE = 0.1  # seconds after the 202 from which no older answer may come
STARTED_WITHIN = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Read:
    """One answer: which repository, which version of it it showed; monotonic seconds."""

    name: str
    version: int
    began: float
    ended: float


class Wire:
    """One kept-alive connection."""

    def __init__(self, url: str, token: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": "benchmark"}

    def read(self, path: str) -> tuple[int, str]:
        """The version that a repository's answer shows (0 for none yet), and its X-Cache."""
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        said = orjson.loads(answer.read())
        assert answer.status == 200, said
        word, _, number = (said["description"] or "").partition(" ")
        return int(number) if word == "version" else 0, answer.getheader("X-Cache", "")

    def deliver(self, name: str) -> None:
        """`repository.edited`; AssertionError unless it is accepted."""
        repository = {"full_name": f"pallets/{name}", "owner": {"login": "pallets"}}
        body = orjson.dumps({"action": "edited", "repository": repository})
        sent = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "repository",
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-Hub-Signature-256": signature(SECRET, body),
        }
        self._connection.request("POST", "/webhooks/github", body, sent)
        answer = self._connection.getresponse()
        answer.read()
        assert answer.status == 202


@contextmanager
def _house() -> Iterator[tuple[StandIn, Server]]:
    with ExitStack() as stack:
        stores = stack.enter_context(own_stores(durable=True))
        github = stack.enter_context(StandIn.start(latency_ms=LATENCY_MS, limits=False))
        environ = {
            **stores.settings,
            "HOST": "127.0.0.1",
            "GITHUB_API_URL": github.url,
            "GITHUB_TOKEN": SERVICE_TOKEN,
            "GITHUB_WEBHOOK_SECRET": SECRET,
            "API_KEYS": KEY,
            "SECRET_KEY": "a secret key for benchmarks",
            "WATCH": "pallets",
            "LOG_LEVEL": "WARNING",
            "REDIS_POOL": "16",
        }
        command = [str(Path(sys.executable).with_name("dramatiq")), "workers.main"]
        worker = subprocess.Popen(
            [*command, "--processes", "1", "--threads", "4"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], **environ},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(worker.wait)
        stack.callback(worker.terminate)  # its own child with it
        log = stores.folder / "web.log"
        yield github, stack.enter_context(serve(environ, log, WEB_PROCESSES))


def _round_trip_ms(github: StandIn) -> float:
    wire = Wire(github.url, SERVICE_TOKEN)
    times = []
    for _ in range(20):
        began = time.monotonic()
        wire.read("/repos/pallets/flask")
        times.append(time.monotonic() - began)
    return statistics.median(times) * 1_000


def _idle(github: StandIn, server: Server, rounds: int) -> list[float]:
    """Milliseconds from sending a delivery to having the first fresh answer."""
    sender, reader = Wire(server.url, KEY), Wire(server.url, KEY)
    times = []
    for version in range(1, rounds + 1):
        name = NAMES[version % len(NAMES)]
        path = f"/api/v3/repos/pallets/{name}"
        reader.read(path)
        github.change_repo(f"pallets/{name}", description=f"version {version}", webhook=False)
        began = time.monotonic()
        sender.deliver(name)
        while reader.read(path)[0] != version:
            pass
        times.append((time.monotonic() - began) * 1_000)
    return times


def _read_on(url: str, number: int, start: Barrier, stop: Event, results: Any) -> None:
    """A reader's process: its reads, and how often each outcome came."""
    wire, reads, outcomes = Wire(url, KEY), list[Read](), Counter[str]()
    turn = number
    start.wait(STARTED_WITHIN)
    while not stop.is_set():
        turn += 1
        name = NAMES[turn % len(NAMES)]
        began = time.monotonic()
        version, outcome = wire.read(f"/api/v3/repos/pallets/{name}")
        reads.append(Read(name, version, began, time.monotonic()))
        outcomes[outcome] += 1
    results.put((reads, outcomes))


@dataclass(frozen=True, slots=True)
class Loaded:
    """Under load: how many answers were older than what a 202 had told of LATE before they came;
    milliseconds after the 202 of the last older one, by when its read began and when it came.
    """

    late: int
    began_ms: float
    ended_ms: float
    reads: int
    deliveries: int
    outcomes: Counter[str]


def _loaded(github: StandIn, server: Server, seconds: float, first: int) -> Loaded:
    context = multiprocessing.get_context("spawn")
    start, stop = context.Barrier(READERS + 1), context.Event()
    results: Any = context.Queue()
    readers = [
        context.Process(target=_read_on, args=(server.url, number, start, stop, results))
        for number in range(READERS)
    ]
    for each in readers:
        each.start()
    start.wait(STARTED_WITHIN)
    sender = Wire(server.url, KEY)
    accepted: dict[str, list[tuple[float, int]]] = {name: [] for name in NAMES}
    deadline, version = time.monotonic() + seconds, first
    while time.monotonic() < deadline:
        version += 1
        name = NAMES[version % len(NAMES)]
        github.change_repo(f"pallets/{name}", description=f"version {version}", webhook=False)
        sender.deliver(name)
        accepted[name].append((time.monotonic(), version))
        time.sleep(0.05)
    time.sleep(0.5)
    stop.set()
    found = [results.get(timeout=30) for _ in readers]
    for each in readers:
        each.join()
    reads = [read for some, _ in found for read in some]
    late = _lateness(reads, accepted)
    return Loaded(
        late=sum(ended > LATE for _, ended in late),
        began_ms=max((began for began, _ in late), default=0.0) * 1_000,
        ended_ms=max((ended for _, ended in late), default=0.0) * 1_000,
        reads=len(reads),
        deliveries=version - first,
        outcomes=sum((counted for _, counted in found), Counter[str]()),
    )


def _lateness(
    reads: list[Read], accepted: dict[str, list[tuple[float, int]]]
) -> list[tuple[float, float]]:
    """Seconds after the first 202 of a newer version, of each older answer: when its read began
    (negative before it) and when it came."""
    late = []
    for read in reads:
        newer = next((at for at, version in accepted[read.name] if version > read.version), None)
        if newer is not None and read.ended > newer:
            late.append((read.began - newer, read.ended - newer))
    return late


def measure(effort: Effort) -> Chapter:
    """Both."""
    rounds, seconds = ROUNDS[effort], SECONDS[effort]
    with _house() as (github, server):
        round_trip = _round_trip_ms(github)
        idle = _idle(github, server, rounds)
        loaded = _loaded(github, server, seconds, rounds)
    p95 = statistics.quantiles(idle, n=20)[-1]
    return Chapter(
        "webhooks",
        "From a webhook to a fresh answer",
        f"{WEB_PROCESSES} web processes, one worker, real stores; GitHub takes {LATENCY_MS:g} ms."
        f" Idle: {rounds} deliveries, each asked after until the change shows. Loaded:"
        f" {READERS} readers on all processes for {seconds:g} s while one repository after another"
        " changes.",
        (
            Table(
                "Idle: milliseconds from sending the delivery to having the first fresh answer",
                ("deliveries", "p50", "p95", "most", "GitHub's round trip"),
                ((str(rounds), statistics.median(idle), p95, max(idle), round_trip),),
            ),
            Table(
                "Loaded: the last older answer, in milliseconds after the 202",
                (
                    *("reads", "deliveries", "asked for", "received"),
                    "older, received later than 100 ms",
                ),
                (
                    (
                        *(f"{loaded.reads:,}", loaded.deliveries),
                        *(loaded.began_ms, loaded.ended_ms, loaded.late),
                    ),
                ),
            ),
            Table(
                "Loaded: answers",
                ("outcome", "reads"),
                tuple((name, number) for name, number in loaded.outcomes.most_common()),
            ),
        ),
        targets=(
            Target("webhook/fresh", p95 - round_trip),
            Target("webhook/older", float(loaded.late)),
        ),
    )


if __name__ == "__main__":
    sys.exit(alone(measure, __doc__))
