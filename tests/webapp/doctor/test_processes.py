"""Worker and scheduler, by the heartbeats that they leave in the broker."""

from __future__ import annotations

import time

import pytest

from tests.webapp.doctor.asking import finding, findings
from webapp.doctor.finding import State
from webapp.jobs import WORKER_HEARTBEAT, client
from webapp.settings import Settings


@pytest.fixture
def stores(redis_url: str) -> dict[str, str]:
    return {
        "HOST": "127.0.0.1",
        "REDIS_URL": redis_url,
        "DATABASE_URL": "postgresql://127.0.0.1:1/forewarm",
    }


def test_a_worker_that_showed_itself_is_ok(stores: dict[str, str]) -> None:
    url = Settings.from_env(stores).broker_url
    with client(url, timeout=1, connections=1) as broker:
        broker.set(WORKER_HEARTBEAT, time.time())
    found = finding("processes", "worker", stores)
    assert (found.state, "showed itself" in found.reason) == (State.OK, True)


@pytest.mark.parametrize("name", ["worker", "scheduler"])
def test_one_that_never_showed_itself_is_warned_of(stores: dict[str, str], name: str) -> None:
    found = finding("processes", name, stores)
    assert (found.state, found.action) == (State.WARN, f"start the Procfile's {name}")


def test_without_a_broker_nothing_is_known(stores: dict[str, str]) -> None:
    found = findings("processes", stores, BROKER_URL="redis://127.0.0.1:1")
    assert [each.state for each in found] == [State.WARN]
