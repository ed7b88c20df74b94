"""Real server processes: each request counts once, and is told once, through restarts."""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from script.embedded import Postgres, Valkey
from tests.serving import API_KEY, Server, serve, wait_ready
from tests.standin.process import StandIn
from tests.webapp.lasting import lasting_environ
from tests.webapp.telemetry.measured import Measured

PATHS = ("/repos/pallets/flask", "/orgs/pallets", "/orgs/pallets/repos")
CALLERS = 8
LONG = bool(os.environ.get("FOREWARM_LONG"))


@pytest.fixture
def environ(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[dict[str, str]]:
    with lasting_environ(valkey, postgres, standin, "exact_counts") as environ:
        yield environ


def ask(server: Server, number: int) -> Counter[str]:
    """So many requests by several connections; answers by X-Cache."""

    def some(place: int) -> Counter[str]:
        found: Counter[str] = Counter()
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {API_KEY}"
            for turn in range(number // CALLERS):
                path = PATHS[(place + turn) % len(PATHS)]
                answer = session.get(server.api + path, timeout=10)
                found[answer.headers["X-Cache"]] += 1
        return found

    with ThreadPoolExecutor(CALLERS) as pool:
        return sum(pool.map(some, range(CALLERS)), Counter())


def counted(measured: Measured) -> Counter[str]:
    """What Redis says, by outcome."""
    found: Counter[str] = Counter()
    sets = measured.windows.ever().get("request_duration_seconds", {})
    for (_, outcome), fields in sets.items():
        found[outcome] += sum(number for field, number in fields.items() if field != "sum")
    return found


LINE = re.compile(r"webapp\.telemetry\.recorder: ([A-Z]+) \w+ (?:count=(\d+)|/)")


def told(log: Path) -> Counter[str]:
    """What the log says, by outcome: hits as their number, anything else as a line."""
    found: Counter[str] = Counter()
    for outcome, number in LINE.findall(log.read_text()):
        found[outcome] += int(number or 1)
    return found


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_four_processes_count_exactly_through_a_restart(
    environ: dict[str, str], tmp_path: Path
) -> None:
    """The long form also has the workers replaced while the server runs."""
    measured = Measured(environ["REDIS_URL"])
    log, again = tmp_path / "server.log", tmp_path / "again.log"
    with serve(environ, log, workers=4) as server:
        answered = ask(server, 240)
        if LONG:
            server.process.send_signal(signal.SIGHUP)
            until(lambda: counted(measured) == answered)
            wait_ready(server, log)
            answered += ask(server, 2_400)
    assert counted(measured) == answered
    with serve(environ, again, workers=4 if LONG else 1) as server:
        answered += ask(server, 240)
    assert counted(measured) == answered
    assert told(log) + told(again) == answered
    measured.close()
