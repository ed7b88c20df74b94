"""The command line, and the world that it makes."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.standin.client import Client
from tests.standin.process import ROOT, StandIn, StandInError


def test_help_says_what_there_is() -> None:
    command = [sys.executable, "-m", "tests.standin", "--help"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    for option in ("--port", "--orgs", "--repos", "--latency-ms", "--seed", "--demo", "--traffic"):
        assert option in shown


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(number: signal.Signals) -> None:
    with StandIn.start() as github, Client(github.url) as client:
        client.get("/meta")  # A connection that is kept alive must not hold it up.
        github.process.send_signal(number)

        assert github.process.wait(5) == 0


def runs(pid: int) -> bool:
    """A zombie that nobody has collected runs no more."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_it_ends_with_a_test_run_that_is_killed() -> None:
    script = (
        "import os, signal\n"
        "from tests.standin.process import StandIn\n"
        "print(StandIn.start().process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", script]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout

    deadline = time.monotonic() + 5
    while runs(int(shown)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not runs(int(shown))


def test_a_taken_port_is_told() -> None:
    with StandIn.start() as github:
        port = int(github.url.rpartition(":")[2])
        with pytest.raises(StandInError, match="ended at once"):
            StandIn.start(port=port)


def test_ten_thousand_repositories_start_within_two_seconds() -> None:
    began = time.monotonic()
    with StandIn.start(orgs=100, repos=10_000) as github:
        took = time.monotonic() - began

        assert github.order("GET", "")["repos"] == 10_000
        assert took < 2


def test_the_same_seed_makes_the_same_world() -> None:
    bodies = []
    for seed in (7, 7, 8):
        with StandIn.start(seed=seed) as github, Client(github.url) as client:
            root = github.url.encode()
            bodies.append(client.get("/orgs/pallets/repos").content.replace(root, b""))

    assert bodies[0] == bodies[1] != bodies[2]


def test_a_prefix_makes_it_an_enterprise_server() -> None:
    with StandIn.start(prefix="/api/v3") as github, Client(github.url) as client:
        assert github.url.endswith("/api/v3")
        repo = client.get("/repos/pallets/flask").json()
        assert repo["url"] == f"{github.url}/repos/pallets/flask"
        root = github.url.removesuffix("/v3")
        answer = client.ask("POST", f"{root}/graphql", json={"query": "{viewer{login}}"})
        assert answer.json()["data"]["viewer"]["login"] == "forewarm-bot"


def test_limits_can_be_off_from_the_start() -> None:
    with StandIn.start(limits=False) as github, Client(github.url) as client:
        statuses = {client.get("/meta", token=None).status_code for _ in range(70)}

        assert statuses == {200}
