"""A request's body, whole and in time, or not at all.

By a quarter of the threads at most (shares.py). A body that stops coming would keep its place for
as long as its sender likes, and four such senders would keep every webhook out: so another thread
reads, and whoever asked waits no longer than PATIENCE and a byte in RATE allow. Servers end a body
that is cut short like a whole one: half a write must never reach GitHub.
"""

from __future__ import annotations

import io
import threading
import time
from typing import IO

import orjson
from flask import request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.wsgi import get_input_stream

from webapp.errors import RequestRefused
from webapp.shares import Shares

PATIENCE = 5.0  # seconds without a byte
RATE = 50_000  # bytes a second, from then on
PIECE = 64 * 1024  # bytes


def read_body(shares: Shares, limit: int) -> bytes:
    """A write's whole body, of at most `limit` bytes; views may read it again.

    Raises RequestRefused (400, 408, 413), WaitedTooLong.
    """
    announced = request.content_length
    if (announced or 0) > limit:
        raise _too_large()
    if announced == 0:
        return b""
    # A chunked body announces no length, and what exceeds the limit would be cut off in silence.
    stream = get_input_stream(request.environ, max_content_length=limit + 1)
    with shares.reading_body():
        body = _Reading(stream).whole()
    if len(body) > limit:
        raise _too_large()
    if announced is not None and len(body) < announced:
        raise _cut_short()
    if announced is None and request.is_json and body and not _is_json(body):
        raise _cut_short()
    request.environ["wsgi.input"] = io.BytesIO(body)
    request.environ["wsgi.input_terminated"] = True
    return body


class _Reading:
    """A thread of its own that reads, and ends with the connection at the latest."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._pieces: list[bytes] = []
        self._many = 0
        self._failed: HTTPException | OSError | None = None
        self._ended = threading.Event()

    def whole(self) -> bytes:
        """What came. Raises RequestRefused (400, 408, 413)."""
        threading.Thread(target=self._read, name="body", daemon=True).start()
        began = time.monotonic()
        while (left := began + PATIENCE + self._many / RATE - time.monotonic()) > 0:
            if self._ended.wait(left):
                break
        else:
            raise RequestRefused(408, "The body comes too slowly.", Connection="close")
        if isinstance(self._failed, RequestEntityTooLarge):
            raise _too_large()
        if self._failed is not None:
            raise _cut_short()
        return b"".join(self._pieces)

    def _read(self) -> None:
        try:
            while piece := self._stream.read(PIECE):
                self._pieces.append(piece)
                self._many += len(piece)
        except (HTTPException, OSError) as error:
            self._failed = error
        finally:
            self._ended.set()


def _is_json(body: bytes) -> bool:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True


def _too_large() -> RequestRefused:
    return RequestRefused(413, "The body is too large.")


def _cut_short() -> RequestRefused:
    return RequestRefused(400, "The body is cut short or malformed.")
