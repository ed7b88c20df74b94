"""Bodies as clients without gzip get them, unpacked once for each fill and not for each read.

A fill's id belongs to one body for ever, so nothing here is ever untrue; it is only bounded.
"""

from __future__ import annotations

import threading

from webapp.cache.entry import Entry

LIMIT = 16 * 1024 * 1024  # bytes


class Unpacked:
    """One per process; `body` is the hit path."""

    def __init__(self, limit: int = LIMIT) -> None:
        """`limit` is in bytes."""
        self._limit = limit
        self._bodies: dict[str, bytes] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def body(self, entry: Entry) -> bytes:
        """An entry's body without its coding."""
        if not entry.gzipped:
            return entry.body
        held = self._bodies.get(entry.fill_id)
        if held is not None:
            return held
        body = entry.identity()
        if entry.fill_id and len(body) <= self._limit // 16:
            with self._lock:
                self._keep(entry.fill_id, body)
        return body

    def _keep(self, fill_id: str, body: bytes) -> None:
        if fill_id in self._bodies:
            return
        self._bodies[fill_id] = body
        self._bytes += len(body)
        while self._bytes > self._limit:
            self._bytes -= len(self._bodies.pop(next(iter(self._bodies))))
