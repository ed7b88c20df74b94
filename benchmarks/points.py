"""A simulated day of DESIGN's section 16, beside three other ways of asking GitHub.

    python -m benchmarks.points [--hours 24] [--owners 20]

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

import argparse
import random
from collections.abc import Sequence

from benchmarks.simulation import HOUR, Event, Figures, World, simulated, trace

SHARE_OF_NONE, SHARE_OF_TTL, STALENESS = 0.05, 0.25, 60.0


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


def main() -> None:
    """Print the table and the targets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--owners", type=int, default=20)
    options = parser.parse_args()
    with simulated(options.owners, warm=True) as (simulation, world, start):
        deliveries = round(500 * options.hours / 24)
        events = trace(world, start, options.hours * HOUR, deliveries=deliveries)
        simulation.move(start)
        ours = simulation.run(events, random.Random(5))
    subjects = {
        "Forewarm": ours,
        "no cache": no_cache(events),
        "plain TTL": plain_ttl(events, world),
        "ETag": etag_always(events, world),
    }
    columns = ("requests", "points", "calls", "waited", "old p50", "old p99", "oldest")
    print(" " * 10 + "".join(f"{name:>10}" for name in columns))
    for name, found in subjects.items():
        numbers = (found.requests, found.points, found.calls, found.waited)
        old = (found.staleness_at(0.5), found.staleness_at(0.99), max(found.staleness))
        print(f"{name:>10}" + "".join(f"{number:>10,}" for number in numbers), end="")
        print("".join(f"{seconds:>8,.1f} s" for seconds in old))
    print(f"\nForewarm's outcomes: {dict(ours.outcomes)}")
    for name, most in (("no cache", SHARE_OF_NONE), ("plain TTL", SHARE_OF_TTL)):
        share = ours.points / subjects[name].points
        print(f"points of {name}: {share:.1%} (target: {most:.0%} at most)")
    print(f"staleness p99: {ours.staleness_at(0.99):.1f} s (target: {STALENESS:.0f} s at most)")


if __name__ == "__main__":
    main()
