"""Redis as cache and broker, on a real Valkey whose settings are changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from script.embedded import Valkey
from tests.webapp.doctor.asking import finding, findings
from webapp.doctor.finding import State
from webapp.doctor.redis_servers import Server, judge
from webapp.settings import Settings


@pytest.fixture
def stores(redis_url: str) -> dict[str, str]:
    return {
        "HOST": "127.0.0.1",
        "REDIS_URL": redis_url,
        "DATABASE_URL": "postgresql://127.0.0.1:1/forewarm",
    }


@pytest.fixture
def config(redis_url: str) -> Iterator[redis.Redis]:
    """Whatever a test sets is set back: `redis_url` restores the memory settings alone."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        kept = client.config_get("appendonly", "save", "maxclients")
        yield client
        for name, value in kept.items():
            client.config_set(name, value)


def test_a_fitting_server_is_ok_in_both_roles(stores: dict[str, str]) -> None:
    found = findings("redis", stores)
    assert [each for each in found if each.state is not State.OK] == []


def test_product_and_version_are_told(stores: dict[str, str]) -> None:
    assert finding("redis", "cache", stores).reason.startswith("Valkey 9.")


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random"])
def test_a_broker_that_evicts_jobs_is_warned_of(
    stores: dict[str, str], config: redis.Redis, policy: str
) -> None:
    config.config_set("maxmemory-policy", policy)
    found = finding("redis", "broker eviction", stores)
    assert (found.state, "evicts jobs" in found.reason) == (State.WARN, True)


def test_a_cache_may_evict_any_key(stores: dict[str, str], config: redis.Redis) -> None:
    config.config_set("maxmemory-policy", "allkeys-lfu")
    assert finding("redis", "cache eviction", stores).state is State.OK


@pytest.mark.parametrize("policy", ["volatile-lru", "volatile-lfu", "volatile-ttl"])
def test_evicting_what_expires_is_ok_for_both(
    stores: dict[str, str], config: redis.Redis, policy: str
) -> None:
    config.config_set("maxmemory-policy", policy)
    for role in ("cache", "broker"):
        assert finding("redis", f"{role} eviction", stores).state is State.OK


def test_a_cache_that_refuses_writes_when_full_is_warned_of(
    stores: dict[str, str], config: redis.Redis
) -> None:
    config.config_set("maxmemory-policy", "noeviction")
    found = finding("redis", "cache eviction", stores)
    assert (found.state, "refuses writes" in found.reason) == (State.WARN, True)


def test_entries_that_leave_no_room_for_jobs_are_warned_of(
    stores: dict[str, str], config: redis.Redis
) -> None:
    config.config_set("maxmemory-policy", "noeviction")
    assert finding("redis", "shared memory", stores).state is State.WARN


def test_without_a_limit_no_policy_does_harm(stores: dict[str, str], config: redis.Redis) -> None:
    config.config_set("maxmemory", "0", "maxmemory-policy", "noeviction")
    assert finding("redis", "cache eviction", stores).state is State.OK


def test_the_two_database_numbers_are_told(stores: dict[str, str]) -> None:
    assert finding("redis", "databases", stores).reason == "cache 0 and broker 1 of one server"


def test_one_database_for_both_is_warned_of(stores: dict[str, str]) -> None:
    found = finding("redis", "databases", stores, BROKER_URL=stores["REDIS_URL"])
    assert found.state is State.WARN


def test_a_broker_that_keeps_nothing_is_warned_of(
    stores: dict[str, str], config: redis.Redis
) -> None:
    config.config_set("appendonly", "no", "save", "")
    assert finding("redis", "persistence", stores).state is State.WARN


@pytest.mark.parametrize(("web", "warned"), [("1", False), ("2", True)])
def test_fewer_connections_than_all_processes_may_open_are_warned_of(
    stores: dict[str, str], config: redis.Redis, web: str, warned: bool
) -> None:
    config.config_set("maxclients", "20")
    names = [each.name for each in findings("redis", stores, WEB_CONCURRENCY=web)]
    assert ("cache connections" in names) is warned


def test_a_wrong_password_fails_without_showing_it(stores: dict[str, str], valkey: Valkey) -> None:
    url = f"redis://:hunter2@127.0.0.1:{valkey.port}/0"
    found = finding("redis", "cache", stores, REDIS_URL=url)
    assert (found.state, "hunter2" in found.reason) == (State.FAIL, False)


def test_a_server_that_hangs_fails(stores: dict[str, str], valkey: Valkey) -> None:
    valkey.pause()
    assert finding("redis", "cache", stores).state is State.FAIL


SERVER = Server(
    product="Redis 7.2.0",
    run_id="a",
    database=0,
    latency=0.0002,
    replica=False,
    policy="volatile-lfu",
    maxmemory=1 << 30,
    used=1 << 20,
    maxclients=None,
    saves=None,
    last_write_failed=False,
)
"""What a managed server may say: it hides its settings."""


def states(settings: Settings, **differences: object) -> dict[str, State]:
    server = Server(**{**{f: getattr(SERVER, f) for f in Server.__slots__}, **differences})
    return {each.name: each.state for each in judge(server, server, settings)}


@pytest.mark.parametrize(
    ("name", "differences"),
    [
        ("cache", {"latency": 0.05}),
        ("cache writes", {"replica": True}),
        ("broker writes", {"last_write_failed": True}),
    ],
)
def test_what_a_local_server_does_not_show_is_judged_too(
    stores: dict[str, str], name: str, differences: dict[str, object]
) -> None:
    settings = Settings.from_env(stores)
    assert states(settings).get(name, State.OK) is State.OK
    assert states(settings, **differences)[name] is not State.OK


def test_a_server_that_hides_its_settings_is_taken_as_it_is(stores: dict[str, str]) -> None:
    assert states(Settings.from_env(stores))["persistence"] is State.OK
