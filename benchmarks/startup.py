"""How soon it is ready: `script/server` the second time, and a web process by itself.

    python -m benchmarks.startup [--quick]

`script/server` runs in a copy of this checkout whose packages are there, as the demo: both stores,
the stand-in GitHub, release, web, worker and scheduler, from the command to the first /readyz of
200. The first start there, which makes the stores, is told beside.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.alone import alone, say
from benchmarks.results import Chapter, Effort, Spread, Table, Target, rows
from benchmarks.serving import ROOT, granian, ground, gunicorn, stop
from script.bootstrap import LAYERS, STAMP, VENV, fingerprint
from script.ports import free_port

STARTS = {Effort.FULL: 3, Effort.QUICK: 1}
READY_SECONDS = 60.0
STOP_SECONDS, WEB_STOP_SECONDS = 30.0, 5.0
POLL_SECONDS = 0.01
NOT_COPIED = shutil.ignore_patterns(".*", "var", "__pycache__")
NOT_PASSED = (
    *("GITHUB_TOKEN", "GITHUB_TOKENS", "GITHUB_APP_ID", "GITHUB_API_URL", "HOST", "PORT"),
    *("REDIS_URL", "BROKER_URL", "DATABASE_URL"),
)
FIRST, SECOND = "`script/server`, the first time", "`script/server`, the second time"


def measure(effort: Effort) -> Chapter:
    """Each start after the other has ended."""
    say("startup: script/server")
    with _checkout() as checkout:
        times = {FIRST: [_server(checkout)]}
        times[SECOND] = [_server(checkout) for _ in range(STARTS[effort])]
    with ground() as own:
        for name, server in (("granian", granian), ("gunicorn", gunicorn)):
            say(f"startup: a web process, {name}")
            times[f"a web process, {name}"] = [
                _web(server("wsgi:app", port, 1), port, own.settings)
                for port in (free_port() for _ in range(STARTS[effort]))
            ]
    return Chapter(
        name="startup",
        title="Starting",
        method=(
            "From the command to the first `/readyz` of 200, on both cores. `script/server` is the "
            "demo: Valkey, PostgreSQL, the stand-in GitHub, release, web, worker, scheduler. A web "
            "process is one of 16 threads on stores that run."
        ),
        tables=(
            Table(
                "Until it is ready",
                ("what", "seconds"),
                rows((name, Spread.of(taken)) for name, taken in times.items()),
            ),
        ),
        targets=(Target("start", Spread.of(times[SECOND])),),
        figures={"web_seconds": Spread.of(times["a web process, granian"]).median},
    )


@contextmanager
def _checkout() -> Iterator[Path]:
    """A copy that shares this one's packages, and knows that they are there."""
    directory = Path(tempfile.mkdtemp(prefix="forewarm-start-")).resolve()
    try:
        shutil.copytree(ROOT, directory, ignore=NOT_COPIED, dirs_exist_ok=True)
        own = directory / VENV.name
        own.mkdir()
        for part in VENV.iterdir():
            if part.name != STAMP.name:
                (own / part.name).symlink_to(part)
        prints = {name: fingerprint(directory / name) for name in LAYERS}
        (own / STAMP.name).write_text(json.dumps(prints))
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _server(checkout: Path) -> float:
    """Seconds of one start of script/server."""
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if name not in NOT_PASSED}
    command = [str(checkout / "script" / "server")]
    return _start(command, checkout, port, {**kept, "PORT": str(port)}, STOP_SECONDS)


def _web(command: Sequence[str], port: int, settings: Mapping[str, str]) -> float:
    """Seconds of one start of a web process."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **settings, "PORT": str(port)}
    return _start(command, ROOT, port, environ, WEB_STOP_SECONDS)


def _start(
    command: Sequence[str],
    directory: Path,
    port: int,
    environ: Mapping[str, str],
    patience: float,
) -> float:
    """Seconds from the command to ready; then it is ended. Raises RuntimeError."""
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=directory,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not _is_ready(port):
            if time.monotonic() - began > READY_SECONDS or process.poll() is not None:
                raise RuntimeError(f"not ready: {command}")
            time.sleep(POLL_SECONDS)
        return time.monotonic() - began
    finally:
        stop(process, patience)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(alone(measure, __doc__))
