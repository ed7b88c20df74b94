"""Deliveries while something is away: what can be done is done, what can't is remembered.

Every test has an application of its own, for they remember outages for a while.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from script.embedded import Postgres, Valkey
from tests.serving import Forewarm, ForewarmFactory
from tests.standin.process import StandIn
from tests.webapp.delivering import SECRET, deliver, named, rows
from webapp.changes import webhooks
from webapp.errors import BrokerUnavailable

DETAIL = "/repos/pallets/flask"
LIST = "/orgs/pallets/repos"


@pytest.fixture
def forewarm(start_forewarm: ForewarmFactory) -> Forewarm:
    return start_forewarm(GITHUB_WEBHOOK_SECRET=SECRET)


def outcome(forewarm: Forewarm, path: str = DETAIL) -> str:
    return forewarm.get(path).headers["X-Cache"]


def wait_for(condition: Callable[[], object], what: str, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"no {what} within {seconds} s"
        time.sleep(0.02)


def _in_a_minute(forewarm: Forewarm) -> None:
    """From now on it is a minute later for looks and pauses."""
    for each in (forewarm.services.webhooks, forewarm.services.invalidation):
        vars(each)["_clock"] = lambda: time.time() + 61


def _unavailable(*_: object, **__: object) -> str:
    raise BrokerUnavailable("for a test")


def test_without_redis_a_delivery_is_journalled_and_done_before_redis_is_trusted(
    forewarm: Forewarm, environ: dict[str, str], github: StandIn, valkey: Valkey
) -> None:
    outcome(forewarm)
    valkey.kill()
    outcome(forewarm)  # it has noticed
    github.change_repo("pallets/flask", description="changed meanwhile", webhook=False)
    assert deliver(forewarm, "repository", named(action="edited"), "g-1").status_code == 202
    assert rows(environ, "select delivery from webhook_deliveries") == [("g-1",)]
    valkey.start()
    wait_for(lambda: not forewarm.services.redis.breaker.open, "return of Redis")
    answer = forewarm.get(DETAIL)
    assert answer.headers["X-Cache"] != "HIT"
    assert answer.get_json()["description"] == "changed meanwhile"


def test_without_the_broker_the_sweep_looks(forewarm: Forewarm, valkey: Valkey) -> None:
    valkey.kill()
    deliver(forewarm, "push", named(), "g-1")
    valkey.start()
    wait_for(lambda: not forewarm.services.redis.breaker.open, "return of Redis")
    _in_a_minute(forewarm)
    assert set(forewarm.services.webhooks.sweep()) == {"repo:pallets/flask"}
    assert set(forewarm.services.invalidation.owed()) == {"repos:pallets", "repos:any"}


def test_without_postgresql_it_is_purged_at_once_and_the_broker_alone_knows_of_the_looks(
    forewarm: Forewarm, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome(forewarm), outcome(forewarm, LIST)
    enqueued: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        forewarm.services.jobs, "enqueue", lambda *job, delay_ms: enqueued.append(job)
    )
    postgres.kill()
    assert deliver(forewarm, "push", named(), "g-1").status_code == 202
    assert "HIT" not in (outcome(forewarm), outcome(forewarm, LIST))
    tags = ["repo:pallets/flask", "repos:pallets", "repos:any"]
    assert [job[4] for job in enqueued] == [tags, tags]


def test_without_postgresql_and_broker_this_process_looks(
    forewarm: Forewarm, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = []
    monkeypatch.setattr(webhooks, "LOOKS", (0.01, 0.02))
    monkeypatch.setattr(forewarm.services.jobs, "enqueue", _unavailable)
    monkeypatch.setattr(forewarm.services.webhooks, "look", lambda *look: looks.append(look[:2]))
    postgres.kill()
    assert deliver(forewarm, "release", named(action="created"), "g-1").status_code == 202
    wait_for(lambda: len(looks) == 2, "looks")
    assert looks == [("g-1", 1), ("g-1", 2)]


def test_without_redis_and_postgresql_it_is_refused_with_a_503(
    forewarm: Forewarm, valkey: Valkey, postgres: Postgres
) -> None:
    outcome(forewarm)
    valkey.kill()
    postgres.kill()
    answer = deliver(forewarm, "push", named())
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers
