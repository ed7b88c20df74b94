"""Forewarm itself for tests: inside the test's process, or as a real server of its own.

    forewarm.get("/orgs/pallets/repos")                 Flask's test client over real stores
    with serve(environ) as server: requests.get(server.api + "/orgs/pallets/repos")

Both ask the stand-in GitHub, reset before each test, with the service's token.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask
from werkzeug.test import TestResponse

from tests.standin.accounts import SERVICE_TOKEN
from tests.standin.process import StandIn
from webapp.app import create_app
from webapp.services import Services
from webapp.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
API_KEY = "fwk_a-key-for-tests-000001"
ADMIN_PASSWORD = "a password for tests"
SECRET_KEY = "a secret key for tests only"


@pytest.fixture(scope="session")
def standin() -> Iterator[StandIn]:
    """The session's stand-in GitHub; `github` for tests."""
    with StandIn.start() as running:
        yield running


@pytest.fixture
def github(standin: StandIn) -> StandIn:
    """The stand-in as it was at first: its data, tokens, limits, faults and request log."""
    standin.reset()
    return standin


@pytest.fixture
def environ(redis_url: str, database_url: str, github: StandIn) -> dict[str, str]:
    """What a Forewarm on loopback is set to, on this test's stores."""
    return {
        "HOST": "127.0.0.1",
        "REDIS_URL": redis_url,
        "DATABASE_URL": database_url,
        "GITHUB_API_URL": github.url,
        "GITHUB_TOKEN": SERVICE_TOKEN,
        "API_KEYS": f"tests:{API_KEY}",
        "SECRET_KEY": SECRET_KEY,
    }


class Forewarm:
    """The application in this process; paths are GitHub's, callers anonymous unless a token."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.settings = Settings.from_env(environ)
        self.app: Flask = create_app(self.settings)
        self.services: Services = self.app.extensions["services"]
        self._client = self.app.test_client()

    def get(self, path: str, token: str = API_KEY, **headers: str) -> TestResponse:
        """GET below the mirror; header names with underscores for dashes."""
        return self.request("GET", f"/api/v3{path}", token, **headers)

    def request(
        self,
        method: str,
        path: str,
        token: str = "",
        json: Any = None,
        **headers: str,
    ) -> TestResponse:
        """Any request; `token` goes into Authorization, as a Bearer."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            named.setdefault("Authorization", f"Bearer {token}")
        return self._client.open(
            path, method=method, headers=named, json=json, base_url="http://127.0.0.1:8000"
        )


ForewarmFactory = Callable[..., Forewarm]


@pytest.fixture
def start_forewarm(environ: dict[str, str]) -> Iterator[ForewarmFactory]:
    """Makes applications in this process: `start_forewarm(HONOUR_NO_CACHE="on")`."""
    started: list[Forewarm] = []

    def start(**settings: str) -> Forewarm:
        started.append(Forewarm({**environ, **settings}))
        return started[-1]

    yield start
    for each in started:
        each.services.close()


@pytest.fixture
def forewarm(start_forewarm: ForewarmFactory) -> Forewarm:
    """One application with the usual settings."""
    return start_forewarm()


@dataclass(frozen=True, slots=True)
class Server:
    """A web process of its own under the Procfile's server."""

    url: str
    process: subprocess.Popen[bytes]

    @property
    def api(self) -> str:
        """The base URL that clients are given."""
        return f"{self.url}/api/v3"


@contextmanager
def serve(environ: Mapping[str, str], log: Path, workers: int = 1) -> Iterator[Server]:
    """A real server on a free port, ready; `log` gets what it prints."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "granian", "--interface", "wsgi", "--no-ws"),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--workers", str(workers), "--blocking-threads", environ.get("WEB_THREADS", "16")),
        "wsgi:app",
    ]
    own = {"PATH": os.environ["PATH"], "PORT": str(port), "PYTHONPATH": str(ROOT), **environ}
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=own, stdout=out, stderr=out)
    server = Server(f"http://127.0.0.1:{port}", process)
    try:
        wait_ready(server, log, workers)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_ready(server: Server, log: Path, workers: int = 0) -> None:
    """Until it answers, and so many workers have started: one that is told to stop while it starts
    never does. AssertionError with its log where they haven't within 20 s."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and server.process.poll() is None:
        with suppress(requests.ConnectionError, requests.Timeout):
            if (
                requests.get(f"{server.url}/healthz", timeout=1).ok
                and log.read_bytes().count(b"Started worker-") >= workers
            ):
                return
        time.sleep(0.02)
    raise AssertionError(f"the server is not ready:\n{log.read_text()}")


@pytest.fixture
def server(environ: dict[str, str], tmp_path: Path) -> Iterator[Server]:
    """A real server with the usual settings; anonymous callers have the service's eyes."""
    with serve({**environ, "ANONYMOUS_SCOPE": "service"}, tmp_path / "server.log") as running:
        yield running
