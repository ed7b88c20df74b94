"""A stand-in GitHub as a process of its own, for tests of everything else.

with StandIn.start(repos=50) as github:
    github.change_repo("pallets/flask", stars=1)
    assert github.count("/repos/pallets/flask") == 0
"""

from __future__ import annotations

import selectors
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.standin.__main__ import READY
from tests.standin.orders import Orders, SeenRequest, StandInError

__all__ = ["ROOT", "SeenRequest", "StandIn", "StandInError"]
ROOT = Path(__file__).resolve().parents[2]


class StandIn(Orders):
    """A stand-in that was started here and ends with `stop`, or with its `with` block."""

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        super().__init__(url)
        self.process = process

    @classmethod
    def start(
        cls,
        *,
        orgs: int = 10,
        repos: int = 200,
        seed: int = 1,
        latency_ms: float = 0.0,
        demo: bool = False,
        traffic: bool = False,
        limits: bool = True,
        port: int = 0,
        prefix: str = "",
        app_key: Path | None = None,
        timeout: float = 15.0,
    ) -> Self:
        """Start one and wait until it listens; StandInError where it doesn't in `timeout` s."""
        command = [
            sys.executable, "-m", "tests.standin", "--port", str(port), "--orgs", str(orgs),
            "--repos", str(repos), "--seed", str(seed), "--latency-ms", str(latency_ms),
            "--prefix", prefix,
        ]  # fmt: skip
        command += ["--demo"] * demo + ["--traffic"] * traffic + ["--no-limits"] * (not limits)
        if app_key is not None:
            command += ["--app-key", str(app_key)]
        # A group of its own, so that a Ctrl-C at the terminal stops the tests first; bound to our
        # end of its standard input, so that a killed test run leaves nothing behind.
        process = subprocess.Popen(
            [*command, "--until-stdin-ends"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            return cls(process, _wait_ready(process, timeout))
        except BaseException:
            process.kill()
            process.wait()
            _close_pipes(process)
            raise

    def stop(self) -> None:
        """End it; at once where it doesn't want to."""
        self.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        _close_pipes(self.process)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _wait_ready(process: subprocess.Popen[bytes], timeout: float) -> str:
    """The URL from the line that the stand-in prints once it listens."""
    assert process.stdout is not None
    deadline = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0 and selector.select(left):
            line = process.stdout.readline().decode()
            if line.startswith(READY):
                return line.removeprefix(READY).strip()
            if not line:
                raise StandInError(f"the stand-in ended at once with {process.wait()}")
    raise StandInError(f"the stand-in was not ready within {timeout} s")
