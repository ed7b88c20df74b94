"""A simulated day of DESIGN's section 16, beside three other ways of asking GitHub.

    python -m benchmarks.points [--quick]

1,000 watched repositories of 20 owners; 1 detail and 0.2 list requests a second (Zipf); 500
webhook deliveries of which 60 % change a body; fixed seed; nothing cached at first. Forewarm is
its own code on real stores in virtual time (simulation.py), with webhooks, looks and warming. The
others are models over the same trace, each at its best: GitHub answers at once and doesn't lag.

    no cache    every request goes to GitHub
    plain TTL   fresh as long as Forewarm's periods, then fetched anew; hears nothing
    ETag        as other GitHub caches: every request revalidates; a 304 costs no point

Staleness: how long ago the oldest change was that an answer doesn't show, over all answers; 0 for
one that is up to date. A request waits where GitHub is asked before it is answered.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping, Sequence

from benchmarks.alone import alone
from benchmarks.results import Chapter, Chart, Effort, Series, Table, Target
from benchmarks.simulation.clockwork import Figures
from benchmarks.simulation.ground import simulated
from benchmarks.simulation.world import HOUR, Event, World, trace

HOURS = {Effort.FULL: 24.0, Effort.QUICK: 1.0}
OWNERS = {Effort.FULL: 20, Effort.QUICK: 4}


def no_cache(events: Sequence[Event]) -> Figures:
    """Every request is a call, a point and a wait; no answer is old."""
    number = sum(1 for event in events if event.path)
    return Figures(number, number, number, number, staleness=[0.0])


def plain_ttl(events: Sequence[Event], world: World) -> Figures:
    """Fetched where the period is over; what changed since isn't known."""
    figures = Figures()
    fetched: dict[str, float] = {}
    changed: dict[str, list[float]] = {}
    for event in events:
        if event.repo:
            if event.changes:
                changed.setdefault(event.repo, []).append(event.at)
            continue
        figures.requests += 1
        period = 3 * HOUR if event.path.startswith("/repos/") else HOUR
        at = fetched.get(event.path)
        if at is None or event.at - at >= period:
            at = fetched[event.path] = event.at
            figures.points += 1
        unseen = [
            moment
            for name in world.within(event.path)
            for moment in changed.get(name, ())
            if moment > at
        ]
        figures.staleness.append(event.at - min(unseen) if unseen else 0.0)
    figures.calls = figures.waited = figures.points
    return figures


def etag_always(events: Sequence[Event], world: World) -> Figures:
    """Every request is a call and a wait; a point where something changed since the last."""
    figures = Figures(staleness=[0.0])
    held: set[str] = set()
    listed = {name: name.partition("/")[0] for name in world.repos}
    for event in events:
        if event.repo:
            if event.changes:
                held.discard(f"/repos/{event.repo}")
                held.discard(f"/orgs/{listed[event.repo]}/repos?per_page=100")
            continue
        figures.requests += 1
        figures.points += event.path not in held
        held.add(event.path)
    figures.calls = figures.waited = figures.requests
    return figures


def measure(effort: Effort) -> Chapter:
    """The day, or a part of it."""
    hours, owners = HOURS[effort], OWNERS[effort]
    with simulated(owners, warm=True) as (simulation, world, start):
        deliveries = round(500 * hours / 24)
        events = trace(world, start, hours * HOUR, deliveries=deliveries)
        simulation.move(start)
        ours = simulation.run(events, random.Random(5))
    subjects = {
        "Forewarm": ours,
        "no cache": no_cache(events),
        "plain TTL": plain_ttl(events, world),
        "ETag": etag_always(events, world),
    }
    return Chapter(
        "points",
        "A simulated day",
        f"{hours:g} hours, {len(world.repos):,} watched repositories of {owners} owners, 1 detail"
        f" and 0.2 list requests a second (Zipf), {deliveries} deliveries of which 60 % change a"
        " body, fixed seed, nothing cached at first. Forewarm is its own code on real stores in"
        " virtual time; the others are models over the same trace, each at its best.",
        (_table(subjects), _outcomes(ours)),
        (
            Chart(
                "points",
                "Points of a simulated day",
                "bars",
                tuple(subjects),
                (Series("points", tuple(float(each.points) for each in subjects.values())),),
                "points of rate limit",
            ),
        ),
        _targets(subjects) if effort is Effort.FULL else (),
        {
            "points an hour": ours.points / hours,
            "share of requests that call GitHub": ours.calls / ours.requests,
        },
    )


def _targets(subjects: Mapping[str, Figures]) -> tuple[Target, ...]:
    """Of a whole day alone: what is fetched first weighs most in a part of it."""
    ours = subjects["Forewarm"]
    return (
        Target("day/none", 100 * ours.points / subjects["no cache"].points),
        Target("day/ttl", 100 * ours.points / subjects["plain TTL"].points),
        Target("day/staleness", ours.staleness_at(0.99)),
    )


def _table(subjects: Mapping[str, Figures]) -> Table:
    return Table(
        "Four ways of asking GitHub",
        (
            *("", "requests", "points", "calls", "waited", "staleness p50, s", "p99, s"),
            "oldest, s",
        ),
        tuple(
            (
                *(name, each.requests, each.points, each.calls, each.waited),
                *(each.staleness_at(0.5), each.staleness_at(0.99), max(each.staleness)),
            )
            for name, each in subjects.items()
        ),
        "Staleness: how long ago the oldest change was that an answer doesn't show, over all"
        " answers; 0 for one that is up to date.",
    )


def _outcomes(ours: Figures) -> Table:
    return Table(
        "Forewarm's answers",
        ("outcome", "requests"),
        tuple((name, number) for name, number in ours.outcomes.most_common()),
    )


if __name__ == "__main__":
    sys.exit(alone(measure, __doc__))
