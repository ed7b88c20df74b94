"""var/: all that the commands leave behind, ignored by git; removing it starts afresh.

Policy: secrets go to files that only this user can read, made so before anything is in them.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VAR = ROOT / "var"
LOG_LIMIT = 5_000_000  # bytes


def write_privately(file: Path, text: str) -> None:
    """Replace `file` by `text` at once, readable by its owner alone (0600)."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(text)
    fresh.replace(file)


def kept_secret(file: Path) -> str:
    """The secret in `file`, generated at its first use: 32 URL-safe characters."""
    with contextlib.suppress(FileNotFoundError):
        if held := file.read_text().strip():
            return held
    write_privately(file, secrets.token_urlsafe(24) + "\n")
    return file.read_text().strip()


def rotate(log: Path) -> None:
    """Put a log of more than `LOG_LIMIT` bytes aside, as `<name>.1`; the one before goes."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_name(f"{log.name}.1"))
