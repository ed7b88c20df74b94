"""Enqueue a job by its actor's name; the web never imports workers.

Dramatiq's layout in Redis, on BROKER_URL. A web request never hangs on it: a quarter of a second
for each command, no retry, and after a failure everyone is refused at once for a second. Jobs may
be delivered twice, so actors are idempotent.

A job is unique while it is queued: who enqueues the same actor with the same arguments gets the
id of the one that waits. The claim is released when the job starts, before it looks at anything,
so what changes from then on gets a job of its own; and it counts only while its message is in the
queue, so no crash leaves one behind that keeps jobs out (lua/enqueue.lua). Jobs with a delay are
each due at a moment of their own, and not unique unless that is asked for.

Keys beside Dramatiq's own in the broker's database:
- `fw:heartbeat:worker`, `fw:heartbeat:scheduler`: when each last showed itself, Unix seconds;
  they expire after HEARTBEAT_EXPIRY.
- `fw:unique:<hash>`: the claim of a queued job.
- `fw:workers`, `fw:running:<worker>`: see queues.py.
- `fw:tick`: the last minute whose periodic jobs are enqueued, since 1970.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import redis
from dramatiq import Message
from dramatiq.common import dq_name
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from webapp.db.circuit import Circuit
from webapp.errors import BrokerUnavailable
from webapp.secret import Secret

NAMESPACE = "forewarm-jobs"
# Most urgent first.
QUEUES = ("invalidation", "warming", "upkeep")

WORKER_HEARTBEAT = "fw:heartbeat:worker"
SCHEDULER_HEARTBEAT = "fw:heartbeat:scheduler"
HEARTBEAT_EXPIRY = 180

REQUEST_TIMEOUT = 0.25
MEMORY = 1.0
# Enqueueing takes well under a millisecond: two connections are enough for a process's threads.
CONNECTIONS = 2
# Dramatiq's own limit.
MAX_DELAY_MS = 7 * 86_400_000
# Beyond a job's delay: as old as a job may become (workers/broker.py).
CLAIM_MS = 86_400_000

# Options of a message: its claim's key; when it was, or is, ready to start, in Unix ms.
UNIQUE, READY = "unique", "ready_at"
TRACE = "trace"  # the trace that a job continues, as W3C's headers

_LUA = Path(__file__).parent / "lua"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Heartbeats:
    """Unix seconds; None for one that hasn't shown itself for HEARTBEAT_EXPIRY seconds."""

    worker: float | None
    scheduler: float | None


@dataclass(frozen=True, slots=True)
class Guard:
    """Jobs are enqueued only where `key` has the value `held` ('' for none); it gets `value`."""

    key: str
    held: str
    value: str


def client(url: Secret, *, timeout: float, connections: int) -> redis.Redis:
    """A client that connects when first used, after a fork too, and never retries by itself.

    `timeout` bounds, in seconds, each command, each connect, and the wait for one of the
    `connections`. TLS verification is part of the URL.
    """
    pool = redis.BlockingConnectionPool.from_url(
        url.reveal(),
        max_connections=connections,
        timeout=timeout,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        socket_keepalive=True,
        retry=Retry(NoBackoff(), 0),
    )
    return redis.Redis(connection_pool=pool)


def script(client: redis.Redis, name: str) -> Script:
    """lua/<name>.lua, for this client to run."""
    return client.register_script(_text(name))


@cache
def _text(name: str) -> str:
    return (_LUA / f"{name}.lua").read_text(encoding="utf-8")


def message_of(
    actor_name: str,
    queue: str,
    args: Sequence[object] = (),
    *,
    delay_ms: int | None = None,
    unique: bool | None = None,
    **options: object,
) -> Message[object]:
    """A job as `Enqueue` takes it. ValueError for a queue or a delay that no worker would keep."""
    if queue not in QUEUES:
        raise ValueError(f"no such queue: {queue}")
    if delay_ms is not None and not 0 <= delay_ms < MAX_DELAY_MS:
        raise ValueError("a job is delayed by less than 7 days")
    if unique or (unique is None and delay_ms is None):
        options[UNIQUE] = unique_key(actor_name, args)
    message: Message[object] = Message(
        queue_name=queue, actor_name=actor_name, args=tuple(args), kwargs={}, options=options
    )
    return placed(message, delay_ms)


def unique_key(actor_name: str, args: Sequence[object]) -> str:
    """The key of the claim of a queued job; `args` are JSON values."""
    said = orjson.dumps([actor_name, args], option=orjson.OPT_SORT_KEYS)
    return f"fw:unique:{hashlib.blake2b(said, digest_size=16).hexdigest()}"


def placed(message: Message[Any], delay_ms: int | None) -> Message[Any]:
    """A copy with an id in Redis of its own, in the queue of delayed jobs where it must wait."""
    now = int(time.time() * 1000)
    options: dict[str, object] = {"redis_message_id": str(uuid4())}
    if delay_ms is None:
        # A delayed job that is due now keeps the moment at which it was.
        options[READY] = min(now, message.options.get(READY, now))
        return message.copy(options=options)
    due = now + delay_ms
    return message.copy(
        queue_name=dq_name(message.queue_name), options={**options, READY: due, "eta": due}
    )


class Enqueue:
    """The one way into the queues: all of some jobs or none, and each once."""

    def __init__(self, client: redis.Redis) -> None:
        self._script = script(client, "enqueue")

    def __call__(
        self, *messages: Message[Any], guard: Guard | None = None, insist: bool = False
    ) -> list[str] | None:
        """Ids of what is queued now, the same or another's; None where the guard refuses.

        `insist` enqueues even what another job has the claim to. Raises redis.RedisError.
        """
        keys = [NAMESPACE, guard.key if guard else ""]
        arguments: list[str | bytes | int] = [guard.held, guard.value] if guard else ["", ""]
        for each in messages:
            life = CLAIM_MS + max(0, each.options[READY] - int(time.time() * 1000))
            arguments += [each.queue_name, str(each.options["redis_message_id"]), each.message_id]
            arguments += [each.encode(), each.options.get(UNIQUE, ""), life]
            arguments += ["insist" if insist else "yield"]
        queued = self._script(keys=keys, args=arguments)
        return None if queued is None else [bytes(each).decode() for each in queued]


class Jobs:
    """The queues, as a web process sees them. Thread-safe."""

    def __init__(
        self,
        broker_url: Secret,
        *,
        timeout: float = REQUEST_TIMEOUT,
        carrying: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """Connects when first used. `timeout` is in seconds; `carrying` gives what a job is to
        know of who enqueued it, in its option TRACE."""
        self._carrying = carrying
        self._client = client(broker_url, timeout=timeout, connections=CONNECTIONS)
        self._enqueue = Enqueue(self._client)
        self._circuit = Circuit(MEMORY)

    def enqueue(
        self,
        actor_name: str,
        queue: str,
        *args: object,
        delay_ms: int | None = None,
        unique: bool | None = None,
    ) -> str:
        """Put a job into `queue`, due after `delay_ms`; its message id.

        The id is another's where the same job is queued already and it is `unique`, which jobs
        without a delay are unless told otherwise. `args` are JSON values. Raises
        BrokerUnavailable, and ValueError for a queue that no worker listens to.
        """
        carried = self._carrying()
        options = {TRACE: dict(carried)} if carried else {}
        message = message_of(actor_name, queue, args, delay_ms=delay_ms, unique=unique, **options)
        with self.reached():
            queued = self._enqueue(message)
        assert queued
        return queued[0]

    def heartbeats(self) -> Heartbeats:
        """When worker and scheduler last showed themselves. Raises BrokerUnavailable."""
        with self.reached() as client:
            worker, scheduler = client.mget(WORKER_HEARTBEAT, SCHEDULER_HEARTBEAT)
        return Heartbeats(
            worker=None if worker is None else float(worker),
            scheduler=None if scheduler is None else float(scheduler),
        )

    @contextmanager
    def reached(self) -> Iterator[redis.Redis]:
        """The client, for commands; BrokerUnavailable at once while it failed a moment ago."""
        if not self._circuit.admits():
            raise BrokerUnavailable("the job queue can't be reached")
        try:
            yield self._client
        except redis.RedisError as error:
            raise self._failed(error) from error
        if self._circuit.succeeded():
            log.info("the job queue answers again")

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        self._client.close()
        self._client.connection_pool.disconnect()

    def _failed(self, error: redis.RedisError) -> BrokerUnavailable:
        if self._circuit.failed():
            log.warning("the job queue can't be reached: %s", error)
        return BrokerUnavailable(f"the job queue can't be reached: {error}")
