"""Threads that go on after an error nobody named.

Each does what a process can't be without until it is restarted: it hears purges, keeps leases,
writes the catalog, the metrics and the traces. So a bug ends one round, never the thread: it is
told to `threading.excepthook` as any thread's (the log, with its traceback; a test fails by it),
and after a pause that doubles the thread begins anew. Here alone `Exception` is caught: elsewhere
it would hide the bug, here it can't.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

PAUSE = 1.0  # seconds, doubled to at most
LONGEST_PAUSE = 60.0
CALM = 300.0  # seconds without an error, after which pauses are short again

Target = Callable[[], object]


def lasting(run: Target, name: str) -> threading.Thread:
    """A daemon thread, started, that calls `run` until it returns: it raises only by a bug."""
    thread = threading.Thread(target=_last, args=(run,), name=name, daemon=True)
    thread.start()
    return thread


def told(future: Future[Any]) -> None:
    """A done callback: an executor keeps a bug to itself while nobody asks for the result."""
    if not future.cancelled() and (error := future.exception()):
        _tell(error)


def _last(run: Target) -> None:
    wait = PAUSE / 2
    while True:
        began = time.monotonic()
        try:
            run()
        except Exception as error:  # noqa: BLE001 - this file's purpose
            _tell(error)
        else:
            return
        wait = PAUSE if time.monotonic() - began > CALM else min(wait * 2, LONGEST_PAUSE)
        time.sleep(wait)


def _tell(error: BaseException) -> None:
    told = (type(error), error, error.__traceback__, threading.current_thread())
    threading.excepthook(threading.ExceptHookArgs(told))
