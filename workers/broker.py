"""Dramatiq's Redis broker, as workers and scheduler need it.

Three retries, a day's age at most, dead letters kept for a week. What Redis can't do is always a
lost connection to Dramatiq, which then tries again: left as they are, time-outs and refused
writes end its consumer threads for good, silently. An idle worker looks for jobs every 100 ms.
A worker that is told to stop finishes its jobs, however often it is told. Of what a worker has
taken, the most urgent queue's jobs come first. A job that only another release knows is left to
that release's workers.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import redis
from dramatiq import Actor, Broker, Message, Middleware
from dramatiq.broker import Consumer
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import ConnectionClosed
from dramatiq.middleware import (
    AgeLimit,
    Callbacks,
    CurrentMessage,
    ShutdownNotifications,
    TimeLimit,
)
from periodiq import PeriodiqMiddleware

from webapp.jobs import NAMESPACE, QUEUES, READY, Enqueue, client, placed
from webapp.queues import HEARTBEATS, SEEN_WITHIN, WORKERS
from webapp.secret import Secret
from workers.again import Again, UnknownJob
from workers.attempts import Attempts

IDLE_POLL_MS = 100
TIMEOUT = 5.0
# Commands are short: some connections serve all consumers and threads of a process.
CONNECTIONS = 3
MAX_RETRIES = 3
MIN_BACKOFF_MS = 5_000
MAX_BACKOFF_MS = 5 * 60_000
MAX_AGE_MS = 86_400_000
TIME_LIMIT_MS = 10 * 60_000
DEAD_LETTERS_KEPT_MS = 7 * 86_400_000
# A killed worker's jobs are redelivered after this.
WORKER_TIMEOUT_MS = 30_000
STOPPING = (signal.SIGTERM, signal.SIGHUP)
# One command in so many looks for killed workers' jobs in its queue; an idle worker sends some 13 a
# second to each. It is cheap while none are dead.
MAINTENANCE_EVERY = 100


class JobBroker(RedisBroker):
    """The queues, as a worker sees them."""

    def __init__(self, url: Secret) -> None:
        """Connects when first used."""
        super().__init__(  # type: ignore[no-untyped-call]
            client=client(url, timeout=TIMEOUT, connections=CONNECTIONS),
            namespace=NAMESPACE,
            heartbeat_timeout=WORKER_TIMEOUT_MS,
            dead_message_ttl=DEAD_LETTERS_KEPT_MS,
            maintenance_chance=1_000_000 // MAINTENANCE_EVERY,
            middleware=_middleware(),
        )
        self._consumed: set[str] = set()
        self._declaring = threading.Lock()
        self._put = Enqueue(self.client)
        self._started = time.time()
        for queue in QUEUES:
            self.declare_queue(queue)

    def declare_actor(self, actor: Actor[Any, Any]) -> None:
        """As Dramatiq's own; among what a worker has taken, lower numbers come first."""
        actor.priority = actor.priority or QUEUES.index(actor.queue_name)
        super().declare_actor(actor)

    def get_actor(self, actor_name: str) -> Actor[Any, Any]:
        """Never ActorNotFound, which would make a dead letter of another release's job: what this
        one doesn't know is put off (again.py), and taken then perhaps by a worker that knows it.
        """
        with self._declaring:
            if actor_name not in self.actors:
                Actor(
                    partial(_unknown, actor_name),
                    broker=self,
                    actor_name=actor_name,
                    queue_name=QUEUES[-1],
                    priority=len(QUEUES),
                    options={},
                )
            return super().get_actor(actor_name)

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """As the web's (webapp.jobs); `delay` is in ms. Raises ConnectionClosed.

        A delayed job that is due now insists: the one that has its claim may wait for longer.
        """
        own = placed(message, delay)
        self.emit_before("enqueue", own, delay)
        try:
            self._put(own, insist=delay is None and READY in message.options)
        except redis.RedisError as error:
            raise _lost(error) from None
        self.emit_after("enqueue", own, delay)
        return own

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5_000) -> Consumer:
        """As Dramatiq's own, looking often, and taking up again what an outage made it drop."""
        if queue_name.endswith(".DQ"):
            if queue_name in self._consumed:
                self._return_dropped(queue_name)
        elif queue_name == QUEUES[0]:
            self._show_up()
        self._consumed.add(queue_name)
        return super().consume(queue_name, prefetch, min(timeout, IDLE_POLL_MS))

    def close(self) -> None:
        """Close the connections; the next use opens new ones."""
        self.client.connection_pool.disconnect()

    def _return_dropped(self, queue_name: str) -> None:
        """Dramatiq forgets all delayed jobs it holds when it loses the connection.

        To Redis they stay taken by this worker, as long as it lives.
        """
        taken = f"{self.namespace}:__acks__.{self.broker_id}.{queue_name}"
        try:
            dropped = self.client.smembers(taken)
        except redis.RedisError as error:
            raise _lost(error) from None
        if dropped:
            self.do_requeue(queue_name, *dropped)

    def _show_up(self) -> None:
        """List this worker, and strike the dead off, at the start and after each outage.

        That it lives Dramatiq notes with every command.
        """
        said = {"host": socket.gethostname(), "pid": os.getpid(), "started": self._started}
        try:
            self.client.hset(WORKERS, self.broker_id, json.dumps(said))
            gone = (time.time() - SEEN_WITHIN) * 1000
            alive = set(self.client.zrangebyscore(HEARTBEATS, gone, "+inf"))
            own = self.broker_id.encode()
            dead = set(self.client.hkeys(WORKERS)) - alive - {own}
            if dead:
                self.client.hdel(WORKERS, *dead)
        except redis.RedisError as error:
            raise _lost(error) from None

    def _dispatch(self, command: str) -> Callable[..., Any]:
        dispatch = super()._dispatch(command)  # type: ignore[no-untyped-call]

        def run(queue_name: str, *args: object) -> object:
            try:
                return dispatch(queue_name, *args)
            except redis.RedisError as error:
                raise _lost(error) from None

        return run


class StopOnce(Middleware):
    """Takes the first signal to stop and ignores its repeats.

    Dramatiq's worker process takes a second one as an order to drop its jobs, and gets one from
    any platform that signals each process: its parent passes on what it got itself.
    """

    def after_process_boot(self, broker: Broker) -> None:  # noqa: ARG002 - Dramatiq's signature
        """In each worker process, where Dramatiq's own handlers stand by now."""
        first = threading.Lock()
        for number in STOPPING:
            signal.signal(number, _once(signal.getsignal(number), first))


def _unknown(name: str, *_: object, **__: object) -> None:
    raise UnknownJob(f"this release has no {name}")


def _once(handler: Any, first: threading.Lock) -> Callable[[int, FrameType | None], None]:
    def handle(number: int, frame: FrameType | None) -> None:
        # A repeat may come in the midst of this: what tells them apart must be one step.
        if first.acquire(blocking=False):
            handler(number, frame)

    return handle


def _lost(error: redis.RedisError) -> ConnectionClosed:
    return ConnectionClosed(error)  # type: ignore[no-untyped-call]


def _middleware() -> list[Middleware]:
    return [
        AgeLimit(max_age=MAX_AGE_MS),
        ShutdownNotifications(),
        StopOnce(),
        Callbacks(),
        CurrentMessage(),
        PeriodiqMiddleware(skip_delay=MAX_AGE_MS // 1000),  # upkeep.tick takes up late ones
        # What comes later here hears first how a job ended: a job's time is stopped, then it is
        # enqueued again, then what became of it is told.
        Attempts(),
        Again(max_retries=MAX_RETRIES, min_backoff=MIN_BACKOFF_MS, max_backoff=MAX_BACKOFF_MS),
        TimeLimit(time_limit=TIME_LIMIT_MS),
    ]
