"""HTTP/1.1 itself: keep-alive, pipelining, chunks, and bytes that are no request."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator

import pytest

from tests.standin.accounts import SERVICE_TOKEN
from tests.standin.process import StandIn

Address = tuple[str, int]


@pytest.fixture
def address(github: StandIn) -> Address:
    host, _, port = github.url.removeprefix("http://").partition(":")
    return host, int(port)


@pytest.fixture
def raw(address: Address) -> Iterator[socket.socket]:
    with socket.create_connection(address, timeout=5) as plain:
        yield plain


def read_until_closed(plain: socket.socket) -> bytes:
    found = b""
    while data := plain.recv(65_536):
        found += data
    return found


def head(path: str, *more: str) -> bytes:
    lines = [f"GET {path} HTTP/1.1", "Host: x", "User-Agent: x", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def test_a_connection_is_kept_alive(address: Address) -> None:
    connection = http.client.HTTPConnection(*address, timeout=5)
    ports = set()
    for _ in range(3):
        connection.request("GET", "/meta", headers={"User-Agent": "x"})
        connection.getresponse().read()
        ports.add(connection.sock.getsockname()[1])
    connection.close()

    assert len(ports) == 1


def test_pipelined_requests_are_answered_in_order(raw: socket.socket) -> None:
    raw.sendall(head("/orgs/psf") + head("/nowhere") + head("/meta", "Connection: close"))

    found = read_until_closed(raw)

    statuses = [line for line in found.split(b"\r\n") if b"HTTP/1.1 " in line]
    assert [line[-3:] for line in statuses] == [b" OK", b"und", b" OK"]


def test_a_request_may_come_in_pieces(raw: socket.socket) -> None:
    for byte in head("/meta", "Connection: close"):
        raw.sendall(bytes([byte]))

    assert read_until_closed(raw).startswith(b"HTTP/1.1 200 OK")


def test_a_chunked_body_is_read(address: Address) -> None:
    connection = http.client.HTTPConnection(*address, timeout=5)
    body = json.dumps({"title": "In pieces"}).encode()
    connection.request(
        "POST",
        "/repos/initech/website/issues",
        body=iter([body[:5], body[5:]]),
        headers={"User-Agent": "x", "Authorization": f"token {SERVICE_TOKEN}"},
        encode_chunked=True,
    )
    answer = connection.getresponse()
    found = json.loads(answer.read())
    connection.close()

    assert (answer.status, found["title"]) == (201, "In pieces")


@pytest.mark.parametrize(
    "bytes_sent",
    [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"x" * 70_000],
    ids=["request line", "header", "endless head"],
)
def test_bytes_that_are_no_request_are_400(raw: socket.socket, bytes_sent: bytes) -> None:
    raw.sendall(bytes_sent)

    assert read_until_closed(raw).startswith(b"HTTP/1.1 400 Bad Request")


def test_http_1_0_closes(raw: socket.socket) -> None:
    raw.sendall(b"GET /meta HTTP/1.0\r\nUser-Agent: x\r\n\r\n")

    assert b"Connection: close" in read_until_closed(raw)
