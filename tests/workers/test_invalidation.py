"""The second look: a job of the web's, done by a real worker, in the cache's Redis."""

from __future__ import annotations

import redis

from tests.workers.processes import Process, wait_for
from webapp.cache.keys import tag_key
from webapp.jobs import Jobs


def test_a_purge_is_done_again_by_a_worker(worker: Process, jobs: Jobs, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as cache:
        cache.set(tag_key("repo:a/b"), "hard.soft")
        jobs.enqueue(
            "purge_again", "invalidation", ["repo:a/b"], "mutation", "/repos/a/b", delay_ms=100
        )

        def purged_softly() -> bool:
            held = bytes(cache.get(tag_key("repo:a/b")) or b"")
            return held.startswith(b"hard.") and held != b"hard.soft"

        wait_for(purged_softly, "the second look")
    assert worker.popen.poll() is None
