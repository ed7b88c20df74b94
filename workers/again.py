"""A job that failed is tried again, unless that was no fault of its own: then it is put off.

    OutOfBudget          back into its queue, due at the reset; no retry is counted, nobody sleeps
    UnknownJob           the same, due in 10 s; after five minutes a dead letter
    any other error      three retries with exponential waits, then a dead letter that says why

A job is acknowledged only once it is enqueued again. Dramatiq acknowledges it all the same where
the broker is away just then, and it would be lost: so a thread waits for the broker here, as
Dramatiq's own threads do to acknowledge.
"""

from __future__ import annotations

import logging
import random
import time
from typing import Any

import redis
from dramatiq import Actor, Broker, Message, MessageProxy
from dramatiq.errors import ConnectionClosed
from dramatiq.middleware import Retries

from webapp.errors import ForewarmError, OutOfBudget
from webapp.jobs import NAMESPACE, UNIQUE, script
from webapp.scrub import scrub

BROKER_AWAY = 0.3  # seconds between looks for it
JITTER = 0.1
"""Of the wait, 30 s at most, is added: those who wait for one reset don't all come at once."""
JITTER_MAX = 30.0
LONGEST = 2 * 3600.0
"""Seconds: no limit of GitHub's lasts longer. Who is told so looks again all the same."""
UNKNOWN_AGAIN_MS = 10_000
UNKNOWN_MOST = 30
"""Times that a job waits for a worker that knows it, as two releases may run side by side."""
ERROR_MAX = 500  # characters

PUT_OFF, UNKNOWN, ERROR = "put_off", "unknown", "error"

log = logging.getLogger(__name__)


class UnknownJob(ForewarmError):
    """Of another release, or of none."""


PUTS_OFF = (OutOfBudget, UnknownJob)
"""What is no fault of the job: it is put off, or `message.failed` after too many times."""


class Again(Retries):
    """Retries, and putting off to the reset."""

    def before_declare_actor(self, broker: Broker, actor: Actor[Any, Any]) -> None:  # noqa: ARG002
        """Being put off is no fault: one line in the log, without a traceback."""
        actor.options.setdefault("throws", PUTS_OFF)

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: Any = None,
        exception: BaseException | None = None,
    ) -> None:
        """Enqueue it again, or leave it failed."""
        if exception is None:
            return
        again = _Surely(broker)
        if isinstance(exception, OutOfBudget):
            delay = wait_for(exception.retry_at, time.time(), random.random())  # noqa: S311
            times = message.options.get(PUT_OFF, 0) + 1
            log.info("%s is put off for %d s: %s", message.actor_name, delay, exception)
            again.enqueue(message.copy(options={PUT_OFF: times}), delay=int(delay * 1000))
            return
        # A retry waits by itself: whoever enqueues the same meanwhile gets a job without the wait.
        message.options.pop(UNIQUE, None)
        if isinstance(exception, UnknownJob):
            times = message.options.get(UNKNOWN, 0) + 1
            if times <= UNKNOWN_MOST:
                log.info("a job waits for a worker that knows it: %s", exception)
                again.enqueue(message.copy(options={UNKNOWN: times}), delay=UNKNOWN_AGAIN_MS)
                return
        message.options[ERROR] = said(exception)
        super().after_process_message(  # type: ignore[no-untyped-call]
            again, message, result=result, exception=exception
        )

    def before_nack(self, broker: Broker, message: MessageProxy) -> None:
        """The dead letter is what was enqueued: let it say what it died of."""
        if ERROR not in message.options and message._exception is not None:
            message.options[ERROR] = said(message._exception)
        _without_secrets(message)
        client: redis.Redis = broker.client  # type: ignore[attr-defined]
        key = f"{NAMESPACE}:{message.queue_name}.msgs"
        try:
            script(client, "explain")(
                keys=[key], args=[message.options["redis_message_id"], message.encode()]
            )
        except redis.RedisError as error:
            log.debug("a dead letter doesn't say why: %s", error)


def wait_for(retry_at: float, now: float, chance: float) -> float:
    """Seconds to put a job off for; `chance` from 0 to 1."""
    wait = min(max(0.0, retry_at - now), LONGEST)
    return wait + chance * min(JITTER_MAX, max(1.0, wait * JITTER))


def said(exception: BaseException) -> str:
    """An error as a dead letter has it, on one line: its kind and words, secrets struck out."""
    words = " ".join(str(exception).split())
    kind = type(exception).__name__
    return scrub(f"{kind}: {words}" if words else kind)[:ERROR_MAX]


def _without_secrets(message: MessageProxy | Message[Any]) -> None:
    """Of the traceback that Dramatiq keeps with a job."""
    if "traceback" in message.options:
        message.options["traceback"] = scrub(message.options["traceback"])


class _Surely:
    """A broker whose `enqueue` comes back when the job is enqueued."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def get_actor(self, name: str) -> Actor[Any, Any]:
        return self._broker.get_actor(name)

    def enqueue(self, message: MessageProxy | Message[Any], *, delay: int) -> None:
        _without_secrets(message)
        told = False
        while True:
            try:
                self._broker.enqueue(message, delay=delay)  # type: ignore[arg-type]
            except ConnectionClosed as error:
                if not told:
                    log.warning("a job waits to be enqueued again: %s", error)
                    told = True
                time.sleep(BROKER_AWAY)
            else:
                return
