"""All checks, side by side: none waits for another, and none for longer than PATIENCE."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from webapp.doctor import (
    github_api,
    postgresql,
    processes,
    public_address,
    redis_servers,
    safety,
    tokens,
)
from webapp.doctor.finding import Finding, State, fail
from webapp.settings import Settings

PATIENCE = 15.0  # seconds over all of it; each check's own timeouts are shorter

Check = Callable[[Settings], list[Finding]]

CHECKS: tuple[tuple[str, Check], ...] = (
    ("settings", safety.check),
    ("redis", redis_servers.check),
    ("postgres", postgresql.check),
    ("github", github_api.check),
    ("tokens", tokens.check),
    ("address", public_address.check),
    ("processes", processes.check),
)
"""Name and function, in the order shown. What a function can't reach it says in a Finding."""


@dataclass(frozen=True, slots=True)
class Section:
    """What one check found."""

    name: str
    findings: tuple[Finding, ...]

    @property
    def failed(self) -> bool:
        """Whether anything in it FAILs."""
        return any(finding.state is State.FAIL for finding in self.findings)


def examine(
    settings: Settings,
    checks: Sequence[tuple[str, Check]] = CHECKS,
    patience: float = PATIENCE,
) -> list[Section]:
    """Run every check; one that hangs is a FAIL, one that raises is a bug and raises here."""
    ends = time.monotonic() + patience
    begun = [(name, _begin(check, settings)) for name, check in checks]
    return [Section(name, _awaited(future, ends, patience)) for name, future in begun]


def _begin(check: Check, settings: Settings) -> Future[list[Finding]]:
    """In a daemon thread: a hanging look-up of a name must not keep the command from ending."""
    future: Future[list[Finding]] = Future()

    def run() -> None:
        try:
            future.set_result(check(settings))
        except BaseException as error:  # noqa: BLE001 - raised again by who waits for it
            future.set_exception(error)

    threading.Thread(target=run, name="doctor", daemon=True).start()
    return future


def _awaited(future: Future[list[Finding]], ends: float, patience: float) -> tuple[Finding, ...]:
    try:
        return tuple(future.result(max(0.0, ends - time.monotonic())))
    except TimeoutError:
        return (
            fail(
                "answer",
                f"none within {patience:g} s",
                "see the network between, name servers first",
            ),
        )
