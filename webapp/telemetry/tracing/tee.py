"""The agent's transports: each event goes to the local sink as it is, and to an APM server, fit to
be seen, where one is set. Neither waits for the other.

What a request does here is to put an event into bounded queues; the server's is one thread's
business. What is too much for it, or can't be sent, is dropped and counted, and said once when it
begins and once when it ends. The end of the process waits for it a second, not ten.
"""

from __future__ import annotations

import logging
import os
import queue
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from elasticapm.transport import base, http
from elasticapm.transport.base import ChilledQueue

from webapp.scrub import scrub
from webapp.telemetry.tracing.events import presentable

if TYPE_CHECKING:
    from gzip import GzipFile

QUEUE_MAX = 5_000  # events
CLOSING = 1.0  # seconds
TRIES = 1  # beside the first; urllib3's own three are three time-outs

log = logging.getLogger(__name__)


class Sink(Protocol):
    """Where events go besides. Called by any thread; never blocks, never raises."""

    def offer(self, kind: str, event: Mapping[str, Any]) -> None:
        """Take an event of kind transaction, span, error or metricset, as it is, or leave it.

        It isn't to be changed: the server's thread reads it too.
        """

    def stop(self) -> None:
        """No event comes any more."""


class LocalOnly(base.Transport):
    """No APM server: no thread, nothing serialised or sent, and nobody is asked for anything."""

    def __init__(self, url: str, **settings: Any) -> None:  # noqa: ARG002 - the agent's signature
        super().__init__(settings["client"])

    def queue(self, event_type: str, data: Any, flush: bool = False) -> None:  # noqa: ARG002
        """To the sink alone."""
        self.client.sink.offer(event_type, data)

    def start_thread(self, pid: int | None = None) -> None:
        """None is needed."""
        super(base.Transport, self).start_thread(pid)

    def get_config(self, *_: object, **__: object) -> tuple[None, None, int]:
        """None, and none is coming."""
        return None, None, 300


class ServerToo(http.Transport):
    """An APM server is set. Down, slow or refusing: its agent's back-off, and one line."""

    _event_queue: ChilledQueue
    _thread: Any

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **settings)
        self._pool_kwargs["retries"] = TRIES
        self._unsent = 0

    def queue(self, event_type: str, data: Any, flush: bool = False) -> None:  # noqa: ARG002
        """Never blocks. An unhandled error doesn't force a POST of its own."""
        self.client.sink.offer(event_type, data)
        self._flushed.clear()
        try:
            # A span alone wakes nobody: its transaction follows.
            self._event_queue.put(
                (event_type, data, False), block=False, chill=event_type == "span"
            )
        except queue.Full:
            self.client.dropped += 1

    def _init_event_queue(self, chill_until: int, max_chill_time: float) -> ChilledQueue:  # noqa: ARG002
        return ChilledQueue(maxsize=QUEUE_MAX, chill_until=chill_until, max_chill_time=60.0)

    def _process_event(self, event_type: str, data: Any) -> dict[str, Any] | None:
        data = super()._process_event(event_type, data)  # type: ignore[no-untyped-call]
        if data is None:
            return None
        self._unsent += 1
        return presentable(data)

    def _write_metadata(self, buffer: GzipFile) -> None:
        metadata: Any = presentable(self._metadata or {})
        self._metadata = metadata
        super()._write_metadata(buffer)

    def _flush(self, buffer: GzipFile, forced_flush: bool = False) -> None:
        if self.state.should_try():
            super()._flush(buffer, forced_flush)
        else:
            buffer.close()  # it failed a moment ago
        if self.state.did_fail():
            self.client.unsent += self._unsent
        self._unsent = 0

    def handle_fork(self) -> None:
        """In a child, and at the start: what is queued is the parent's to send."""
        self._event_queue = self._init_event_queue(500, 1.0)
        super().handle_fork()

    def close(self) -> None:
        """Send what is left, within CLOSING seconds."""
        if self._closed or not self._thread or self._thread.pid != os.getpid():
            return
        self._closed = True
        super().handle_fork()  # connections of its own: others may be closed by now
        self._flushed.clear()
        try:
            self._event_queue.put(("close", None, False), timeout=CLOSING / 2, chill=False)
        except queue.Full:
            ended = False
        else:
            ended = self._flushed.wait(CLOSING)
        if not ended:
            log.warning("the APM server is too slow: what it hasn't got is dropped")

    def handle_transport_success(self, **_: object) -> None:
        """As the agent's own; says when it works again."""
        if self.state.did_fail():
            dropped = self.client.unsent + self.client.dropped
            log.info("the APM server takes events again; %d were dropped", dropped)
        super().handle_transport_success()

    def handle_transport_fail(self, exception: Exception | None = None, **_: object) -> None:
        """As the agent's own, with a line the first time only."""
        if not self.state.did_fail():
            log.warning("the APM server can't be reached: %s", scrub(str(exception)))
        self.state.set_fail()
