"""Which Forewarm this is: its version, and the revision that it was deployed from."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

VERSION = "0.1.0"

REVISION_VARIABLES = ("GIT_REVISION", "SOURCE_VERSION", "HEROKU_SLUG_COMMIT")
"""What platforms tell a build or a process; the first that is set counts."""
SHOWN = 12
_GIT = Path(__file__).resolve().parents[1] / ".git"
_HASH = re.compile(r"[0-9a-f]{7,64}")


@cache
def revision() -> str:
    """The first digits of git's revision; '' where nobody knows."""
    for variable in REVISION_VARIABLES:
        told = os.environ.get(variable, "").strip().lower()
        if _HASH.fullmatch(told):
            return told[:SHOWN]
    return _checked_out(_GIT)[:SHOWN]


def _checked_out(git: Path) -> str:
    """What a checkout's HEAD says, by reading it: git itself needn't be there."""
    try:
        head = (git / "HEAD").read_text().strip()
        name = head.removeprefix("ref: ")
        if name != head:
            loose, packed = git / name, git / "packed-refs"
            if loose.is_file():
                head = loose.read_text().strip()
            else:
                lines = packed.read_text().splitlines()
                head = next((line.split()[0] for line in lines if line.endswith(f" {name}")), "")
    except OSError:
        return ""
    return head if _HASH.fullmatch(head) else ""
