"""The peers and the load generator, from Debian's packages: there, installed, or told as missing.

Installed only by root and where apt-get is; their own services are never started, for a policy that
refuses it stands while they are installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGES = {"nginx": "nginx", "varnishd": "varnish", "wrk": "wrk"}
"""The program, and the package it comes in."""
_POLICY = Path("/usr/sbin/policy-rc.d")
_REFUSED = "#!/bin/sh\nexit 101\n"  # "action forbidden by policy"
_SECONDS = 600


def path_of(program: str) -> str | None:
    """Where it is; servers are in a place that isn't on everyone's PATH."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def missing() -> tuple[str, ...]:
    """Programs that aren't there."""
    return tuple(each for each in PACKAGES if path_of(each) is None)


def install() -> tuple[str, ...]:
    """Install what is missing where that is possible; what is missing then."""
    wanted = [PACKAGES[each] for each in missing()]
    if wanted and os.geteuid() == 0 and shutil.which("apt-get"):
        with _services_stay_off():
            if not _apt("install", "-y", "--no-install-recommends", *wanted):
                _apt("update")
                _apt("install", "-y", "--no-install-recommends", *wanted)
    return missing()


def _apt(*arguments: str) -> bool:
    """Whether it did."""
    try:
        done = subprocess.run(
            ("apt-get", "-qq", *arguments),
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


@contextmanager
def _services_stay_off() -> Iterator[None]:
    if _POLICY.exists():  # the machine's own: a container's usually refuses
        yield
        return
    _POLICY.write_text(_REFUSED)
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
