"""The trace that every way of asking GitHub is compared over."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.simulation.world import DAY, World, trace

REPOS = [f"owner-{number % 4}/repo-{number}" for number in range(200)]
WORLD = World([f"owner-{number}" for number in range(4)], REPOS)


def test_the_same_seed_gives_the_same_trace() -> None:
    assert trace(WORLD, 0.0, 600.0, deliveries=5) == trace(WORLD, 0.0, 600.0, deliveries=5)


def test_a_trace_is_in_order_of_time() -> None:
    moments = [event.at for event in trace(WORLD, 100.0, 600.0)]
    assert moments == sorted(moments)
    assert 100.0 <= moments[0] <= moments[-1] <= 700.0


def test_requests_come_at_their_rates() -> None:
    events = trace(WORLD, 0.0, DAY / 4, deliveries=0)
    lists = sum(event.path.startswith("/orgs/") for event in events)
    assert lists == pytest.approx(0.2 * DAY / 4, rel=0.05)
    assert len(events) - lists == pytest.approx(DAY / 4, rel=0.05)


def test_sixty_percent_of_the_deliveries_change_a_body() -> None:
    told = [event for event in trace(WORLD, 0.0, DAY, deliveries=500) if event.repo]
    assert (len(told), sum(event.changes for event in told)) == (500, 300)


def test_the_first_repository_is_asked_for_twice_as_often_as_the_second() -> None:
    asked = Counter(event.path for event in trace(WORLD, 0.0, DAY, details=2.0))
    first, second = (asked[f"/repos/{name}"] for name in REPOS[:2])
    assert first / second == pytest.approx(2.0, rel=0.05)


def test_a_list_shows_the_repositories_of_its_owner() -> None:
    assert WORLD.within("/orgs/owner-1/repos?per_page=100") == REPOS[1::4]
    assert WORLD.within("/repos/owner-1/repo-1") == ["owner-1/repo-1"]
