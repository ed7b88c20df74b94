"""What workers count, and the job that rolls it up."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.webapp.telemetry.measured import Measured
from tests.workers.processes import Process, wait_for, work_off
from webapp.jobs import Jobs
from workers import metrics
from workers.broker import JobBroker

HEARTBEATS = ("jobs_total", "upkeep", "heartbeat", "done")


@pytest.fixture
def measured(redis_url: str, database_url: str) -> Iterator[Measured]:
    made = Measured(redis_url, database_url)
    yield made
    made.close()


def test_a_worker_that_ends_has_delivered_what_it_counted(
    worker: Process, jobs: Jobs, redis_url: str
) -> None:
    for _ in range(3):
        jobs.enqueue("heartbeat", "upkeep", unique=False)
    with jobs.reached() as client:
        wait_for(lambda: not client.exists("forewarm-jobs:upkeep.msgs"), "all jobs done")
    worker.terminate()
    measured = Measured(redis_url)
    assert measured.ever(*HEARTBEATS) == 4
    assert measured.ever("job_duration_seconds", "heartbeat") == 4
    measured.close()


def test_the_job_rolls_up_what_was_counted(
    broker: JobBroker, jobs: Jobs, measured: Measured
) -> None:
    metrics.register(broker, measured.rollup)
    process = measured.process()
    process.counts.add("purges_total", "soft", "list", number=5)
    process.deliver()
    measured.clock.now += 90
    jobs.enqueue("roll_up_metrics", "upkeep")
    work_off(broker)
    with measured.database.connection() as conn:
        assert conn.execute("select count from metric_minutes").fetchall() == [(5,)]


def test_without_postgresql_it_is_left_to_the_next_minute(
    broker: JobBroker, jobs: Jobs, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = Measured(redis_url)
    metrics.register(broker, nowhere.rollup)
    jobs.enqueue("roll_up_metrics", "upkeep")
    with caplog.at_level(logging.WARNING):
        work_off(broker)
    (line,) = (each for each in caplog.records if each.name == "workers.metrics")
    assert line.getMessage().startswith("metrics are left to the next minute: ")
    nowhere.close()
