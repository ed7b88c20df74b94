"""A transaction for each job, in the trace of who enqueued it: retries and delays keep that one.

Outermost of the middleware: begins before all else of a job, and ends when everything about it has
been told (attempts.py). A job's arguments are never recorded.
"""

from __future__ import annotations

from typing import Any

from dramatiq import Broker, Message, MessageProxy, Middleware, Worker

from webapp.jobs import TRACE
from webapp.telemetry.tracing.apm import Agent, carried
from workers.again import PUTS_OFF


class Tracing(Middleware):
    """One per broker; a job begins and ends in one thread."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._present: dict[str, Any] = {}

    def before_enqueue(self, broker: Broker, message: Message[Any], delay: int | None) -> None:  # noqa: ARG002
        """A child continues its parent's trace."""
        if TRACE not in message.options and (trace := carried()):
            message.options[TRACE] = trace

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        """It starts."""
        trace = message.options.get(TRACE) or {}
        self._present[message.options["redis_message_id"]] = self._agent.begin(
            "messaging", message.actor_name, trace
        )

    def after_process_message(
        self,
        broker: Broker,  # noqa: ARG002
        message: MessageProxy,
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,
    ) -> None:
        """It ended. Being put off is no failure."""
        failed = exception is not None and (message.failed or not isinstance(exception, PUTS_OFF))
        if failed and exception is not None:
            self._agent.failed(exception, handled=True)
        self._end(message, failed=failed)

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:  # noqa: ARG002
        """It never started."""
        self._end(message, failed=message.failed)

    def after_worker_shutdown(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        """Hand over what is left: a worker's process may end without its exit handlers."""
        self._agent.close()

    def _end(self, message: MessageProxy, *, failed: bool) -> None:
        transaction = self._present.pop(message.options["redis_message_id"], None)
        if transaction is not None:
            self._agent.end(transaction, transaction.result or "", failed=failed)
