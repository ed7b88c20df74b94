"""The models that Forewarm's day is compared with: each asks as it says, at its best."""

from __future__ import annotations

from benchmarks.points import etag_always, no_cache, plain_ttl
from benchmarks.simulation.world import HOUR, Event, World

WORLD = World(["o"], ["o/a", "o/b"])
DETAIL, LIST = "/repos/o/a", "/orgs/o/repos?per_page=100"


def test_without_a_cache_every_request_is_a_point() -> None:
    found = no_cache([Event(1.0, path=DETAIL), Event(2.0, path=DETAIL), Event(3.0, repo="o/a")])
    assert (found.requests, found.points, found.staleness_at(0.99)) == (2, 2, 0)


def test_a_plain_cache_asks_anew_when_the_period_is_over() -> None:
    moments = (0.0, HOUR, 3 * HOUR, 3 * HOUR + 1)
    found = plain_ttl([Event(at, path=DETAIL) for at in moments], WORLD)
    assert (found.requests, found.points) == (4, 2)


def test_a_plain_cache_does_not_hear_of_changes() -> None:
    events = [Event(0.0, path=LIST), Event(10.0, repo="o/b", changes=True), Event(70.0, path=LIST)]
    assert plain_ttl(events, WORLD).staleness_at(1.0) == 60.0


def test_a_change_that_changes_nothing_makes_nothing_old() -> None:
    events = [Event(0.0, path=DETAIL), Event(10.0, repo="o/a"), Event(70.0, path=DETAIL)]
    assert plain_ttl(events, WORLD).staleness_at(1.0) == 0.0


def test_etags_cost_a_point_only_where_something_changed() -> None:
    events = [
        *(Event(0.0, path=DETAIL), Event(1.0, path=DETAIL), Event(2.0, path=LIST)),
        Event(3.0, repo="o/a", changes=True),
        *(Event(4.0, path=DETAIL), Event(5.0, path=LIST), Event(6.0, path=LIST)),
    ]
    found = etag_always(events, WORLD)
    assert (found.calls, found.waited, found.points) == (6, 6, 4)
