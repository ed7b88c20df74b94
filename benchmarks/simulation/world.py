"""Who is asked for, how often, and when it changes: a trace by a fixed seed."""

from __future__ import annotations

import itertools
import random
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
OWNER_REPOS = 50


@dataclass(frozen=True, slots=True)
class Event:
    """At `at`, Unix seconds: a request (`path` below the mirror), or a change of `repo`."""

    at: float
    path: str = ""
    repo: str = ""
    changes: bool = False


@dataclass
class World:
    """Names, most popular first, and what has become of them."""

    owners: list[str]
    repos: list[str]
    changed: dict[str, list[float]] = field(default_factory=dict)

    def urls(self) -> tuple[list[str], list[str]]:
        """Details and lists."""
        details = [f"/repos/{name}" for name in self.repos]
        return details, [f"/orgs/{owner}/repos?per_page=100" for owner in self.owners]

    def within(self, path: str) -> list[str]:
        """The repositories whose data an answer shows."""
        name = path.removeprefix("/repos/")
        if name != path:
            return [name]
        owner = path.split("/")[2]
        return [each for each in self.repos if each.startswith(f"{owner}/")]


def zipf(number: int) -> list[float]:
    """Cumulative weights of ranks 1 to `number`, s = 1."""
    return list(itertools.accumulate(1 / rank for rank in range(1, number + 1)))


def poisson(random_: random.Random, rate: float, start: float, end: float) -> Iterator[float]:
    """Moments, `rate` a second."""
    at = start
    while (at := at + random_.expovariate(rate)) < end:
        yield at


def trace(
    world: World,
    start: float,
    seconds: float,
    *,
    details: float = 1.0,
    lists: float = 0.2,
    deliveries: int = 500,
    changing: float = 0.6,
    seed: int = 1,
) -> list[Event]:
    """Requests a second and deliveries in all; in order of time."""
    chance = random.Random(seed)
    weights, owner_weights = zipf(len(world.repos)), zipf(len(world.owners))
    detail_urls, list_urls = world.urls()

    def picked(names: Sequence[str], cumulated: Sequence[float]) -> str:
        return names[min(bisect_right(cumulated, chance.random() * cumulated[-1]), len(names) - 1)]

    end = start + seconds
    events = [
        Event(at, path=picked(detail_urls, weights)) for at in poisson(chance, details, start, end)
    ]
    events += [
        Event(at, path=picked(list_urls, owner_weights))
        for at in poisson(chance, lists, start, end)
    ]
    for number in range(deliveries):
        at = start + chance.random() * seconds
        events.append(
            Event(at, repo=picked(world.repos, weights), changes=number < deliveries * changing)
        )
    return sorted(events, key=lambda event: event.at)
