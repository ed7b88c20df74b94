"""What a check of `flask doctor` says: a plain value, safe to show to anyone.

No secret gets in: a token is named by its keyed fingerprint, a private repository by being counted.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from webapp.secret import Secret


class State(StrEnum):
    """How bad it is; only FAIL makes the command exit with 1."""

    OK = "ok"
    WARN = "warn"  # works, but not as well or as safely as it could
    FAIL = "FAIL"  # doesn't work, or shows what must not be shown


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: `reason` is what was found, `action` what would cure it ("" where all is well)."""

    name: str
    state: State
    reason: str
    action: str = ""


def ok(name: str, reason: str) -> Finding:
    """All is well."""
    return Finding(name, State.OK, reason)


def warn(name: str, reason: str, action: str) -> Finding:
    """It works, and could work better or more safely."""
    return Finding(name, State.WARN, reason, action)


def fail(name: str, reason: str, action: str) -> Finding:
    """It doesn't work, or it shows what must not be shown."""
    return Finding(name, State.FAIL, reason, action)


def present(*findings: Finding | None) -> list[Finding]:
    """Those that have something to say."""
    return [each for each in findings if each is not None]


def fingerprint(token: Secret, secret_key: Secret) -> str:
    """8 hex digits that tell tokens apart and say nothing to who doesn't hold SECRET_KEY."""
    message = b"fingerprint:" + token.reveal().encode()
    return hmac.new(secret_key.reveal().encode(), message, hashlib.sha256).hexdigest()[:8]


def milliseconds(seconds: float) -> str:
    """`below 0.1 ms`, `0.4 ms`, `12 ms`."""
    if seconds < 0.0001:
        return "below 0.1 ms"
    return f"{seconds * 1000:.1f} ms" if seconds < 0.01 else f"{seconds * 1000:.0f} ms"


def listed(words: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def counted(number: int, noun: str) -> str:
    """`1 repository`, `2 repositories`, `3 tokens`."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun[:-1]}ies" if noun.endswith("y") else f"{number:,} {noun}s"
