"""The queues of a test's own Redis, for the web's side and the workers' alike."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from webapp.jobs import Jobs
from webapp.secret import Secret


@pytest.fixture
def broker_url(redis_url: str) -> str:
    """The next database of the test's Redis, as BROKER_URL's default is."""
    return redis_url.removesuffix("/0") + "/1"


@pytest.fixture
def jobs(broker_url: str) -> Iterator[Jobs]:
    """The queues as a web process sees them."""
    jobs = Jobs(Secret(broker_url))
    yield jobs
    jobs.close()


@pytest.fixture
def store(broker_url: str) -> Iterator[redis.Redis]:
    """What lies in the queues' database."""
    with redis.Redis.from_url(broker_url, decode_responses=True) as client:
        yield client
