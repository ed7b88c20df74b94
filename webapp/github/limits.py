"""GitHub's limits as data, and what its answers say of them (reference/github.md, b).

What isn't known yet is taken to be full. Two things are never one: the *hour* (the primary limit:
a window per resource, told in headers, 304s free) and the *minute* (the secondary one: a rolling
minute per credential, never told, where a 304 counts like any other answer).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Literal

ANONYMOUS = "anonymous"
"""The credential of requests without one: GitHub counts them by address."""

Kind = Literal["rest", "graphql"]


class Lane(StrEnum):
    """What a call is for, the most urgent first."""

    INTERACTIVE = "interactive"
    WEBHOOK = "webhook"
    WARMING = "warming"


RESERVES: Mapping[Lane, int] = {Lane.INTERACTIVE: 0, Lane.WEBHOOK: 10, Lane.WARMING: 25}
"""Per cent of hour, minute and slots that a lane leaves to those above it."""


@dataclass(frozen=True, slots=True)
class Window:
    """A primary limit that no answer has told yet: points, and seconds that they last."""

    limit: int
    seconds: int


_HOUR = Window(5000, 3600)
_WINDOWS: Mapping[str, Window] = {
    "core": _HOUR,
    "graphql": _HOUR,
    "search": Window(30, 60),
    "code_search": Window(10, 60),
}
_ANONYMOUS_WINDOWS: Mapping[str, Window] = {
    "core": Window(60, 3600),
    "graphql": Window(0, 3600),
    "search": Window(10, 60),
    "code_search": Window(0, 60),
}


def assumed(credential: str, resource: str) -> Window:
    """What holds until GitHub tells."""
    if credential == ANONYMOUS:
        return _ANONYMOUS_WINDOWS.get(resource, _ANONYMOUS_WINDOWS["core"])
    return _WINDOWS.get(resource, _HOUR)


def kind_of(resource: str) -> Kind:
    """Which of a credential's two rolling minutes a resource spends."""
    return "graphql" if resource == "graphql" else "rest"


@dataclass(frozen=True, slots=True)
class Rules:
    """The secondary limits that GitHub documents, and our own bounds. Seconds and points."""

    rest_points: int = 900
    graphql_points: int = 2000
    minute: float = 60.0
    calls: int = 100
    lease: float = 15.0  # longer than any call's deadline (session.DEADLINE)
    first_pause: float = 60.0
    longest_pause: float = 3600.0

    def most_points(self, kind: Kind, lane: Lane) -> int:
        """In a rolling minute, all lanes together, for a call in this lane to be let in."""
        most = self.graphql_points if kind == "graphql" else self.rest_points
        return most * (100 - RESERVES[lane]) // 100

    def most_calls(self, lane: Lane) -> int:
        """In flight, all lanes together and this one included."""
        return self.calls * (100 - RESERVES[lane]) // 100


@dataclass(frozen=True, slots=True)
class Slot:
    """A call that was let in. Leave it, whatever became of it; else its lease ends it."""

    id: str
    credential: str
    resource: str
    lane: Lane
    points: int  # reserved of the hour
    weight: int  # spent of the minute
    local: bool = False  # let in while Redis was away


@dataclass(frozen=True, slots=True)
class Limits:
    """What GitHub would say, less what is in flight; `reset` in whole Unix seconds."""

    limit: int
    remaining: int
    used: int
    reset: int
    resource: str


@dataclass(frozen=True, slots=True)
class Told:
    """A primary limit as an answer's headers tell it."""

    resource: str
    limit: int
    remaining: int
    reset: int


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended, as far as a ledger minds."""

    points: int  # spent of the hour, where no header tells
    weight: int  # spent of the minute
    succeeded: bool
    refused: bool
    told: Told | None


_RESOURCE = re.compile(r"[a-z_]{1,40}")


def told(status: int, headers: Mapping[str, str], asked: str) -> Told | None:
    """What the headers tell, by names in any case; None where they don't, or of a 401.

    A bad token's 401 tells the limit of anonymous callers, which is none of the credential's.
    """
    if status == 401:
        return None
    try:
        limit = int(headers["X-RateLimit-Limit"])
        remaining = int(headers["X-RateLimit-Remaining"])
        reset = int(headers["X-RateLimit-Reset"])
    except (KeyError, ValueError):
        return None
    if min(limit, remaining, reset) < 0:
        return None
    resource = headers.get("X-RateLimit-Resource", asked)
    return Told(resource if _RESOURCE.fullmatch(resource) else asked, limit, remaining, reset)


def ending(slot: Slot, status: int, headers: Mapping[str, str], points: int) -> Ending:
    """What a call was, from its answer; `status` 0 where there was none.

    Of the minute the call is spent whatever its points: a 304 counts, and so may what never
    answered. Several tries in one slot (REST) weigh as many.
    """
    weight = slot.weight if kind_of(slot.resource) == "graphql" else max(slot.weight, points)
    return Ending(
        points=points,
        weight=weight,
        succeeded=200 <= status < 400,
        refused=status in {403, 429},
        told=told(status, headers, slot.resource),
    )


def stated_pause(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds that GitHub asks us to wait: Retry-After, else the reset where nothing is left."""
    after = headers.get("Retry-After", "").strip()
    if after.isdecimal():
        return float(after)
    if after:
        try:
            moment = parsedate_to_datetime(after)
        except ValueError:
            pass
        else:
            return max(0.0, moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now)
    if headers.get("X-RateLimit-Remaining", "").strip() == "0":
        reset = headers.get("X-RateLimit-Reset", "").strip()
        if reset.isdecimal():
            return max(0.0, int(reset) - now)
    return None
