"""Told to stop under load, a web server answers all it has taken and is gone in time; and a rolling
restart of two of them fails no request of clients that know both, as a balancer does."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import psycopg
import pytest
import requests

from tests.chaos.house import Web
from tests.serving import ADMIN_PASSWORD, API_KEY, Server, serve
from tests.standin.process import StandIn
from tests.standin.webhooks import signature
from tests.webapp.delivering import SECRET, named
from tests.webapp.test_servers import gunicorn

KEY = {"Authorization": f"Bearer {API_KEY}"}
HIT, SLOW = "/repos/pallets/flask", "/repos/pallets/click/topics"
SLOW_MS, SLOW_CALLERS, HIT_CALLERS = 700, 6, 6
ENDS_WITHIN = 12.0  # seconds: what platforms wait, with room to spare
SOON = 0.05  # seconds in which a signal may not have arrived yet
DRAIN = 0.3  # seconds from a server's last new request to its stop; its slow ones are under way
LONG = bool(os.environ.get("FOREWARM_LONG"))
ROLLS = 5 if LONG else 1


@pytest.fixture
def settings(environ: dict[str, str], github: StandIn) -> dict[str, str]:
    github.limits(primary=False, secondary=False)
    return {
        **environ,
        "PUBLIC_URL": "http://127.0.0.1:8000",
        "ADMIN_PASSWORD": ADMIN_PASSWORD,
        "GITHUB_WEBHOOK_SECRET": SECRET,
    }


@dataclass
class Asked:
    """Requests, by when they began; `failures` are those that got no answer."""

    answers: list[tuple[float, int]] = field(default_factory=list)
    failures: list[tuple[float, str]] = field(default_factory=list)

    def get(self, session: requests.Session, url: str) -> bool:
        began = time.monotonic()
        try:
            answer = session.get(url, headers=KEY, timeout=10)
        except requests.ConnectionError as error:
            self.failures.append((began, str(error)))
            return False
        self.answers.append((began, answer.status_code))
        return True


@pytest.mark.parametrize("start", [serve, gunicorn])
def test_what_a_server_has_taken_when_it_is_told_to_stop_is_answered(
    start: Callable[[dict[str, str], Path], AbstractContextManager[Server]],
    settings: dict[str, str],
    github: StandIn,
    tmp_path: Path,
) -> None:
    asked = Asked()
    with start(settings, tmp_path / "server.log") as server:
        assert requests.get(server.api + HIT, headers=KEY, timeout=10).ok
        github.latency(SLOW_MS, f"{SLOW}*")

        def slow(number: int) -> None:
            with requests.Session() as session:
                asked.get(session, f"{server.api}{SLOW}?x={number}")

        def hits(number: int) -> None:
            # Half of them on a connection for each request, as many tools do.
            with requests.Session() as session:
                session.headers["Connection"] = ("keep-alive", "close")[number % 2]
                while asked.get(session, server.api + HIT):
                    pass

        threads = [threading.Thread(target=slow, args=(n,)) for n in range(SLOW_CALLERS)]
        threads += [threading.Thread(target=hits, args=(n,)) for n in range(HIT_CALLERS)]
        for each in threads:
            each.start()
        deadline = time.monotonic() + 5
        while github.count(SLOW) < SLOW_CALLERS:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        told = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        code = server.process.wait(ENDS_WITHIN)
        seconds = time.monotonic() - told
        for each in threads:
            each.join()
    taken = [status for began, status in asked.answers if began < told]
    print(f"\n{start.__name__}: {len(taken)} taken, ended in {seconds:.1f} s")
    assert code == 0
    assert set(taken) == {200}
    assert [why for began, why in asked.failures if began < told - SOON] == []


@pytest.fixture
def two(settings: dict[str, str], tmp_path: Path) -> Iterator[list[Web]]:
    with ExitStack() as stack:
        webs = [Web(settings, tmp_path / f"web-{n}") for n in (1, 2)]
        for each in webs:
            each.start()
            stack.callback(lambda web=each: web.kill())  # type: ignore[misc]
        for each in webs:
            each.wait_ready()
        yield webs
        assert "Traceback" not in "".join(each.output() for each in webs)


class Balanced:
    """Callers of two servers, as a balancer is. What can't connect to one goes to the other, and so
    does a read whose kept connection was closed meanwhile (RFC 9112 section 9.3.1). A delivery
    comes on a connection of its own, as GitHub's, and is sent once.

    What is `out` of rotation gets no new request; what it has taken goes on.
    """

    def __init__(self, webs: list[Web]) -> None:
        self.statuses: Counter[int] = Counter()
        self.moved: Counter[str] = Counter()
        self.lost: list[str] = []
        self.accepted: set[str] = set()
        self.out: Web | None = None
        self._webs = webs
        self._stop = threading.Event()
        kinds = [self._read, self._read, self._wait, self._wait, self._deliver]
        self._threads = [
            threading.Thread(target=kind, args=(random.Random(number),))
            for number, kind in enumerate(kinds)
        ]

    def __enter__(self) -> Balanced:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for each in self._threads:
            each.join()

    def _read(self, chance: random.Random) -> None:
        paths = (HIT, "/orgs/pallets/repos", "/repos/pallets/jinja/topics")
        with requests.Session() as session:
            session.headers.update(KEY)
            while not self._stop.wait(0.01):
                self._ask(session, chance, "GET", f"/api/v3{chance.choice(paths)}")

    def _wait(self, chance: random.Random) -> None:
        """For GitHub: under way when a server is told to stop."""
        with requests.Session() as session:
            session.headers.update(KEY)
            while not self._stop.wait(0.01):
                self._ask(session, chance, "GET", f"/api/v3{SLOW}?x={chance.random()}")

    def _deliver(self, chance: random.Random) -> None:
        body = orjson.dumps(named("pallets/flask", action="edited"))
        with requests.Session() as session:
            session.headers.update(
                {
                    "Connection": "close",
                    "Content-Type": "application/json",
                    "X-GitHub-Event": "repository",
                    "X-Hub-Signature-256": signature(SECRET, body),
                }
            )
            while not self._stop.wait(0.05):
                guid = str(uuid.UUID(int=chance.getrandbits(128)))
                session.headers["X-GitHub-Delivery"] = guid
                if self._ask(session, chance, "POST", "/webhooks/github", body):
                    self.accepted.add(guid)

    def _ask(
        self,
        session: requests.Session,
        chance: random.Random,
        method: str,
        path: str,
        body: bytes | None = None,
    ) -> bool:
        for web in chance.sample(self._webs, 2):
            if web is self.out:
                continue
            try:
                answer = session.request(method, web.url + path, data=body, timeout=10)
            except requests.ConnectionError as error:
                refused = "NewConnectionError" in str(error)
                self.moved["refused" if refused else "cut"] += 1
                if method == "POST" and not refused:
                    break
            else:
                self.statuses[answer.status_code] += 1
                return True
        self.lost.append(f"{method} {path}")
        return False


def rolled(callers: Balanced, webs: list[Web], drain: float | None) -> None:
    """One after another; out of rotation `drain` seconds before, or nobody told (None)."""
    for web in webs * ROLLS:
        if drain is not None:
            callers.out = web
            time.sleep(drain)
        assert web.stop() == 0
        web.start()
        web.wait_ready()
        callers.out = None
        time.sleep(0.1)


def test_a_rolling_restart_of_two_servers_fails_no_request(
    two: list[Web], settings: dict[str, str], github: StandIn
) -> None:
    github.latency(SLOW_MS, f"{SLOW}*")
    with Balanced(two) as callers:
        time.sleep(0.3)
        rolled(callers, two, DRAIN)
        time.sleep(0.3)
    print(f"\n{dict(callers.statuses)}, elsewhere {dict(callers.moved)}")
    assert callers.lost == []
    assert callers.moved == {}
    assert set(callers.statuses) == {200, 202}
    with psycopg.connect(settings["DATABASE_URL"]) as conn:
        rows = conn.execute("select delivery, purged_at is null from webhook_deliveries").fetchall()
    assert {str(each[0]) for each in rows} == callers.accepted
    assert not any(owed for _, owed in rows)


def untold(two: list[Web], github: StandIn) -> None:
    """Where the balancer learns of a stop by being refused, reads fail none the less; a delivery
    whose connection the server closes before it has come is GitHub's to send again."""
    github.latency(SLOW_MS, f"{SLOW}*")
    with Balanced(two) as callers:
        rolled(callers, two, None)
    print(f"\n{dict(callers.statuses)}, elsewhere {dict(callers.moved)}, lost {callers.lost}")
    assert set(callers.lost) <= {"POST /webhooks/github"}
    assert len(callers.lost) <= ROLLS
    assert set(callers.statuses) == {200, 202}


if LONG:
    test_a_rolling_restart_that_nobody_tells_the_balancer_fails_no_read = untold
