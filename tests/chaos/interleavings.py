"""Several web processes on one Redis, readers and purgers in each, at random: does anyone ever read
what is older than the last purge?

    python -m tests.chaos.interleavings SEED SECONDS REPORT       settings in the environment

Each node is the whole application; only GitHub is a function here, which knows each key's version
and is slow, or down, now and then. Leases are short and end under slow fetches. Nodes are killed
by SIGKILL and forked anew. What was seen too old goes to REPORT, one line of JSON each.
"""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson
from flask import Flask
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

from tests.chaos.ledger import Ledger
from tests.serving import API_KEY
from webapp import fetching
from webapp.app import create_app
from webapp.cache import flight, store
from webapp.cache.entry import Entry
from webapp.cache.keys import Scope, Target
from webapp.errors import GitHubUnavailable, StoreUnavailable
from webapp.github.answer import Answer
from webapp.github.asker import Asker
from webapp.services import Services
from webapp.settings import Settings

NODES, OWN_KEYS, READERS = 3, 3, 4
KEYS = NODES * OWN_KEYS
COUNTERS: tuple[str, ...] = (
    *("HIT", "STALE", "GRACE", "REVALIDATED", "MISS", "COALESCED", "BYPASS"),
    *("near", "502", "503", "soft", "hard", "noted", "refused", "killed", "500"),
)
NEAR_LAG = 1_000_000_000  # ns: DESIGN.md's bound where messages may be lost; here they are
DOWN = 0.03  # how often GitHub can't be reached
PURGES, READS = 100, 500  # fewer prove nothing
SLOW = 30.0  # seconds that a busy machine may take longer until there are as many
LEASE, RENEW_EVERY, RENEWED_FOR = 0.25, 0.1, 0.15  # seconds; a slow fetch outlasts them


class GitHub:
    """Answers with a key's version of the moment it was asked."""

    state = "up"

    def __init__(self, ledger: Ledger, chance: random.Random) -> None:
        self._ledger = ledger
        self._chance = chance

    def get(self, target: Target, asker: Asker, held: Entry | None) -> Answer:
        asked_at = time.time()
        version = self._ledger.version(key_of(target.path))
        turn = self._chance.random()
        time.sleep(0.4 if turn < 0.01 else 0.04 * turn if turn < 0.3 else 0.002 * turn)
        if turn > 1 - DOWN:
            raise GitHubUnavailable("down")
        headers = {"Content-Type": "application/json; charset=utf-8"}
        body = orjson.dumps({"version": version, "private": False})
        return Answer(200, headers, body, asked_at, upstream_status=200)

    def forget(self, target: Target, scope: Scope) -> None:
        """Nothing is archived here."""


def path_of(key: int) -> str:
    return f"/repos/owner{key // OWN_KEYS}/{key}"


def key_of(path: str) -> int:
    return int(path.rpartition("/")[2])


class Node:
    """One web process."""

    def __init__(self, number: int, seed: str, ledger: Ledger, report: int) -> None:
        self._number, self._seed = number, seed
        self._ledger = ledger
        self._report = report
        self._app: Flask = create_app(Settings.from_env())
        self._services: Services = self._app.extensions["services"]
        self._own_floors = Ledger(KEYS, 0)  # also what only this process knows of yet
        ladder: Any = self._services.ladder
        ladder._fetcher._client = GitHub(ledger, random.Random(f"{seed} github"))

    def run(self) -> None:
        threading.excepthook = self._ended_by
        threads = [
            threading.Thread(target=self._read, args=(random.Random(f"{self._seed} r{each}"),))
            for each in range(READERS)
        ]
        threads.append(
            threading.Thread(target=self._purge, args=(random.Random(f"{self._seed} p"),))
        )
        for each in threads:
            each.start()
        for each in threads:
            each.join()

    # Purging

    def _purge(self, chance: random.Random) -> None:
        while True:
            time.sleep(chance.random() * 0.02)
            first = self._number * OWN_KEYS
            all_own = chance.random() < 0.02
            # Some are purged all the time, some seldom enough to be stale by time.
            one = first + chance.choices(range(OWN_KEYS), (0.8, 0.18, 0.02))[0]
            keys = range(first, first + OWN_KEYS) if all_own else [one]
            tag = f"owner:owner{self._number}" if all_own else f"repo:{path_of(one)[7:]}"
            hard = chance.random() < 0.3
            versions = [self._ledger.change(key) for key in keys]
            try:
                self._services.purger.purge([tag], hard=hard, cause="operator")
            except StoreUnavailable:
                self._ledger.count(COUNTERS.index("refused"))
                continue
            self._ledger.count(COUNTERS.index("hard" if hard else "soft"))
            at = time.monotonic_ns()
            for floors in (self._own_floors, self._ledger):
                for key, version in zip(keys, versions, strict=True):
                    floors.raise_floor(key, at, version=version, hard=hard)
                if floors is self._own_floors and self._alone():
                    # Noted: the others can only know once Redis does.
                    self._ledger.count(COUNTERS.index("noted"))
                    while self._alone():
                        time.sleep(0.01)
                    at = time.monotonic_ns()

    def _alone(self) -> bool:
        return self._services.redis.breaker.open

    # Reading

    def _read(self, chance: random.Random) -> None:
        environs = [self._environ(key) for key in range(KEYS)]
        while True:
            key = chance.randrange(KEYS)
            environ = dict(environs[key])
            if chance.random() < 0.02:
                environ["HTTP_CACHE_CONTROL"] = "max-age=0"
            began = time.monotonic_ns()
            status, headers, body = self._call(environ)
            self._judge(key, began, status, headers, body)

    @staticmethod
    def _environ(key: int) -> dict[str, Any]:
        builder = EnvironBuilder(
            path=f"/api/v3{path_of(key)}",
            base_url="http://127.0.0.1:8000",
            headers=Headers([("Authorization", f"Bearer {API_KEY}")]),
        )
        return builder.get_environ()

    def _call(self, environ: dict[str, Any]) -> tuple[str, dict[str, str], bytes]:
        said: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
            said[:] = status[:3], dict(headers)

        answer: Iterable[bytes] = self._app(environ, start_response)
        body = b"".join(answer)
        if close := getattr(answer, "close", None):
            close()
        return said[0], said[1], body

    def _judge(
        self, key: int, began: int, status: str, headers: dict[str, str], body: bytes
    ) -> None:
        if status != "200":
            self._ledger.count(COUNTERS.index(status))
            if status == "500":
                self._tell(key=key, status=status)
            return
        outcome, cache_status = headers["X-Cache"], headers["Cache-Status"]
        near = "detail=near" in cache_status
        self._ledger.count(COUNTERS.index("near" if near else outcome))
        version = orjson.loads(body)["version"]
        for whose, floors in (("all", self._ledger), ("own", self._own_floors)):
            floor = floors.floor(key, began - (NEAR_LAG if near and whose == "all" else 0))
            least = floor.hard if outcome == "GRACE" else floor.soft
            if version < least:
                self._tell(
                    key=key,
                    outcome=outcome,
                    cache_status=cache_status,
                    version=version,
                    floor=floor,
                    whose=whose,
                    since_purge_ms=(began - floor.at) / 1e6,
                    took_ms=(time.monotonic_ns() - began) / 1e6,
                )
                return

    def _ended_by(self, error: threading.ExceptHookArgs) -> None:
        traceback.print_exception(error.exc_value)
        os._exit(1)

    def _tell(self, **what: object) -> None:
        line = {"node": self._number, "pid": os.getpid(), "at": time.monotonic(), **what}
        os.write(self._report, json.dumps(line).encode() + b"\n")


def fork(number: int, life: int, seed: str, ledger: Ledger, report: int) -> int:
    child = os.fork()
    if child:
        return child
    try:
        logging.disable(logging.WARNING)
        Node(number, f"{seed} node{number}.{life}", ledger, report).run()
    finally:
        os._exit(1)


def scarce(ledger: Ledger) -> bool:
    """Whether so little happened yet that it proves nothing."""
    purges = sum(ledger.counted(COUNTERS.index(each)) for each in ("soft", "hard"))
    reads = sum(ledger.counted(COUNTERS.index(each)) for each in ("HIT", "MISS", "COALESCED"))
    return purges <= PURGES or reads <= READS


def main(seed: str, seconds: float, report: Path) -> None:
    """Prints what happened, as JSON. On a busy machine it takes up to `SLOW` seconds longer."""
    store.LEASE = LEASE
    vars(flight)["RENEW_EVERY"], vars(fetching)["DEADLINE"] = RENEW_EVERY, RENEWED_FOR
    ledger = Ledger(KEYS, len(COUNTERS))
    chance = random.Random(seed)
    descriptor = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nodes = [fork(number, 0, seed, ledger, descriptor) for number in range(NODES)]
    ends = time.monotonic() + seconds
    latest = ends + SLOW
    life = 0
    try:
        while time.monotonic() < ends or (time.monotonic() < latest and scarce(ledger)):
            time.sleep(0.5 + chance.random())
            life += 1
            victim = chance.randrange(NODES)
            os.kill(nodes[victim], signal.SIGKILL)
            _, ended = os.waitpid(nodes[victim], 0)
            assert os.waitstatus_to_exitcode(ended) == -signal.SIGKILL, "a node died by itself"
            ledger.count(COUNTERS.index("killed"))
            nodes[victim] = fork(victim, life, seed, ledger, descriptor)
    finally:
        for node in nodes:
            os.kill(node, signal.SIGKILL)
            os.waitpid(node, 0)
    counts = Counter({name: ledger.counted(index) for index, name in enumerate(COUNTERS)})
    print(json.dumps(counts))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), Path(sys.argv[3]))
