"""Later looks: jobs of the web's, done by a real worker, in the cache's Redis."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from tests.workers.processes import Process, wait_for
from webapp.cache.keys import tag_key
from webapp.jobs import Jobs


@pytest.mark.parametrize(
    "job",
    [
        ("purge_again", ["repo:a/b"], "mutation", "/repos/a/b"),
        ("look", "a-delivery", 1, ["repo:a/b"], "push a-delivery"),
    ],
    ids=["of a write", "of a delivery"],
)
def test_a_second_look_is_taken_by_a_worker(
    worker: Process, jobs: Jobs, redis_url: str, job: tuple[Any, ...]
) -> None:
    actor, *arguments = job
    with redis.Redis.from_url(redis_url) as cache:
        cache.set(tag_key("repo:a/b"), "hard.soft")
        jobs.enqueue(actor, "invalidation", *arguments, delay_ms=100)

        def purged_softly() -> bool:
            held = bytes(cache.get(tag_key("repo:a/b")) or b"")
            return held.startswith(b"hard.") and held != b"hard.soft"

        wait_for(purged_softly, "the second look")
    assert worker.popen.poll() is None
