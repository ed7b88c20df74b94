"""Enqueueing on a real Valkey, and on one that is gone, mute or full."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time

import pytest
import redis
from dramatiq import Message

from script.embedded import Valkey
from webapp import jobs as jobs_module
from webapp.errors import BrokerUnavailable
from webapp.jobs import NAMESPACE, Heartbeats, Jobs
from webapp.secret import Secret

SHORT = jobs_module.REQUEST_TIMEOUT + 0.25


def queued(store: redis.Redis, queue: str) -> list[Message[object]]:
    ids = store.lrange(f"{NAMESPACE}:{queue}", 0, -1)
    texts = store.hmget(f"{NAMESPACE}:{queue}.msgs", ids) if ids else []
    return [Message.decode(str(text).encode()) for text in texts]


def test_a_job_waits_in_its_queue(jobs: Jobs, store: redis.Redis) -> None:
    message_id = jobs.enqueue("look_again", "invalidation", "repo:o/r", 3)
    (message,) = queued(store, "invalidation")
    assert (message.message_id, message.actor_name) == (message_id, "look_again")
    assert message.args == ("repo:o/r", 3)


def test_a_delayed_job_says_when_it_is_due(jobs: Jobs, store: redis.Redis) -> None:
    before = time.time() * 1_000
    jobs.enqueue("look_again", "invalidation", delay_ms=2_000)
    (message,) = queued(store, "invalidation.DQ")
    assert 1_900 < float(message.options["eta"]) - before < 2_500


def test_a_queue_that_nobody_listens_to_is_refused(jobs: Jobs) -> None:
    with pytest.raises(ValueError, match="no such queue"):
        jobs.enqueue("heartbeat", "default")


@pytest.mark.parametrize("delay_ms", [-1, 7 * 86_400_000])
def test_a_delay_that_dramatiq_would_not_keep_is_refused(jobs: Jobs, delay_ms: int) -> None:
    with pytest.raises(ValueError, match="less than 7 days"):
        jobs.enqueue("heartbeat", "upkeep", delay_ms=delay_ms)


def test_the_web_imports_no_worker(broker_url: str) -> None:
    program = (
        "import sys; from webapp.jobs import Jobs; from webapp.secret import Secret; "
        f"Jobs(Secret({broker_url!r})).enqueue('heartbeat', 'upkeep'); "
        "assert not [name for name in sys.modules if name.split('.')[0] == 'workers']"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, timeout=20)


def test_nothing_is_opened_before_it_is_needed(valkey: Valkey, redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        before = client.info("stats")["total_connections_received"]
        Jobs(Secret(redis_url))
        assert client.info("stats")["total_connections_received"] == before


def test_a_forked_child_opens_a_connection_of_its_own(broker_url: str) -> None:
    program = f"""
import os, sys
from webapp.jobs import Jobs
from webapp.secret import Secret
jobs = Jobs(Secret({broker_url!r}))
own = lambda: jobs._client.client_id()
before = own()
child = os.fork()
if not child:
    os._exit(0 if own() != before else 3)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0
assert own() == before
"""
    subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        timeout=20,
        env={**os.environ, "PYTHONPATH": "."},
    )


def test_a_broker_that_is_gone_is_told_at_once(jobs: Jobs, valkey: Valkey) -> None:
    valkey.kill()
    began = time.monotonic()
    with pytest.raises(BrokerUnavailable):
        jobs.enqueue("heartbeat", "upkeep")
    assert time.monotonic() - began < SHORT


def test_a_mute_broker_holds_a_request_a_quarter_of_a_second(jobs: Jobs, valkey: Valkey) -> None:
    jobs.enqueue("heartbeat", "upkeep")
    valkey.pause()
    began = time.monotonic()
    with pytest.raises(BrokerUnavailable):
        jobs.enqueue("heartbeat", "upkeep")
    assert time.monotonic() - began < SHORT


@pytest.mark.alone
def test_a_mute_broker_is_not_waited_for_again(jobs: Jobs, valkey: Valkey) -> None:
    valkey.pause()
    with pytest.raises(BrokerUnavailable):
        jobs.enqueue("heartbeat", "upkeep")
    began = time.monotonic()
    for _ in range(20):
        with pytest.raises(BrokerUnavailable):
            jobs.enqueue("heartbeat", "upkeep")
    assert time.monotonic() - began < 0.1


def test_a_full_broker_is_unavailable(jobs: Jobs, store: redis.Redis) -> None:
    store.config_set("maxmemory-policy", "noeviction")
    store.config_set("maxmemory", "1")
    with pytest.raises(BrokerUnavailable):
        jobs.enqueue("heartbeat", "upkeep")


def test_a_broker_that_returns_is_found_again(
    jobs: Jobs, valkey: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    jobs.enqueue("heartbeat", "upkeep")
    valkey.kill()
    with pytest.raises(BrokerUnavailable):
        jobs.enqueue("heartbeat", "upkeep")
    valkey.start()
    caplog.clear()
    deadline = time.monotonic() + 10
    with caplog.at_level(logging.INFO, logger="webapp"):
        while time.monotonic() < deadline and not caplog.messages:
            try:
                jobs.enqueue("heartbeat", "upkeep")
            except BrokerUnavailable:
                time.sleep(0.05)
    assert caplog.messages == ["the job queue answers again"]


def test_a_restart_between_two_jobs_is_not_noticed(jobs: Jobs, valkey: Valkey) -> None:
    jobs.enqueue("heartbeat", "upkeep")
    valkey.stop()
    valkey.start()
    jobs.enqueue("heartbeat", "upkeep")


def test_an_outage_is_one_line_in_the_log(
    jobs: Jobs, valkey: Valkey, caplog: pytest.LogCaptureFixture
) -> None:
    valkey.kill()
    with caplog.at_level(logging.INFO):
        for _ in range(20):
            with pytest.raises(BrokerUnavailable):
                jobs.enqueue("heartbeat", "upkeep")
    assert len(caplog.messages) == 1
    assert str(valkey.password) not in caplog.text


def test_without_workers_no_heart_beats(jobs: Jobs) -> None:
    assert jobs.heartbeats() == Heartbeats(worker=None, scheduler=None)


def test_heartbeats_of_a_broker_that_is_gone_are_unknown(jobs: Jobs, valkey: Valkey) -> None:
    valkey.kill()
    with pytest.raises(BrokerUnavailable):
        jobs.heartbeats()
