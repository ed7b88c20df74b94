"""The agent's transports: each event goes to the local sink and, fit to be seen, to an APM server
where one is set. The sink makes fit what it keeps, which is little.

What a request does here is to put an event into a bounded queue; one thread does the rest. What is
too much, or can't be sent, is dropped and counted, and said once when it begins and once when it
ends. The end of the process waits for it a second, not ten.
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
from webapp.telemetry.events import presentable

if TYPE_CHECKING:
    from gzip import GzipFile

QUEUE_MAX = 5_000  # events
CLOSING = 1.0  # seconds
TRIES = 1  # beside the first; urllib3's own three are three time-outs

log = logging.getLogger(__name__)


class Sink(Protocol):
    """Where events go besides. Called by the transport's thread; never blocks, never raises."""

    def offer(self, kind: str, event: Mapping[str, Any]) -> None:
        """Take an event of kind transaction, span, error or metricset, as it is, or leave it."""

    def stop(self) -> None:
        """No event comes any more."""


class _Tee(base.Transport):
    """Bounded, counted, and quick to wake: at each transaction's end, which follows its spans."""

    _event_queue: ChilledQueue
    _thread: Any

    def queue(self, event_type: str, data: Any, flush: bool = False) -> None:  # noqa: ARG002
        """Never blocks. An unhandled error doesn't force a POST of its own."""
        self._flushed.clear()
        try:
            self._event_queue.put(
                (event_type, data, False), block=False, chill=event_type == "span"
            )
        except queue.Full:
            self.client.dropped += 1

    def _init_event_queue(self, chill_until: int, max_chill_time: float) -> ChilledQueue:  # noqa: ARG002
        # No wake-up for a span alone.
        return ChilledQueue(maxsize=QUEUE_MAX, chill_until=chill_until, max_chill_time=60.0)

    def _process_event(self, event_type: str, data: Any) -> dict[str, Any] | None:
        data = super()._process_event(event_type, data)  # type: ignore[no-untyped-call]
        if data is None:
            return None
        self.client.sink.offer(event_type, data)
        return self._fit(data)

    def _fit(self, data: Mapping[str, Any]) -> dict[str, Any] | None:
        """What is sent of an event."""
        return presentable(data)

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
        self.queue("close", None)
        if not self._flushed.wait(CLOSING):
            log.warning("the APM server is too slow: what it hasn't got is dropped")


class LocalOnly(_Tee):
    """No APM server: nothing is serialised, compressed or sent, nobody is asked for anything."""

    def __init__(self, url: str, **settings: Any) -> None:  # noqa: ARG002 - the agent's signature
        super().__init__(settings["client"], processors=settings["processors"])

    def _fit(self, data: Mapping[str, Any]) -> None:  # noqa: ARG002
        return None

    def send(self, data: object, forced_flush: bool = False) -> None:
        """Nothing ever comes here."""

    def get_config(self, *_: object, **__: object) -> tuple[None, None, int]:
        """None, and none is coming."""
        return None, None, 300


class ServerToo(_Tee, http.Transport):
    """An APM server is set. Down, slow or refusing: its agent's back-off, and one line."""

    def __init__(self, url: str, **settings: Any) -> None:
        super().__init__(url, **settings)
        self._pool_kwargs["retries"] = TRIES
        self._unsent = 0

    def _process_event(self, event_type: str, data: Any) -> dict[str, Any] | None:
        shown = super()._process_event(event_type, data)
        self._unsent += shown is not None
        return shown

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

    def handle_transport_success(self, **_: object) -> None:
        """As the agent's own; says when it works again."""
        if self.state.did_fail():
            log.info("the APM server takes events again; %d were dropped", self.client.unsent)
        super().handle_transport_success()

    def handle_transport_fail(self, exception: Exception | None = None, **_: object) -> None:
        """As the agent's own, with a line the first time only."""
        if not self.state.did_fail():
            log.warning("the APM server can't be reached: %s", scrub(str(exception)))
        self.state.set_fail()
