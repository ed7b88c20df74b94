"""A thread of each web process that evaluates and delivers alerts where no worker does.

It looks often (one small statement) and leaves each period's first third to the workers. What is
delivered is delivered by a thread of its own, so that a receiver that hangs delays no evaluation.
"""

from __future__ import annotations

import logging
import os
import random
import weakref
from collections.abc import Callable
from functools import partial

from webapp.errors import DatabaseUnavailable
from webapp.lasting import lasting
from webapp.telemetry.alerts.alerting import Alerting

LOOK_EVERY = 15.0  # seconds
LATE = 20.0  # seconds of a period

log = logging.getLogger(__name__)


class Rounds:
    """One per web process."""

    def __init__(self, alerting: Alerting) -> None:
        self._alerting = alerting
        every = alerting.timing.every
        self.every = min(LOOK_EVERY, every)
        """Seconds between looks."""
        self._late = min(LATE, every / 3)

    def start(self) -> None:
        """From now on, in forked children too, until `alerting` is stopped."""
        _rounds.add(self)
        self.start_afresh()

    def start_afresh(self) -> None:
        """In a forked child the threads aren't there."""
        if not self._alerting.stopped.is_set():
            for name, turn in (("alerts", self._evaluate), ("alert-delivery", self._deliver)):
                lasting(partial(self._run, turn), name)

    def _run(self, turn: Callable[[], object]) -> None:
        # Not all processes at the same moment.
        wait = self.every * random.uniform(0.5, 1.5)  # noqa: S311 - no secret
        while not self._alerting.stopped.wait(wait):
            wait = self.every
            try:
                turn()
            except DatabaseUnavailable as error:
                log.debug("alerts wait for PostgreSQL: %s", error)

    def _evaluate(self) -> None:
        self._alerting.evaluate(self._late)

    def _deliver(self) -> None:
        self._alerting.deliver()


_rounds: weakref.WeakSet[Rounds] = weakref.WeakSet()


def _start_in_child() -> None:
    for each in _rounds:
        each.start_afresh()


os.register_at_fork(after_in_child=_start_in_child)
