"""A request's body, whole or not at all, read by a quarter of the threads at most (shares.py).

Servers end a body that is cut short like a whole one: half a write must never reach GitHub. How
long a body may take is for the proxy in front to say, which has it whole before we are asked: WSGI
can't give up a read, and a thread that reads for another stops granian when the request ends.
"""

from __future__ import annotations

import io

import orjson
from flask import request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.wsgi import get_input_stream

from webapp.errors import RequestRefused
from webapp.shares import Shares


def read_body(shares: Shares, limit: int) -> bytes:
    """A write's whole body, of at most `limit` bytes; views may read it again.

    Raises RequestRefused (400, 413), WaitedTooLong.
    """
    announced = request.content_length
    if (announced or 0) > limit:
        raise _too_large()
    if announced == 0:
        return b""
    # A chunked body announces no length, and what exceeds the limit would be cut off in silence.
    stream = get_input_stream(request.environ, max_content_length=limit + 1)
    try:
        with shares.reading_body():
            body = stream.read()
    except RequestEntityTooLarge:
        raise _too_large() from None
    except (ClientDisconnected, OSError):
        raise _cut_short() from None
    if len(body) > limit:
        raise _too_large()
    if announced is not None and len(body) < announced:
        raise _cut_short()
    if announced is None and request.is_json and body and not _is_json(body):
        raise _cut_short()
    request.environ["wsgi.input"] = io.BytesIO(body)
    request.environ["wsgi.input_terminated"] = True
    return body


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
