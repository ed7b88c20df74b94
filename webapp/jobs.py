"""Enqueue a job by its actor's name; the web never imports workers.

Dramatiq's Redis broker on BROKER_URL. A web request never hangs on it: a quarter of a second for
each command, no retry, and after a failure everyone is refused at once for a second. Jobs may be
delivered twice, so actors are idempotent.

Keys beside Dramatiq's own in the broker's database:
- `fw:heartbeat:worker`, `fw:heartbeat:scheduler`: when each last showed itself, Unix seconds;
  they expire after HEARTBEAT_EXPIRY.
- `fw:tick:<minute, UTC>`: that minute's periodic jobs are enqueued, whoever else may try.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import redis
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker
from redis.backoff import NoBackoff
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

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Heartbeats:
    """Unix seconds; None for one that hasn't shown itself for HEARTBEAT_EXPIRY seconds."""

    worker: float | None
    scheduler: float | None


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


class Jobs:
    """The queues, as a web process sees them. Thread-safe."""

    def __init__(self, broker_url: Secret, *, timeout: float = REQUEST_TIMEOUT) -> None:
        """Connects when first used. `timeout` is in seconds."""
        self._client = client(broker_url, timeout=timeout, connections=CONNECTIONS)
        self._broker = RedisBroker(  # type: ignore[no-untyped-call]
            client=self._client,
            namespace=NAMESPACE,
            middleware=[],
            # Looking for killed workers' jobs scans the database: the workers' own business.
            maintenance_chance=0,
        )
        self._circuit = Circuit(MEMORY)

    def enqueue(
        self, actor_name: str, queue: str, *args: object, delay_ms: int | None = None
    ) -> str:
        """Put a job into `queue`, due after `delay_ms`; its message id.

        `args` are JSON values. Raises BrokerUnavailable, and ValueError for a queue that no
        worker listens to.
        """
        if queue not in QUEUES:
            raise ValueError(f"no such queue: {queue}")
        if delay_ms is not None and not 0 <= delay_ms < MAX_DELAY_MS:
            raise ValueError("a job is delayed by less than 7 days")
        message: Message[object] = Message(
            queue_name=queue, actor_name=actor_name, args=args, kwargs={}, options={}
        )
        self._refuse_while_failing()
        try:
            self._broker.enqueue(message, delay=delay_ms)
        except redis.RedisError as error:
            raise self._failed(error) from error
        self._succeeded()
        return message.message_id

    def heartbeats(self) -> Heartbeats:
        """When worker and scheduler last showed themselves. Raises BrokerUnavailable."""
        self._refuse_while_failing()
        try:
            worker, scheduler = self._client.mget(WORKER_HEARTBEAT, SCHEDULER_HEARTBEAT)
        except redis.RedisError as error:
            raise self._failed(error) from error
        self._succeeded()
        return Heartbeats(
            worker=None if worker is None else float(worker),
            scheduler=None if scheduler is None else float(scheduler),
        )

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        self._client.close()
        self._client.connection_pool.disconnect()

    def _refuse_while_failing(self) -> None:
        if not self._circuit.admits():
            raise BrokerUnavailable("the job queue can't be reached")

    def _failed(self, error: redis.RedisError) -> BrokerUnavailable:
        if self._circuit.failed():
            log.warning("the job queue can't be reached: %s", error)
        return BrokerUnavailable(f"the job queue can't be reached: {error}")

    def _succeeded(self) -> None:
        if self._circuit.succeeded():
            log.info("the job queue answers again")
