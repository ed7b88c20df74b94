"""Counts on their way to Redis: kept while it is away, and added exactly once.

Every delivery has a number; Redis remembers a process' last, in the script that adds. So one whose
answer was lost is sent again and counts once, and a server that lost its last second (kill -9
between two writes to its disk) shows a gap: what was delivered of late is sent again.

What waits is kept by 10 s, older than two minutes by the minute, beyond MOST_WAITING together:
counts stay exact, only their time grows coarse. Gauges keep their last reading.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import orjson

from webapp.errors import StoreUnavailable
from webapp.telemetry.counts import SEPARATOR, Batch, merged
from webapp.telemetry.histogram import Histogram
from webapp.telemetry.measures import MEASURES
from webapp.telemetry.windows import (
    DIRTY,
    EVER,
    MINUTE,
    PROCESSES,
    TEN,
    Windows,
    start_of,
)

log = logging.getLogger(__name__)

MOST_WAITING = 90
FINE = 120  # seconds for which what waits keeps its 10 s
RESENT = 15.0  # seconds: a Redis that writes its disk each second loses less
AT_ONCE = 300  # fields a script adds: well below a millisecond of Redis' time


@dataclass(frozen=True, slots=True)
class Delivery:
    """What one script call adds, under the moment when it was counted."""

    number: int
    moment: float
    series: bytes
    made_at: float


class Deliveries:
    """One per process; used by one thread, the recorder's."""

    def __init__(self, windows: Windows, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives Unix seconds."""
        self._windows = windows
        self._clock = clock
        self.start_afresh()
        _all.add(self)

    def start_afresh(self) -> None:
        """As a process that has delivered nothing, with nothing to deliver."""
        self._process = secrets.token_hex(8)
        self._number = 0
        self._waiting: dict[int, Batch] = {}
        self._leaving: deque[Delivery] = deque()
        self._left: deque[Delivery] = deque()

    @property
    def waiting(self) -> int:
        """Batches that Redis hasn't confirmed."""
        return len(self._waiting) + bool(self._leaving)

    def put(self, batch: Batch) -> None:
        """Have a batch delivered, counted till now."""
        if not batch:
            return
        now = self._clock()
        merged(self._waiting.setdefault(start_of(TEN, now), {}), batch)
        if len(self._waiting) > MOST_WAITING:
            self._coarsen(now)

    def _coarsen(self, now: float) -> None:
        waiting, self._waiting = self._waiting, {}
        for moment, batch in sorted(waiting.items()):
            old = moment < now - FINE
            kept = start_of(MINUTE, moment) if old else moment
            merged(self._waiting.setdefault(kept, {}), batch)
        while len(self._waiting) > MOST_WAITING:
            first, second = sorted(self._waiting)[:2]
            batch = self._waiting.pop(first)
            merged(batch, self._waiting[second])
            self._waiting[second] = batch

    def deliver(self) -> bool:
        """Send what waits; False where Redis is away, and all of it is kept."""
        try:
            while self._leaving or self._waiting:
                if not self._leaving:
                    moment = min(self._waiting)
                    self._leaving.extend(self._packed(moment, self._waiting.pop(moment)))
                    continue
                self._send(self._leaving[0])
                self._left.append(self._leaving.popleft())
        except StoreUnavailable:
            return False
        horizon = self._clock() - RESENT
        while self._left and self._left[0].made_at < horizon:
            self._left.popleft()
        return True

    def _send(self, delivery: Delivery) -> None:
        last = self._add(delivery)
        if last >= delivery.number:
            return
        again = [each for each in self._left if each.number > last]
        if again:
            log.warning("Redis has lost its last counts: %d are delivered again", len(again))
        for each in (*again, delivery):
            self._add(each, insist=True)

    def _add(self, delivery: Delivery, *, insist: bool = False) -> int:
        moment = delivery.moment
        last: int = self._windows.add(
            keys=[PROCESSES, DIRTY, EVER],
            args=[
                *(self._process, delivery.number, "1" if insist else "", int(self._clock())),
                *(start_of(step, moment) for step in (TEN, MINUTE)),
                delivery.series,
            ],
        )
        return last

    def _packed(self, moment: float, batch: Batch) -> Iterator[Delivery]:
        series: list[object] = []
        size = 0
        for (name, values), counted in batch.items():
            series.append(_row(name, values, counted))
            size += len(counted.buckets) + 4 if isinstance(counted, Histogram) else 1
            if size >= AT_ONCE:
                yield self._numbered(moment, series)
                series, size = [], 0
        if series:
            yield self._numbered(moment, series)

    def _numbered(self, moment: float, series: list[object]) -> Delivery:
        self._number += 1
        return Delivery(self._number, moment, orjson.dumps(series), self._clock())


def _row(name: str, values: tuple[str, ...], counted: int | float | Histogram) -> list[object]:
    """One series as lua/metrics_add.lua takes it."""
    measure = MEASURES[name]
    labels, folded = SEPARATOR.join(values), SEPARATOR.join(measure.folded(values))
    row: list[object] = [name, labels, folded, measure.most, measure.shown]
    if isinstance(counted, Histogram):
        places = {str(place): n for place, n in enumerate(counted.projected()) if n}
        ever = {**places, "sum": counted.sum} if measure.shown else {}
        return [*row, counted.fields(), counted.least, counted.most, None, ever]
    if isinstance(counted, float):
        return [*row, {}, None, None, repr(counted), {}]
    return [*row, {"n": counted}, None, None, None, {"n": counted} if measure.shown else {}]


_all: weakref.WeakSet[Deliveries] = weakref.WeakSet()


def _start_in_child() -> None:
    for each in _all:
        each.start_afresh()


os.register_at_fork(after_in_child=_start_in_child)
