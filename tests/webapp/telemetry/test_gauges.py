"""Gauges on real stores: read now, and sampled by one process of all."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from script.embedded import Postgres, Valkey
from tests.serving import Forewarm
from tests.standin.process import StandIn
from tests.webapp.lasting import Applications, fresh_applications, lasting_environ
from webapp.jobs import WORKER_HEARTBEAT


@pytest.fixture(scope="module")
def environ(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[dict[str, str]]:
    with lasting_environ(valkey, postgres, standin, "gauges") as environ:
        yield environ


@pytest.fixture
def start_forewarm(environ: dict[str, str], standin: StandIn) -> Iterator[Applications]:
    """New ones for each test: they have counted nothing yet."""
    with fresh_applications(environ, standin) as applications:
        yield applications


@pytest.fixture
def forewarm(start_forewarm: Applications) -> Forewarm:
    return start_forewarm()


def readings(forewarm: Forewarm) -> dict[tuple[str, ...], float]:
    return {(each.name, *each.labels): each.value for each in forewarm.services.gauges.shared()}


def test_stores_queues_heartbeats_and_limits_are_read(forewarm: Forewarm) -> None:
    services = forewarm.services
    services.jobs.enqueue("heartbeat", "upkeep")
    services.jobs.enqueue("purge_again", "invalidation", [], "", "", delay_ms=60_000)
    with services.jobs.reached() as client:
        client.set(WORKER_HEARTBEAT, time.time() - 30)
    forewarm.get("/repos/pallets/flask")
    found = readings(forewarm)
    assert found["queue_depth", "upkeep"] == 1
    assert found["queue_delayed", "invalidation"] == 1
    assert 0 <= found["queue_oldest_seconds", "upkeep"] < 5
    assert found["queue_oldest_seconds", "warming"] == 0
    assert 30 <= found["heartbeat_age_seconds", "worker"] < 35
    assert ("heartbeat_age_seconds", "scheduler") not in found
    assert found["redis_memory_bytes",] > 500_000
    assert found["redis_clients",] >= 1
    (own,) = services.credentials.ids()[:1]
    assert found["github_rate_limit_remaining", own, "core"] == 4_999


def test_what_cannot_be_read_is_left_out(forewarm: Forewarm, standin: StandIn) -> None:
    breaker = forewarm.services.redis.breaker
    breaker.open, breaker._pid = True, os.getpid()
    found = readings(forewarm)
    assert ("redis_memory_bytes",) not in found
    assert ("queue_depth", "upkeep") in found


def test_one_process_samples_what_all_share(start_forewarm: Applications) -> None:
    first, second = start_forewarm(), start_forewarm(HIT_SAMPLE="7")
    for each in (first, second):
        each.services.gauges.sample()
    assert ("redis_clients", ()) in first.services.gauges._counts.take()
    own = second.services.gauges._counts.take()
    assert ("redis_clients", ()) not in own
    ((name, labels),) = (series for series in own if series[0] == "process_memory_bytes")
    assert labels[0] == "web"
    memory = own[name, labels]
    assert isinstance(memory, float)
    assert 10e6 < memory < 4e9


def test_waits_for_the_pool_are_counted(forewarm: Forewarm) -> None:
    database = forewarm.services.database
    with database.connection():
        pass
    with database.connection():
        pass
    used = database.used()
    assert used.requests == 2
    assert used.waits == 1  # it had to be opened
    assert database.used().requests == 0
