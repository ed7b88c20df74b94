"""Hours of demand with warming and without, and what warming large lists costs.

    python -m benchmarks.warming [--quick]

In virtual time (benchmarks/simulation/ says how): watched repositories, a week's demand known, an
hour lived through before it counts; 1 detail and 0.2 list requests a second, changes as in the day
of benchmarks/points.py. Requests that wait within GAP after a purge of what they ask for are
counted apart.
"""

from __future__ import annotations

import random
import sys

from benchmarks.alone import alone
from benchmarks.results import Chapter, Effort, Table, Target
from benchmarks.simulation.clockwork import GAP, Figures
from benchmarks.simulation.ground import known_demand, simulated
from benchmarks.simulation.world import DAY, HOUR, OWNER_REPOS, trace

HOURS = {Effort.FULL: 3.0, Effort.QUICK: 0.5}
OWNERS = {Effort.FULL: 20, Effort.QUICK: 4}
LARGE = 10_000


def hours_of_demand(hours: float, owners: int, *, warm: bool) -> Figures:
    """Figures of the hours that count."""
    with simulated(owners, warm=warm) as (simulation, world, start):
        known_demand(simulation, world, start)
        simulation.move(start)
        delays = random.Random(5)
        before = trace(world, start, HOUR, deliveries=round(500 / 24), seed=1)
        simulation.run(before, delays)
        seconds = hours * HOUR
        events = trace(world, start + HOUR, seconds, deliveries=round(500 * seconds / DAY), seed=2)
        return simulation.run(events, delays)


def large_list(repositories: int) -> tuple[int, int, int]:
    """Points, pages and failures of warming an organisation of so many repositories."""
    with simulated(1, warm=True) as (simulation, _, start):
        github = simulation._github
        github.create_org("large")
        github.add_repos("large", repositories)
        simulation.move(start)
        github.forget()
        runs = simulation.services.warming
        run = runs.begin(["large"], "cli")
        while runs.get(run).state in {"queued", "running"}:
            runs.turn(run)
        found = runs.get(run)
        return github.points(), found.done - 1, found.failures


def measure(effort: Effort) -> Chapter:
    """Both."""
    hours, owners, large = HOURS[effort], OWNERS[effort], LARGE
    points, pages, failures = large_list(large)
    found = {
        "with warming": hours_of_demand(hours, owners, warm=True),
        "without": hours_of_demand(hours, owners, warm=False),
    }
    rows = tuple(
        (
            *(name, each.requests, 100 * each.at_once, each.waited, each.in_gap),
            *(each.points, each.calls),
        )
        for name, each in found.items()
    )
    return Chapter(
        "warming",
        "Warming",
        f"In virtual time: {hours:g} hours of 1 detail and 0.2 list requests a second to"
        f" {owners * OWNER_REPOS:,} watched repositories, a week's demand known, an hour lived"
        f" through before it counts. Requests that wait within {GAP:g} s after a purge of what they"
        f" ask for are counted apart. And the lists of one organisation of {large:,} repositories.",
        (
            Table(
                "The same demand with warming and without",
                ("", "requests", "at once, %", "waited", "in gap", "points", "calls"),
                rows,
            ),
            Table(
                "A large organisation's lists",
                ("repositories", "points", "pages", "failures"),
                ((f"{large:,}", points, pages, failures),),
            ),
        ),
        targets=(Target("warming", points),),
        figures={
            "points to warm a repository's lists": points / large,
            "at once with warming": found["with warming"].at_once,
            "at once without warming": found["without"].at_once,
        },
    )


if __name__ == "__main__":
    sys.exit(alone(measure, __doc__))
