"""As fast as a server answers: wrk, of one thread on the load core, over kept-alive connections.

A closed loop: who is answered late asks late. So it tells throughput; latencies come from
open_loop.py.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving import KEY, LOAD_CORE, cpu_seconds, on_core

CONNECTIONS = 32
CLIENT: Mapping[str, str] = {
    "Accept": "application/vnd.github+json",
    "Authorization": f"Bearer {KEY}",
    "User-Agent": "benchmark",
}
GZIP: Mapping[str, str] = {"Accept-Encoding": "gzip"}
"""As PyGithub, Octokit, go-github and githubkit ask."""
PATHS_SCRIPT = Path(__file__).with_name("paths.lua")
_RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
_TOTAL = re.compile(r"(\d+) requests in")


class LoadError(Exception):
    """A server answered otherwise than it should, or wrk said nothing."""


@dataclass(frozen=True, slots=True)
class Load:
    """Requests a second, and the server's CPU time a request in µs, stores not included."""

    rate: float
    cpu_us: float


def installed() -> bool:
    """Whether there is a wrk."""
    return shutil.which("wrk") is not None


def load(
    url: str,
    seconds: float,
    *,
    connections: int = CONNECTIONS,
    headers: Mapping[str, str] = GZIP,
    paths: Path | None = None,
    pid: int = 0,
) -> Load:
    """Ask for one URL, or for `paths` below it (a file's lines in turn); `pid` is the server's.

    Raises LoadError where any answer isn't 2xx or 3xx, or a connection fails.
    """
    asked = {**CLIENT, **headers}
    command = [
        *("wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s"),
        *(part for name, value in asked.items() for part in ("-H", f"{name}: {value}")),
        *(("-s", str(PATHS_SCRIPT)) if paths else ()),
        url,
        *(("--", str(paths)) if paths else ()),
    ]
    before = cpu_seconds(pid) if pid else 0.0
    with on_core(LOAD_CORE):
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    used = cpu_seconds(pid) - before if pid else 0.0
    rate, total = _RATE.search(said), _TOTAL.search(said)
    if rate is None or total is None or "Non-2xx" in said or "Socket errors" in said:
        raise LoadError(f"{url}:\n{said}")
    return Load(float(rate[1]), used / max(1, int(total[1])) * 1e6)


def median_rate(loads: Sequence[Load]) -> float:
    """Of several rounds."""
    ordered = sorted(each.rate for each in loads)
    return ordered[len(ordered) // 2]
