"""A GitHub of 10 s and clients that dribble their bodies take threads, never those of hits."""

from __future__ import annotations

import os
import socket
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import requests

from tests.load.callers import figures, percentile
from tests.serving import Server, serve
from tests.standin.accounts import ALICE_TOKEN
from tests.standin.process import StandIn

HIT = "/repos/pallets/flask"
SLOW_MS = 10_000
# Each has to wait for GitHub's 10 s at its end; Flask's way to a hit is the longest.
PLACES = ["near", "redis", "flask"] if os.environ.get("FOREWARM_LONG") else ["flask"]
HITS = 1_500
# Beside the target of 5 ms: what the machine itself does to a hit at that moment.
TARGET = 0.005


@pytest.fixture
def web(
    request: pytest.FixtureRequest, environ: dict[str, str], tmp_path: Path
) -> Iterator[Server]:
    """One web process of 16 threads, its hits from the place that the test names."""
    settings = {
        **environ,
        "ANONYMOUS_SCOPE": "service",
        "LOG_LEVEL": "WARNING",
        "NEAR_MB": "64" if request.param == "near" else "0",
        "HITPATH": "off" if request.param == "flask" else "on",
    }
    with serve(settings, tmp_path / "server.log") as running:
        for _ in range(3):
            assert requests.get(running.api + HIT, timeout=10).ok
        yield running


def hits(server: Server) -> list[float]:
    """Seconds of each of HITS hits in a row, on one connection."""
    host, port = server.url.removeprefix("http://").split(":")
    asked = f"GET /api/v3{HIT} HTTP/1.1\r\nHost: {host}:{port}\r\nAccept-Encoding: gzip\r\n\r\n"
    found = []
    with socket.create_connection((host, int(port)), 20) as sock, sock.makefile("rb") as answers:
        for _ in range(HITS):
            began = time.perf_counter()
            sock.sendall(asked.encode())
            length, outcome = 0, ""
            while (line := answers.readline().decode().strip().lower()) != "":
                name, _, value = line.partition(":")
                length = int(value) if name == "content-length" else length
                outcome = value.strip() if name == "x-cache" else outcome
            answers.read(length)
            found.append(time.perf_counter() - began)
            assert outcome == "hit"
    return found


def check(name: str, before: Sequence[float], busy: Sequence[float]) -> None:
    print(f"\n{figures(f'{name}: idle', before)}\n{figures(f'{name}: busy', busy)}")
    slack = percentile(before, 0.99) / 1000
    assert percentile(busy, 0.99) / 1000 <= TARGET + 2 * slack
    assert statistics.median(busy) <= statistics.median(before) * 3 + 0.001


class Askers:
    """Requests under way in threads of their own, and how they ended."""

    def __init__(self) -> None:
        self.ended: Counter[int] = Counter()
        self._threads: list[threading.Thread] = []

    def ask(self, urls: Sequence[str]) -> None:
        for url in urls:
            self._threads.append(threading.Thread(target=self._ask, args=(url,)))
            self._threads[-1].start()

    def _ask(self, url: str) -> None:
        self.ended[requests.get(url, timeout=30).status_code] += 1

    def join(self) -> None:
        for each in self._threads:
            each.join()


@pytest.mark.parametrize("web", PLACES, indirect=True)
def test_hits_go_on_while_every_thread_that_may_waits_for_a_github_of_10_s(
    web: Server, github: StandIn, request: pytest.FixtureRequest
) -> None:
    before = hits(web)
    for name in ("jinja", "click", "werkzeug", "quart"):
        github.latency(SLOW_MS, f"/repos/pallets/{name}")
    unknown = [
        f"{web.api}/repos/pallets/{name}{part}"
        for name in ("jinja", "click", "werkzeug", "quart")
        for part in ("", "/languages", "/tags", "/branches", "/topics", "/releases", "/license")
    ]
    askers = Askers()
    # Each unknown one by two callers: there are leaders and followers, more than threads.
    askers.ask([url for url in unknown for _ in range(2)])
    deadline = time.monotonic() + 5
    while github.count("/repos/pallets/") < 9:  # eight of the sixteen threads, and the first
        assert time.monotonic() < deadline, github.count("/repos/pallets/")
        time.sleep(0.01)
    busy = hits(web)
    still = github.count("/repos/pallets/")
    for name in ("jinja", "click", "werkzeug", "quart"):
        github.latency(0, f"/repos/pallets/{name}")
    check(f"GitHub of 10 s, {request.node.callspec.params['web']}", before, busy)
    assert still >= 9
    # Not joined: they end with the server.
    del askers


@pytest.mark.parametrize("web", ["redis"], indirect=True)
def test_hits_go_on_while_clients_dribble_their_bodies_and_the_next_body_is_refused(
    web: Server, github: StandIn, request: pytest.FixtureRequest
) -> None:
    before = hits(web)
    host, port = web.url.removeprefix("http://").split(":")
    head = (
        f"PATCH /api/v3{HIT} HTTP/1.1\r\nHost: {host}:{port}\r\n"
        f"Authorization: Bearer {ALICE_TOKEN}\r\nContent-Type: application/json\r\n"
        "Content-Length: 1000\r\n\r\n"
    ).encode()
    stop = threading.Event()
    dribblers = [socket.create_connection((host, int(port)), 20) for _ in range(12)]
    try:
        for each in dribblers:
            each.sendall(head + b'{"description": "')

        def dribble() -> None:
            while not stop.wait(1.0):
                for each in dribblers:
                    try:
                        each.sendall(b"x")
                    except OSError:
                        continue

        threading.Thread(target=dribble, daemon=True).start()

        def refused() -> bool:
            answer = requests.patch(
                web.api + HIT,
                json={"description": "short"},
                headers={"Authorization": f"Bearer {ALICE_TOKEN}"},
                timeout=20,
            )
            return answer.status_code == 503 and "Retry-After" in answer.headers

        deadline = time.monotonic() + 5
        while not refused():
            assert time.monotonic() < deadline, "bodies are read without a bound"
        busy = hits(web)
        assert refused()
    finally:
        stop.set()
        for each in dribblers:
            each.close()
    check(f"slow bodies, {request.node.callspec.params['web']}", before, busy)
    assert github.count(HIT) == 1
