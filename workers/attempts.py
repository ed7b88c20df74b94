"""Every attempt at a job: listed while it runs, its claim released, its end told by `job_ran`.

    done      put_off (no budget, or another release's)      retried
    dead      (no retry left, too old, or nobody's)          skipped (a late tick)

One line each in the log. Nothing here can fail a job: where the broker is away at its start, a
thread waits, for a claim that outlived the start would keep out who enqueues the same.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from typing import Any

import redis
from dramatiq import Broker, MessageProxy, Middleware, Worker

from webapp.jobs import READY, UNIQUE, script
from webapp.queues import WORKERS, running_key
from webapp.signals import job_ran
from workers.again import BROKER_AWAY, PUTS_OFF

LISTED_MS = 15 * 60_000
"""Longer than any job may run (broker.TIME_LIMIT_MS): what a killed worker ran isn't listed for
ever."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Attempt:
    number: int
    began: float
    delay: float | None


class Attempts(Middleware):
    """One per broker; its threads' jobs by their ids in Redis."""

    def __init__(self) -> None:
        self._present: dict[str, _Attempt] = {}

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """It starts."""
        now = time.time()
        ready = message.options.get(READY)
        self._present[message.options["redis_message_id"]] = _Attempt(
            number=attempt_of(message),
            began=time.perf_counter(),
            delay=None if ready is None else max(0.0, now - ready / 1000),
        )
        shown = {
            "job": message.message_id,
            "actor": message.actor_name,
            "queue": message.queue_name,
            "attempt": attempt_of(message),
            "started": now,
        }
        _start(broker, message, json.dumps(shown))

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: Any = None,  # noqa: ARG002 - Dramatiq's signature
        exception: BaseException | None = None,
    ) -> None:
        """It ended, and Again has decided what comes of it."""
        if exception is None:
            outcome = "done"
        elif message.failed:
            outcome = "dead"
        else:
            outcome = "put_off" if isinstance(exception, PUTS_OFF) else "retried"
        self._tell(broker, message, outcome)

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        """It never started: too old, or a tick that came late."""
        self._tell(broker, message, "dead" if message.failed else "skipped")

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        """It stops listening; what it still runs stays listed until it ends."""
        try:
            _client(broker).hdel(WORKERS, _id(broker))
        except redis.RedisError as error:
            log.debug("a worker that ends stays listed for a while: %s", error)

    def _tell(self, broker: Broker, message: MessageProxy, outcome: str) -> None:
        id_ = message.options["redis_message_id"]
        attempt = self._present.pop(id_, None)
        seconds = 0.0 if attempt is None else time.perf_counter() - attempt.began
        number = attempt_of(message) if attempt is None else attempt.number
        delay = None if attempt is None else attempt.delay
        log.info(
            "job %s %s: %s, attempt %d, %.0f ms%s",
            *(message.actor_name, message.message_id, outcome, number, seconds * 1000),
            "" if delay is None else f", started after {delay * 1000:.0f} ms",
        )
        job_ran.send(
            self,
            job=message.message_id,
            queue=message.queue_name,
            actor=message.actor_name,
            result=outcome,
            seconds=seconds,
            attempt=number,
            start_delay=delay,
        )
        if attempt is not None:
            try:
                _client(broker).hdel(running_key(_id(broker)), id_)
            except redis.RedisError as error:
                log.debug("a job that ended stays listed for a while: %s", error)


def attempt_of(message: MessageProxy) -> int:
    """1 for the first; being put off isn't counted."""
    return int(message.options.get("retries", 0)) + 1


def _start(broker: Broker, message: MessageProxy, shown: str) -> None:
    keys = [running_key(_id(broker)), message.options.get(UNIQUE, "")]
    arguments = [message.options["redis_message_id"], shown, LISTED_MS, message.message_id]
    start = script(_client(broker), "start")
    while True:
        try:
            start(keys=keys, args=arguments)
        except redis.RedisError as error:
            log.warning("a job waits to start: the queue can't be reached: %s", error)
            time.sleep(BROKER_AWAY)
        else:
            return


def _client(broker: Broker) -> redis.Redis:
    client: redis.Redis = broker.client  # type: ignore[attr-defined]
    return client


def _id(broker: Broker) -> str:
    return str(broker.broker_id)  # type: ignore[attr-defined]
