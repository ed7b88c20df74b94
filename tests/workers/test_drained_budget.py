"""With the primary budget drained jobs are put off to the reset, and then finish: none sleeps,
none is lost. Real stores, the stand-in's limits, an hour of three seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import dramatiq
import pytest

from script.embedded import Postgres, Valkey
from tests.serving import Forewarm
from tests.standin.process import StandIn
from tests.webapp.lasting import Applications, lasting_applications
from tests.workers.processes import work_off
from webapp.cache.keys import SERVICE, canonical_target
from webapp.errors import OutOfBudget
from webapp.github.asker import Asker
from webapp.github.limits import Lane
from webapp.signals import job_ran
from workers import feeds
from workers.broker import JobBroker

HOUR = 3  # seconds
PATHS = [f"/repos/pallets/{name}" for name in ("flask", "jinja", "click", "werkzeug")]


@pytest.fixture(scope="module")
def applications(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    with lasting_applications(valkey, postgres, standin, "drained") as made:
        yield made


@pytest.fixture
def forewarm(applications: Applications, standin: StandIn) -> Forewarm:
    applications.empty(standin)
    made = applications(WATCH="pallets")
    with made.services.jobs.reached() as client:
        client.flushdb()
    return made


@pytest.fixture
def told() -> Iterator[list[dict[str, Any]]]:
    """What job_ran told."""
    told: list[dict[str, Any]] = []

    def hear(_: object, **values: Any) -> None:
        told.append(values)

    with job_ran.connected_to(hear):
        yield told


@pytest.fixture
def broker(forewarm: Forewarm) -> Iterator[JobBroker]:
    """With the feeds' job, and one that fetches in the warming lane."""
    services = forewarm.services
    broker = JobBroker(services.settings.broker_url)
    feeds.register(broker, services.feeds, services.redelivery, services.refetching)

    @dramatiq.actor(queue_name="upkeep", broker=broker)
    def fetch(path: str) -> None:
        asker = Asker(SERVICE, lane=Lane.WARMING)
        answer = services.client.get(canonical_target(path, "", "", ""), asker, None)
        if answer.limited:
            raise OutOfBudget(time.time() + answer.retry_after, "limit")

    yield broker
    broker.close()


def test_jobs_without_budget_wait_for_the_reset_and_then_finish(
    forewarm: Forewarm, broker: JobBroker, github: StandIn, told: list[dict[str, Any]]
) -> None:
    github.limits(hour=HOUR)
    github.use("forewarm-bot", 5_000)
    drained = time.time()
    jobs = forewarm.services.jobs
    ids = {jobs.enqueue("fetch", "upkeep", path) for path in PATHS}
    ids.add(jobs.enqueue("poll_feeds", "upkeep"))
    work_off(broker)
    put_off = {each["job"] for each in told if each["result"] == "put_off"}
    done = {each["job"]: each for each in told if each["result"] == "done"}
    assert put_off == ids
    assert set(done) == ids
    assert {each["result"] for each in told} == {"put_off", "done"}
    assert {each["attempt"] for each in told} == {1}
    assert max(each["seconds"] for each in told) < HOUR / 2
    waited = time.time() - drained
    print(f"{len(ids)} jobs put off {len(told) - len(ids)} times, done after {waited:.1f} s")
    spent = [seen for seen in github.requests() if seen.status == 403]
    assert len(spent) <= 2  # the rest was refused by the ledger
