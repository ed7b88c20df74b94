"""Six hours of demand with warming and without, and what warming large lists costs.

    python -m benchmarks.warming [--hours 6] [--owners 20] [--large 10000]

In virtual time (simulation.py says how): 1,000 repositories that are watched, a week's demand
known, an hour lived through before it counts; 1 detail and 0.2 list requests a second, changes as
in the day of benchmarks/points.py. Requests that wait within GAP after a purge of what they ask
for are counted apart.
"""

from __future__ import annotations

import argparse
import random

from benchmarks.simulation import DAY, GAP, HOUR, Figures, known_demand, simulated, trace

TARGET, LARGE_TARGET = 0.99, 101


def six_hours(hours: float, owners: int, *, warm: bool) -> Figures:
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


def main() -> None:
    """Print both, and the targets."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--hours", type=float, default=6.0)
    parser.add_argument("--owners", type=int, default=20)
    parser.add_argument("--large", type=int, default=10_000)
    options = parser.parse_args()
    points, pages, failures = large_list(options.large)
    print(
        f"lists of {options.large:,} repositories: {points} points, {pages} pages, "
        f"{failures} failures (target: {LARGE_TARGET} points at most)"
    )
    columns = ("requests", "at once", "waited", "in gap", "points", "calls")
    print("\n" + " " * 14 + "".join(f"{name:>10}" for name in columns))
    for warm in (True, False):
        found = six_hours(options.hours, options.owners, warm=warm)
        name = "with warming" if warm else "without"
        print(f"{name:>14}{found.requests:>10,}{found.at_once:>10.2%}", end="")
        rest = (found.waited, found.in_gap, found.points, found.calls)
        print("".join(f"{number:>10,}" for number in rest), dict(found.outcomes), flush=True)
    print(f"\ntarget with warming: {TARGET:.0%} at once, the {GAP:.0f} s after a purge apart")


if __name__ == "__main__":
    main()
