"""Two kinds of file lock, for two questions.

A record lock (lockf) belongs to a process and no child inherits it: is *that script* still there?
An flock belongs to an open file and every child inherits it: is *anything of it* still there?
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import IO


def record_lock(file: IO[str]) -> bool:
    """Take it for this process until `file` is closed; False where another process has it."""
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def inherited_lock(path: Path) -> Iterator[IO[str] | None]:
    """The open file that holds the lock; None where any other process holds it.

    A child that is given the file keeps the lock beyond the block, for as long as it lives.
    """
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield file
