"""Demand: what key holders ask for, how lately and how much; kept in Redis, bounded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from script.embedded import Valkey
from tests.serving import API_KEY, Forewarm, ForewarmFactory
from tests.standin.accounts import ALICE_TOKEN
from tests.standin.landmarks import PUBLIC_REPO
from tests.workers.processes import wait_for
from webapp import demand as module
from webapp.cache.connection import Connection
from webapp.cache.keys import canonical_target
from webapp.demand import Asked, Demand, asked_text
from webapp.policy import DAY
from webapp.secret import Secret

BASE = "http://127.0.0.1:8000/api/v3"
NOON = 1_800_000_000.0


class Clock:
    """Unix seconds, as told."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


def text(path: str, query: str = "") -> str:
    return asked_text(canonical_target(path, query, "", ""), BASE)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def demand(redis_url: str, clock: Clock) -> Iterator[Demand]:
    connection = Connection(Secret(redis_url), size=4)
    yield Demand(connection, clock)
    connection.close()


def ask(demand: Demand, *texts: str) -> None:
    demand.noted.extend(texts)
    demand.flush()


def paths(found: list[Asked]) -> list[str]:
    return [asked.target.path for asked in found]


def test_what_was_asked_for_most_comes_first(demand: Demand) -> None:
    ask(demand, *[text("/repos/a/x")] * 2, *[text("/repos/b/y")] * 3, text("/orgs/a/repos"))
    assert paths(demand.asked_since(60)) == ["/repos/b/y", "/repos/a/x", "/orgs/a/repos"]


def test_a_request_weighs_half_a_day_later(demand: Demand, clock: Clock) -> None:
    ask(demand, *[text("/repos/a/x")] * 8)
    clock.now += 2 * DAY
    (asked,) = demand.asked_since(7 * DAY)
    assert asked.weight == pytest.approx(2.0)


def test_what_was_asked_for_lately_overtakes(demand: Demand, clock: Clock) -> None:
    ask(demand, *[text("/repos/a/old")] * 100)
    clock.now += 6.5 * DAY
    ask(demand, *[text("/repos/a/new")] * 2)
    assert paths(demand.asked_since(7 * DAY)) == ["/repos/a/new", "/repos/a/old"]


def test_only_what_was_asked_for_since_then(demand: Demand, clock: Clock) -> None:
    ask(demand, text("/repos/a/early"))
    clock.now += 3600
    ask(demand, text("/repos/a/late"))
    assert paths(demand.asked_since(1800)) == ["/repos/a/late"]


def test_only_one_owners(demand: Demand) -> None:
    ask(demand, text("/repos/a/x"), text("/repos/b/y"), text("/orgs/b/repos"))
    assert paths(demand.asked_since(60, "B")) == ["/orgs/b/repos", "/repos/b/y"]


def test_the_query_and_the_base_are_kept(demand: Demand) -> None:
    ask(demand, text("/orgs/a/repos", "per_page=100&page=2"))
    (asked,) = demand.asked_since(60)
    assert asked.target == canonical_target("/orgs/a/repos", "page=2&per_page=100", "", "")
    assert asked.base_url == BASE


def test_what_is_never_fresh_is_not_kept(demand: Demand) -> None:
    ask(demand, text("/repos/a/x/issues"), text("/user/repos"))
    assert demand.asked_since(60) == []


def test_it_is_forgotten_after_seven_days(demand: Demand, clock: Clock) -> None:
    ask(demand, text("/repos/a/x"))
    clock.now += 7 * DAY + 1
    ask(demand, text("/repos/a/y"))
    assert paths(demand.asked_since(30 * DAY)) == ["/repos/a/y"]
    assert demand._connection.zcard("fw:d:rank:a") == 1


def test_an_owners_least_asked_make_room(demand: Demand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ANSWERS", 10)
    ask(demand, *(text(f"/repos/a/r{n}") for n in range(30) for _ in range(n + 1)))
    found = demand.asked_since(60)
    assert sorted(paths(found)) == sorted(f"/repos/a/r{n}" for n in range(20, 30))
    assert demand._connection.zcard("fw:d:rank:a") == 10


def test_what_is_gone_is_forgotten(demand: Demand) -> None:
    ask(demand, text("/repos/a/x"), text("/repos/a/y"))
    demand.forget(demand.asked_since(60)[0])
    assert len(demand.asked_since(60)) == 1


def test_without_redis_it_is_dropped_and_counted(demand: Demand, valkey: Valkey) -> None:
    ask(demand, text("/repos/a/x"))
    valkey.stop()
    ask(demand, *[text("/repos/a/x")] * 5)
    assert demand.dropped == 5
    valkey.start()
    wait_for(lambda: not demand._connection.breaker.refused(), "Redis")


def test_a_key_holders_reads_are_demand_and_nobody_elses(forewarm: Forewarm) -> None:
    """A miss and two hits by a key; a caller's own token and the public aren't warmed for."""
    for token in (API_KEY, API_KEY, API_KEY, ALICE_TOKEN, ALICE_TOKEN, "", ""):
        assert forewarm.get(f"/repos/{PUBLIC_REPO}", token=token).status_code == 200
    forewarm.services.demand.flush()
    (asked,) = forewarm.services.demand.asked_since(60)
    assert asked.weight == pytest.approx(3.0, rel=1e-3)
    assert asked.base_url == BASE


def test_it_is_noted_without_telemetry_and_without_the_hit_path(
    start_forewarm: ForewarmFactory,
) -> None:
    forewarm = start_forewarm(TELEMETRY="off", HITPATH="off")
    for _ in range(2):
        forewarm.get("/orgs/pallets/repos?per_page=100")
    forewarm.services.demand.flush()
    (asked,) = forewarm.services.demand.asked_since(60)
    assert (asked.target.query, round(asked.weight)) == ("per_page=100", 2)


def test_a_refusal_is_no_demand(forewarm: Forewarm) -> None:
    for _ in range(2):
        assert forewarm.get("/repos/pallets/nothing-here").status_code == 404
    forewarm.services.demand.flush()
    assert forewarm.services.demand.asked_since(60) == []
