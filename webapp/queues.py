"""What is in the queues, who works them, and dead letters, for operators.

Nothing here looks through the database: each figure is the length of one of Dramatiq's structures
or its head, and workers list themselves.

    waiting     messages of a queue that don't run: some a worker has taken already, up to twice
                its threads, and holds
    oldest      of those that no worker has taken: the head of the list, since it was ready
    delayed     the queue of delayed jobs, whoever holds them
    dead        a sorted set by the moment of death; Dramatiq forgets them after 7 days

- `fw:workers`: a hash, worker -> host, pid, started. A worker counts while its last command, which
  Dramatiq notes, is at most SEEN_WITHIN seconds old.
- `fw:running:<worker>`: a hash, id in Redis -> what runs. They expire.

A dead letter is known by its id in Redis, not by its job's: a job delivered twice may die twice.
Retrying and deleting take it out of the set first, once however many try.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import orjson
from dramatiq import Message
from dramatiq.errors import DecodeError

from webapp.jobs import NAMESPACE, QUEUES, READY, Jobs, script
from webapp.scrub import scrubbed

Client = Any
"""A redis.Redis: as typed, each of its answers could be anything."""

HEARTBEATS = f"{NAMESPACE}:__heartbeats__"
WORKERS = "fw:workers"
SEEN_WITHIN = 60.0
BATCH = 200  # dead letters a command
FORGOTTEN = frozenset(
    {"retries", "traceback", "requeue_timestamp", "eta", "error", "put_off", "unknown", "unique"}
    # Else periodiq would skip it as late.
    | {"scheduled_at"}
)


@dataclass(frozen=True, slots=True)
class Depth:
    """A queue's figures; `oldest` in seconds, None where nothing waits."""

    queue: str
    waiting: int
    running: int
    delayed: int
    dead: int
    oldest: float | None


@dataclass(frozen=True, slots=True)
class Running:
    """An attempt that goes on; `started` in Unix seconds."""

    job: str
    actor: str
    queue: str
    attempt: int
    started: float
    worker: str


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """A worker process; moments in Unix seconds, `seen` that of its last command."""

    id: str
    host: str
    pid: int
    started: float
    seen: float
    running: tuple[Running, ...]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A job that won't be tried again by itself. `failed_at` in Unix seconds; args and error
    have their secrets struck out; `attempts` counts those of its last life."""

    id: str
    job: str
    actor: str
    queue: str
    args: tuple[object, ...]
    error: str
    attempts: int
    enqueued_at: float
    failed_at: float


@dataclass(frozen=True, slots=True)
class State:
    """All of it at one moment."""

    queues: tuple[Depth, ...]
    workers: tuple[WorkerSeen, ...]


def running_key(worker: str) -> str:
    """What a worker lists its attempts under."""
    return f"fw:running:{worker}"


class Queues:
    """The operators' view. Every method raises BrokerUnavailable."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def state(self) -> State:
        """Depths, workers and what they run, in three round trips."""
        with self._reached() as client:
            now = time.time()
            workers = _workers(client, now)
            running = [each for worker in workers for each in worker.running]
            return State(tuple(_depths(client, running, now)), tuple(workers))

    def dead(self, *, limit: int = 100, before: float | None = None) -> list[DeadLetter]:
        """The last to die of all queues, of those that died before a moment (Unix seconds)."""
        last = "+inf" if before is None else f"({before * 1000:f}"
        found: list[DeadLetter] = []
        with self._reached() as client:
            for queue in QUEUES:
                ids = client.zrevrangebyscore(
                    _letters(queue), last, "-inf", start=0, num=limit, withscores=True
                )
                found += _read(client, queue, ids)
        return sorted(found, key=lambda letter: letter.failed_at, reverse=True)[:limit]

    def retry(self, id_: str) -> DeadLetter | None:
        """Put a dead letter back into its queue; None where there is none by that id."""
        return self._take(id_, again=True)

    def delete(self, id_: str) -> DeadLetter | None:
        """Drop a dead letter; None where there is none by that id."""
        return self._take(id_, again=False)

    def retry_all(self) -> int:
        """Put back all that are dead by now; how many."""
        return sum(self.retry(id_) is not None for id_ in list(self._all()))

    def delete_all(self) -> int:
        """Drop all that are dead by now; how many."""
        return sum(self.delete(id_) is not None for id_ in list(self._all()))

    def _reached(self) -> AbstractContextManager[Client]:
        return self._jobs.reached()

    def _take(self, id_: str, *, again: bool) -> DeadLetter | None:
        with self._reached() as client:
            take = script(client, "revive")
            for queue in QUEUES:
                score, data = client.zscore(_letters(queue), id_), _message(client, queue, id_)
                if score is None:
                    continue
                arguments: list[str | bytes] = [id_]
                if again:
                    if data is None:
                        return None  # nobody could do it
                    new = _revived(data)
                    arguments += [new.options["redis_message_id"], new.encode()]
                if not take(keys=[f"{NAMESPACE}:{queue}"], args=arguments):
                    return None  # another was faster
                return _letter(queue, id_, score, data)
        return None

    def _all(self) -> Iterator[str]:
        with self._reached() as client:
            for queue in QUEUES:
                yield from (id_.decode() for id_ in client.zrange(_letters(queue), 0, -1))


def _depths(client: Client, running: Iterable[Running], now: float) -> Iterator[Depth]:
    runs = [each.queue for each in running]
    with client.pipeline(transaction=False) as pipe:
        for queue in QUEUES:
            name = f"{NAMESPACE}:{queue}"
            pipe.lindex(name, 0).hlen(f"{name}.msgs").hlen(f"{name}.DQ.msgs").zcard(f"{name}.XQ")
        found = pipe.execute()
        for at, queue in enumerate(QUEUES):
            pipe.hget(f"{NAMESPACE}:{queue}.msgs", found[at * 4] or "")
        heads = pipe.execute()
    for at, queue in enumerate(QUEUES):
        _, held, delayed, dead = found[at * 4 : at * 4 + 4]
        run = runs.count(queue)
        head = _decoded(heads[at])
        ready = None if head is None else head.options.get(READY, head.message_timestamp) / 1000
        yield Depth(
            queue=queue,
            waiting=max(0, held - run),
            running=run,
            delayed=delayed,
            dead=dead,
            oldest=None if ready is None else max(0.0, now - ready),
        )


def _workers(client: Client, now: float) -> list[WorkerSeen]:
    listed = client.hgetall(WORKERS)
    if not listed:
        return []
    ids = list(listed)
    with client.pipeline(transaction=False) as pipe:
        pipe.zmscore(HEARTBEATS, ids)
        for id_ in ids:
            pipe.hvals(running_key(id_.decode()))
        scores, *attempts = pipe.execute()
    workers = []
    for id_, score, running in zip(ids, scores, attempts, strict=True):
        if score is None or now - score / 1000 > SEEN_WITHIN:
            continue
        name = id_.decode()
        runs = (Running(**orjson.loads(each), worker=name) for each in running)
        workers.append(
            WorkerSeen(
                **orjson.loads(listed[id_]),
                id=name,
                seen=score / 1000,
                running=tuple(sorted(runs, key=lambda each: each.started)),
            )
        )
    return sorted(workers, key=lambda worker: worker.started)


def _letters(queue: str) -> str:
    return f"{NAMESPACE}:{queue}.XQ"


def _read(client: Client, queue: str, ids: list[tuple[bytes, float]]) -> Iterator[DeadLetter]:
    for start in range(0, len(ids), BATCH):
        some = ids[start : start + BATCH]
        held = client.hmget(f"{_letters(queue)}.msgs", [id_ for id_, _ in some])
        for (id_, score), data in zip(some, held, strict=True):
            yield _letter(queue, id_.decode(), score, _decoded(data))


def _message(client: Client, queue: str, id_: str) -> Message[object] | None:
    return _decoded(client.hget(f"{_letters(queue)}.msgs", id_))


def _decoded(data: bytes | None) -> Message[object] | None:
    try:
        return None if data is None else Message.decode(data)
    except DecodeError:
        return None


def _letter(queue: str, id_: str, score: float, message: Message[object] | None) -> DeadLetter:
    failed_at = score / 1000
    if message is None:
        return DeadLetter(id_, "", "", queue, (), "can't be read", 0, failed_at, failed_at)
    args = scrubbed(list(message.args))
    return DeadLetter(
        id=id_,
        job=message.message_id,
        actor=message.actor_name,
        queue=queue,
        args=tuple(args) if isinstance(args, list) else (args,),
        error=str(message.options.get("error", "")),
        attempts=max(1, int(message.options.get("retries", 1))),
        enqueued_at=message.message_timestamp / 1000,
        failed_at=failed_at,
    )


def _revived(message: Message[object]) -> Message[object]:
    """The same job, as if enqueued now: else it would be too old, or have no retry left."""
    now = int(time.time() * 1000)
    kept = {name: value for name, value in message.options.items() if name not in FORGOTTEN}
    return Message(
        queue_name=message.queue_name,
        actor_name=message.actor_name,
        args=message.args,
        kwargs=message.kwargs,
        options={**kept, "redis_message_id": str(uuid4()), READY: now},
        message_id=message.message_id,
        message_timestamp=now,
    )
