"""HTTP/1.1 over asyncio, written by hand because the stand-in has to break it on purpose.

One thread, one event loop: all behaviour sees one state and needs no locks. Keep-alive, pipelining
(answered in order), Content-Length and chunked request bodies; no TLS, no trailers.
"""

from __future__ import annotations

import asyncio
import http
import socket
import struct
from collections.abc import Callable
from typing import cast

from tests.standin.message import Reply, Request

MAX_HEAD = 64 * 1024
MAX_BODY = 32 * 1024 * 1024

Handler = Callable[[Request], Reply]
REASONS = {status.value: status.phrase for status in http.HTTPStatus}


class BadRequest(ValueError):
    """The bytes are no HTTP/1.1 request."""


class Connection(asyncio.Protocol):
    """One client's connection: parses, asks the handler, writes as the reply's manner says."""

    def __init__(self, handler: Handler, open_connections: set[Connection]) -> None:
        self._handler = handler
        self._open = open_connections
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._busy = False
        self._keep_alive = True
        self._on_done: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._peer = str(peer[0]) if peer else ""
        self._open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        self._finish()
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._advance()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _advance(self) -> None:
        if self._busy or self._transport is None or self._transport.is_closing():
            return
        try:
            request = self._take_request()
        except BadRequest as error:
            self._keep_alive = False
            self._write(Reply(400, [("Content-Type", "text/plain")], str(error).encode()), "GET")
            return
        if request is None:
            return
        self._busy = True
        reply = self._handler(request)
        self._on_done = reply.on_done
        if reply.delay > 0:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(reply.delay, self._write, reply, request.method)
        else:
            self._write(reply, request.method)

    def _take_request(self) -> Request | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD:
                raise BadRequest("request head too long")
            return None
        lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            raise BadRequest("malformed request line")
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon:
                raise BadRequest("malformed header")
            name = name.lower()
            value = value.strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        found = self._take_body(end + 4, headers)
        if found is None:
            if headers.get("expect", "").lower() == "100-continue" and self._transport:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        body, after = found
        del self._buffer[:after]
        connection = headers.get("connection", "").lower()
        self._keep_alive = (
            "close" not in connection if words[2] == "HTTP/1.1" else "keep-alive" in connection
        )
        return Request(words[0], words[1], headers, body, self._peer)

    def _take_body(self, start: int, headers: dict[str, str]) -> tuple[bytes, int] | None:
        """The body and the index after it, or None while it is incomplete."""
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self._take_chunks(start)
        try:
            length = int(headers.get("content-length", "0"))
        except ValueError:
            raise BadRequest("malformed Content-Length") from None
        if not 0 <= length <= MAX_BODY:
            raise BadRequest("body too long")
        if len(self._buffer) < start + length:
            return None
        return bytes(self._buffer[start : start + length]), start + length

    def _take_chunks(self, at: int) -> tuple[bytes, int] | None:
        body = bytearray()
        while True:
            line_end = self._buffer.find(b"\r\n", at)
            if line_end < 0:
                return None
            try:
                size = int(bytes(self._buffer[at:line_end]).split(b";")[0], 16)
            except ValueError:
                raise BadRequest("malformed chunk") from None
            at = line_end + 2
            if len(self._buffer) < at + size + 2:
                return None
            if size == 0:
                return bytes(body), at + 2
            body += self._buffer[at : at + size]
            if len(body) > MAX_BODY:
                raise BadRequest("body too long")
            at += size + 2

    def _write(self, reply: Reply, method: str) -> None:
        self._timer = None
        transport = self._transport
        if transport is None or reply.manner == "black_hole":
            return  # A black hole ends when the client gives up and closes.
        if reply.manner == "reset":
            plain = transport.get_extra_info("socket")
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()
            return
        bodiless = reply.status in (204, 304) or reply.status < 200
        length = len(reply.body) + (64 if reply.manner == "wrong_length" else 0)
        lines = [f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in reply.headers]
        if not bodiless:
            lines.append(f"Content-Length: {length}")
        broken = reply.manner in ("truncated", "wrong_length")
        if broken or not self._keep_alive:
            lines.append("Connection: close")
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
        body = b"" if bodiless or method == "HEAD" else reply.body
        if reply.manner == "truncated":
            body = body[: len(body) // 2]
        transport.write(head + body)
        self._finish()
        if broken or not self._keep_alive:
            transport.close()
            return
        self._busy = False
        if self._buffer:  # Pipelined; by way of the loop, so that the stack stays flat.
            asyncio.get_running_loop().call_soon(self._advance)

    def _finish(self) -> None:
        done, self._on_done = self._on_done, None
        if done is not None:
            done()
