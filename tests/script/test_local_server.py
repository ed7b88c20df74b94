"""script/server for real, in a copy of this checkout: up, in use, down again, nothing left."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from script.ports import free_port
from script.var import ROOT
from tests.standin.orders import Orders

READY_SECONDS = 30  # on a machine that runs other tests, too
STOP_SECONDS = 25
NOT_COPIED = shutil.ignore_patterns(".*", "var", "__pycache__")
CREDENTIALS = ("GITHUB_TOKEN", "GITHUB_TOKENS", "GITHUB_APP_ID", "GITHUB_API_URL")
STORES = ("REDIS_URL", "BROKER_URL", "DATABASE_URL")


def environ(port: int) -> dict[str, str]:
    """This process's, as script/server would set it for itself, with no way to GitHub."""
    kept = {k: v for k, v in os.environ.items() if k not in (*CREDENTIALS, *STORES, "HOST")}
    bin_directory = str(Path(sys.executable).parent)
    return {**kept, "PORT": str(port), "PATH": f"{bin_directory}:{kept['PATH']}"}


@dataclass
class Server:
    """One script/server in `checkout`."""

    checkout: Path
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def get(self, path: str) -> int:
        """The status; 0 where nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def wait_until(self, true: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def wait_until_ready(self) -> None:
        def ready_or_ended() -> bool:
            return self.get("/readyz") == 200 or self.process.poll() is not None

        self.wait_until(ready_or_ended, READY_SECONDS)
        assert self.process.poll() is None, self.log.read_text()

    def wait_until_stopped(self) -> int:
        self.wait_until(lambda: self.process.poll() is not None, STOP_SECONDS)
        return self.process.wait()

    def processes(self) -> list[psutil.Process]:
        """All that it started: they work in its checkout, or have its data in their command."""
        found = []
        for process in psutil.process_iter(["cwd", "cmdline", "status"]):
            held = " ".join([process.info["cwd"] or "", *(process.info["cmdline"] or [])])
            if str(self.checkout) in held and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
        return found

    def named(self, word: str) -> psutil.Process:
        """The eldest of its processes that has `word` in its command."""
        found = [process for process in self.processes() if word in " ".join(process.cmdline())]
        return min(found, key=lambda process: process.create_time())


@contextmanager
def copied_checkout() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="forewarm-server-")).resolve()
    shutil.copytree(ROOT, directory, ignore=NOT_COPIED, dirs_exist_ok=True)
    yield directory
    shutil.rmtree(directory)


@contextmanager
def started_server(checkout: Path) -> Iterator[Server]:
    port = free_port()
    log = checkout / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "script.local_server"],
            cwd=checkout,
            env=environ(port),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(checkout, port, process, log)
    try:
        server.wait_until_ready()
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
            server.wait_until_stopped()
        for left in server.processes():
            left.kill()


@pytest.fixture
def checkout() -> Iterator[Path]:
    with copied_checkout() as directory:
        yield directory


@pytest.fixture
def server(checkout: Path) -> Iterator[Server]:
    """One of the test's own, ready."""
    with started_server(checkout) as started:
        yield started


@pytest.fixture(scope="module")
def shared_server() -> Iterator[Server]:
    """One for all tests that only look: a start takes seconds."""
    with copied_checkout() as directory, started_server(directory) as started:
        yield started


@pytest.mark.parametrize("path", ["/", "/healthz", "/api/v3/orgs/pallets/repos"])
def test_it_answers(shared_server: Server, path: str) -> None:
    assert shared_server.get(path) == 200


def test_the_demos_changes_come_by_webhook(shared_server: Server) -> None:
    port = (shared_server.checkout / "var" / "demo" / "github-port").read_text()
    shared_server.wait_until(lambda: "Forewarm is ready" in shared_server.log.read_text(), 10)
    Orders(f"http://127.0.0.1:{port}").release("pallets/flask", "v-of-this-test")
    shared_server.wait_until(
        lambda: "webhook accepted release.published" in shared_server.log.read_text(), 10
    )


def test_its_settings_are_for_its_owner_alone(shared_server: Server) -> None:
    mode = (shared_server.checkout / "var" / "env").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_commands_can_go_by_its_settings(shared_server: Server) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", "set -a; . var/env; flask --app wsgi db status"],
        cwd=shared_server.checkout,
        env=environ(shared_server.port),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "0001_" in done.stdout, done.stderr


def test_a_second_one_says_where_the_first_is(shared_server: Server) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "script.local_server"],
        cwd=shared_server.checkout,
        env=environ(free_port()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == (
        f"script/server: another one runs in this checkout already: "
        f"pid {shared_server.process.pid}, http://127.0.0.1:{shared_server.port}\n"
    )


def test_ctrl_c_twice_leaves_nothing(shared_server: Server) -> None:
    """The last look at the shared one. A terminal sends SIGINT to the whole foreground group."""
    os.killpg(shared_server.process.pid, signal.SIGINT)
    shared_server.wait_until(lambda: "stopping …" in shared_server.log.read_text(), 5)
    os.killpg(shared_server.process.pid, signal.SIGINT)
    assert shared_server.wait_until_stopped() == 128 + signal.SIGINT
    assert shared_server.processes() == []


def test_where_web_dies_all_stops(server: Server) -> None:
    server.named("granian").kill()
    assert server.wait_until_stopped() == 1
    assert "web ended by itself (status -9)" in server.log.read_text()
    assert server.processes() == []


def test_a_taken_port_is_one_line_and_nothing_is_started(checkout: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as squatter:
        port = squatter.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "script.local_server"],
            cwd=checkout,
            env=environ(port),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.stderr == (
        f"script/server: port {port} is taken by another program: stop it, "
        f"or give another one (PORT={port + 1} script/server)\n"
    )
    assert not (checkout / "var" / "demo").exists()


def test_a_bad_setting_is_one_line(checkout: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "script.local_server", "--port", "eighty"],
        cwd=checkout,
        env=environ(0),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.startswith("script/server: PORT is 'eighty'; ")
    assert done.stderr.count("\n") == 1
