"""Bytes to a real server over a raw socket, and its answer: for what no HTTP client would send."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson

TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """`status` 0 where the server closed without a word."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def message(self) -> str:
        """What an error of GitHub's shape says; '' for any other body."""
        try:
            return str(orjson.loads(self.body)["message"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return ""


def exchange(url: str, *parts: bytes, method: str = "GET") -> RawAnswer:
    """Send the parts as they are to the server of `url`, and read one answer."""
    server = urlsplit(url)
    with socket.create_connection((server.hostname or "", server.port or 80), TIMEOUT) as sock:
        for part in parts:
            try:
                sock.sendall(part)
            except (BrokenPipeError, ConnectionResetError):
                break  # it has answered before it was told everything
        answer = http.client.HTTPResponse(sock, method=method)
        try:
            answer.begin()
            return RawAnswer(answer.status, answer.headers, answer.read())
        except (http.client.HTTPException, ConnectionResetError):
            return RawAnswer(0, http.client.HTTPMessage(), b"")
        finally:
            answer.close()


def ask(
    url: str,
    target: bytes,
    *lines: bytes,
    method: bytes = b"GET",
    host: bytes | None = None,
    body: bytes = b"",
) -> RawAnswer:
    """One request: its target as it stands, further header lines; Host is the server's own."""
    own = urlsplit(url).netloc.encode() if host is None else host
    head = [method + b" " + target + b" HTTP/1.1", b"Host: " + own, b"Connection: close", *lines]
    if body:
        head.append(b"Content-Length: %d" % len(body))
    return exchange(url, b"\r\n".join(head) + b"\r\n\r\n" + body, method=method.decode())


def chunked(chunks: Iterable[bytes]) -> bytes:
    """A body in Transfer-Encoding: chunked."""
    framed = [b"%x\r\n%s\r\n" % (len(each), each) for each in chunks if each]
    return b"".join(framed) + b"0\r\n\r\n"
