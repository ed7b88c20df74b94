"""What operators see of the queues, and their hands on dead letters, on a real Valkey."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from dramatiq import Message

from webapp.jobs import NAMESPACE, QUEUES, Jobs
from webapp.queues import HEARTBEATS, SEEN_WITHIN, WORKERS, Queues, running_key

TOKEN = "ghp_" + "a" * 36


@pytest.fixture
def queues(jobs: Jobs) -> Queues:
    return Queues(jobs)


def dead(store: redis.Redis, id_: str, queue: str = "upkeep", **fields: Any) -> None:
    """A dead letter as Dramatiq leaves it."""
    message = Message[object](
        queue_name=queue,
        actor_name="fail",
        args=fields.pop("args", ("pallets", 3)),
        kwargs={},
        options={"redis_message_id": id_, "retries": 4, "error": "ValueError: always", **fields},
        message_id=f"job-{id_}",
        message_timestamp=1_000,
    )
    store.hset(f"{NAMESPACE}:{queue}.XQ.msgs", id_, message.encode().decode())
    store.zadd(f"{NAMESPACE}:{queue}.XQ", {id_: time.time() * 1000})


def waiting(store: redis.Redis, queue: str = "upkeep") -> list[Message[object]]:
    ids = store.lrange(f"{NAMESPACE}:{queue}", 0, -1)
    texts = store.hmget(f"{NAMESPACE}:{queue}.msgs", ids) if ids else []
    return [Message.decode(str(text).encode()) for text in texts]


def test_an_empty_queue_has_no_oldest_job(queues: Queues) -> None:
    found = queues.state().queues
    assert [each.queue for each in found] == list(QUEUES)
    assert {(each.waiting, each.delayed, each.dead, each.oldest) for each in found} == {
        (0, 0, 0, None)
    }


def test_a_queues_depth_counts_what_waits_and_what_is_delayed(jobs: Jobs, queues: Queues) -> None:
    for number in range(3):
        jobs.enqueue("nobody", "upkeep", number)
    jobs.enqueue("nobody", "upkeep", delay_ms=60_000)
    found = {each.queue: each for each in queues.state().queues}["upkeep"]
    assert (found.waiting, found.running, found.delayed) == (3, 0, 1)


def test_the_oldest_job_is_as_old_as_it_has_been_ready(
    jobs: Jobs, queues: Queues, store: redis.Redis
) -> None:
    jobs.enqueue("nobody", "upkeep", 1)
    (message,) = waiting(store)
    moved = message.copy(options={"ready_at": (time.time() - 90) * 1000})
    id_ = message.options["redis_message_id"]
    store.hset(f"{NAMESPACE}:upkeep.msgs", id_, moved.encode().decode())
    jobs.enqueue("nobody", "upkeep", 2)
    oldest = {each.queue: each for each in queues.state().queues}["upkeep"].oldest
    assert oldest is not None
    assert 90 <= oldest < 95


def test_a_worker_that_sends_no_command_is_not_seen(queues: Queues, store: redis.Redis) -> None:
    said = json.dumps({"host": "h", "pid": 1, "started": 1.0})
    store.hset(WORKERS, mapping={"alive": said, "dead": said})
    now = time.time() * 1000
    store.zadd(HEARTBEATS, {"alive": now, "dead": now - SEEN_WITHIN * 1000 - 1})
    attempt = {"job": "j", "actor": "a", "queue": "upkeep", "attempt": 1, "started": 2.0}
    for worker in ("alive", "dead"):
        store.hset(running_key(worker), "r", json.dumps(attempt))
    (seen,) = queues.state().workers
    assert (seen.id, [each.job for each in seen.running]) == ("alive", ["j"])


def test_a_dead_letter_tells_what_it_was_and_what_it_died_of(
    queues: Queues, store: redis.Redis
) -> None:
    dead(store, "one")
    (letter,) = queues.dead()
    assert (letter.id, letter.job, letter.actor) == ("one", "job-one", "fail")
    assert (letter.args, letter.error, letter.attempts) == (("pallets", 3), "ValueError: always", 4)
    assert abs(letter.failed_at - time.time()) < 5


def test_a_dead_letters_secrets_are_struck_out(queues: Queues, store: redis.Redis) -> None:
    dead(store, "one", args=("pallets", {"with": f"Bearer {TOKEN}"}))
    assert TOKEN not in repr(queues.dead())


def test_dead_letters_of_all_queues_are_told_the_last_first(
    queues: Queues, store: redis.Redis
) -> None:
    for number, queue in enumerate(QUEUES):
        dead(store, f"d{number}", queue)
        store.zadd(f"{NAMESPACE}:{queue}.XQ", {f"d{number}": 1_000 * (number + 1)})
    assert [each.id for each in queues.dead(limit=2)] == ["d2", "d1"]
    assert [each.id for each in queues.dead(before=2.0)] == ["d0"]


def test_a_retried_letter_is_queued_as_if_enqueued_now(queues: Queues, store: redis.Redis) -> None:
    dead(store, "one", scheduled_at="2026-01-01", unique="fw:unique:x", eta=5)
    assert queues.retry("one")
    (message,) = waiting(store)
    assert (message.message_id, message.args) == ("job-one", ("pallets", 3))
    assert set(message.options) == {"redis_message_id", "ready_at"}
    assert abs(message.message_timestamp / 1000 - time.time()) < 5
    assert queues.dead() == []


def test_a_letter_is_taken_once_however_many_try(queues: Queues, store: redis.Redis) -> None:
    for name in "abcde":
        dead(store, name)
    with ThreadPoolExecutor(8) as pool:
        tries = [
            pool.submit(act, name)
            for name in "abcde"
            for act in (queues.retry, queues.delete, queues.retry, queues.delete)
        ]
    taken = [each.result() for each in tries if each.result()]
    assert sorted(each.id for each in taken if each) == list("abcde")
    assert len(waiting(store)) <= 5
    assert not store.exists(f"{NAMESPACE}:upkeep.XQ", f"{NAMESPACE}:upkeep.XQ.msgs")


def test_all_letters_are_retried(queues: Queues, store: redis.Redis) -> None:
    for number, queue in enumerate(QUEUES):
        dead(store, f"d{number}", queue)
    assert queues.retry_all() == 3
    assert [len(waiting(store, queue)) for queue in QUEUES] == [1, 1, 1]


def test_all_letters_are_deleted(queues: Queues, store: redis.Redis) -> None:
    for number, queue in enumerate(QUEUES):
        dead(store, f"d{number}", queue)
    assert queues.delete_all() == 3
    assert (queues.dead(), waiting(store)) == ([], [])


def test_a_letter_that_cant_be_read_is_shown_and_not_retried(
    queues: Queues, store: redis.Redis
) -> None:
    store.hset(f"{NAMESPACE}:upkeep.XQ.msgs", "odd", "{")
    store.zadd(f"{NAMESPACE}:upkeep.XQ", {"odd": 1_000})
    assert [each.error for each in queues.dead()] == ["can't be read"]
    assert queues.retry("odd") is None
    assert queues.delete("odd")
