"""The ledger that all processes share, in Redis: each decision is one script, lua/*.lua.

Keys are `fw:b:<credential>` and `fw:b:<credential>:slots`, and expire. Every method raises
StoreUnavailable, and nothing else, when Redis can't be used.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from webapp.cache.connection import Connection
from webapp.github.ledger.local import MOST_CREDENTIALS
from webapp.github.ledger.window import BUCKETS, Minute
from webapp.github.limits import RESERVES, Ending, Kind, Lane, Rules, Slot, assumed, kind_of

_LUA = Path(__file__).parent / "lua"
_PRELUDE = "ledger"  # read before every other
_SCRIPTS = ("enter", "leave", "pause", "choose", "read")
EXPIRY = 2 * 3600 * 1000  # ms since last used: longer than any window and any pause

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Decision:
    """Seconds to wait, 0 for in, and what for; and the points in the minute, all processes'."""

    wait: float
    reason: str
    in_minute: int


@dataclass(frozen=True, slots=True)
class State:
    """Of a resource: as told by GitHub where `sure`; seconds of pause left; points a second."""

    limit: int
    left: int
    reset: int
    sure: bool
    paused: float
    in_minute: int = 0
    rate: float = 0.0


class _Own:
    """What this process spent of one minute, for a Redis that forgot it."""

    __slots__ = ("birth", "lock", "minute")

    def __init__(self, seconds: float) -> None:
        self.birth = ""  # which ledger, as this process knows it
        self.minute = Minute(seconds)
        self.lock = threading.Lock()


class SharedLedger:
    """One per process, over one Redis."""

    def __init__(self, connection: Connection, rules: Rules, clock: Clock | None) -> None:
        """Without `clock` Redis's own counts, so that machines need not agree."""
        self._connection = connection
        self._rules = rules
        self._clock = clock
        self._own: OrderedDict[tuple[str, Kind], _Own] = OrderedDict()
        self._lock = threading.Lock()

    @cached_property
    def _scripts(self) -> dict[str, Any]:
        """By name; each is sent by its hash, and loaded where Redis lost it."""
        prelude = (_LUA / f"{_PRELUDE}.lua").read_text()
        return {
            name: self._connection.register_script(prelude + (_LUA / f"{name}.lua").read_text())
            for name in _SCRIPTS
        }

    def enter(self, slot: Slot, now: float, debt: int, pause: Callable[[], float]) -> Decision:
        """Let a call in or not. `debt` is spent of the minute besides; `pause()`, the seconds of
        pause that this process knows of, is asked where Redis may have forgotten them."""
        own = self._own_of(slot)
        wait, born, in_minute, reason = self._enter(slot, own.birth, debt, 0.0)
        while wait < 0:  # a ledger that this process doesn't know; one thread gets to know it
            with own.lock:
                spent = 0 if own.birth == born else own.minute.at(now)
                reply = self._enter(slot, born, debt + spent, pause())
                wait, own.birth, in_minute, reason = reply
                born = own.birth
        if wait == 0:
            with own.lock:
                own.minute.add(now, slot.weight)
        return Decision(wait / 1000, reason, in_minute)

    def leave(self, slot: Slot, ending: Ending) -> State:
        """Give the slot back, and learn; the state of the resource that was told."""
        window = assumed(slot.credential, slot.resource)
        told = ending.told
        heard: list[Any] = [""]
        if told is not None:
            other = assumed(slot.credential, told.resource)
            heard = [told.resource, told.limit, told.remaining, told.reset]
            heard += [other.limit, other.seconds]
        limit, left, reset, sure, paused, in_minute = self._scripts["leave"](
            keys=_keys(slot.credential),
            args=[
                *(self._moment(), slot.resource, kind_of(slot.resource)),
                *(window.limit, window.seconds, slot.points, slot.weight),
                *(ending.points, ending.weight, self._width, slot.id, EXPIRY),
                *(int(ending.succeeded), int(ending.refused), *heard),
            ],
        )
        return State(limit, left, reset, bool(sure), paused / 1000, in_minute)

    def pause(self, credential: str, seconds: float | None, *, refused: bool) -> float:
        """Seconds of pause left. None guesses, doubling with each refusal."""
        rules = self._rules
        stated = "" if seconds is None else seconds
        milliseconds: int = self._scripts["pause"](
            keys=_keys(credential)[:1],
            args=[
                *(self._moment(), stated, int(refused)),
                *(rules.first_pause, rules.longest_pause, EXPIRY),
            ],
        )
        return milliseconds / 1000

    def choose(self, candidates: Sequence[str], resource: str, lane: Lane) -> str:
        """The credential to ask with, in one round trip."""
        ask = Slot("", candidates[0], resource, lane, 1, 1)
        place: int = self._scripts["choose"](
            keys=[key for credential in candidates for key in _keys(credential)],
            args=[
                *self._asked(ask),
                *(assumed(credential, resource).limit for credential in candidates),
            ],
        )
        return candidates[place - 1]

    def read(self, credential: str, resource: str) -> State:
        """What is known of a resource, or assumed."""
        window = assumed(credential, resource)
        limit, left, reset, sure, paused, rate = self._scripts["read"](
            keys=_keys(credential)[:1],
            args=[self._moment(), resource, window.limit, window.seconds],
        )
        return State(limit, left, reset, bool(sure), paused / 1000, rate=float(rate))

    def _enter(self, slot: Slot, birth: str, debt: int, pause: float) -> tuple[int, str, int, str]:
        wait, born, in_minute, reason = self._scripts["enter"](
            keys=_keys(slot.credential),
            args=[
                *self._asked(slot),
                *(slot.id, self._rules.lease, EXPIRY),
                *(birth, slot.id, debt, pause),  # a slot's id is as random as a birth
            ],
        )
        return wait, born.decode(), in_minute, reason.decode()

    def _asked(self, slot: Slot) -> list[Any]:
        window, kind = assumed(slot.credential, slot.resource), kind_of(slot.resource)
        return [
            *(self._moment(), slot.resource, kind, window.limit, window.seconds),
            *(slot.points, slot.weight, RESERVES[slot.lane]),
            *(self._rules.most_points(kind, slot.lane), self._rules.most_calls(slot.lane)),
            self._width,
        ]

    def _moment(self) -> str:
        return "" if self._clock is None else repr(self._clock())

    @property
    def _width(self) -> float:
        return self._rules.minute / BUCKETS

    def _own_of(self, slot: Slot) -> _Own:
        key = slot.credential, kind_of(slot.resource)
        with self._lock:
            own = self._own.get(key)
            if own is None:
                own = self._own[key] = _Own(self._rules.minute)
                if len(self._own) > 2 * MOST_CREDENTIALS:
                    self._own.popitem(last=False)
            else:
                self._own.move_to_end(key)
            return own


def _keys(credential: str) -> list[str]:
    return [f"fw:b:{credential}", f"fw:b:{credential}:slots"]
