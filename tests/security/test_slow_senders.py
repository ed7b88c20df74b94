"""Connections that send slowly, or not at all: nobody else waits for them."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
import requests

from script.embedded import Postgres, Valkey
from tests.serving import API_KEY, Server, serve
from tests.standin.process import StandIn
from tests.webapp.lasting import lasting_environ

THREADS = 8
SIGNATURE = "sha256=" + "0" * 64
"""Of the right shape: without one nothing is read."""
POST = "POST /webhooks/github HTTP/1.1\r\nHost: {host}\r\nX-Hub-Signature-256: {signature}\r\n"


@pytest.fixture(scope="module")
def server(
    valkey: Valkey, postgres: Postgres, standin: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("slow") / "server.log"
    more = {"WEB_THREADS": str(THREADS), "GITHUB_WEBHOOK_SECRET": "a secret for tests"}
    with (
        lasting_environ(valkey, postgres, standin, "slow") as environ,
        serve({**environ, **more}, log) as running,
    ):
        yield running


def opened(server: Server, text: str) -> socket.socket:
    address = urlsplit(server.url)
    sock = socket.create_connection((address.hostname or "", address.port or 80), 5)
    sock.sendall(text.format(host=address.netloc, signature=SIGNATURE).encode())
    return sock


def webhook(server: Server) -> int:
    headers = {"X-Hub-Signature-256": SIGNATURE}
    return requests.post(
        f"{server.url}/webhooks/github", b"{}", headers=headers, timeout=10
    ).status_code


def test_bodies_that_never_come_keep_out_other_bodies_alone(server: Server) -> None:
    """While they are sent: only a proxy that waits for the whole of them can give them up."""
    with ExitStack() as senders:
        for _ in range(THREADS):
            senders.enter_context(opened(server, POST + "Content-Length: 1000\r\n\r\n"))
        deadline = time.monotonic() + 10
        while webhook(server) != 503:
            assert time.monotonic() < deadline, "they took no place"
        path = f"{server.api}/repos/pallets/flask"
        headers = {"Authorization": f"Bearer {API_KEY}"}
        for _ in range(5):
            assert requests.get(path, headers=headers, timeout=5).status_code == 200
    while webhook(server) != 401:
        assert time.monotonic() < deadline, "they have gone, and their places are still taken"


def test_headers_that_never_end_take_no_thread(server: Server) -> None:
    path = f"{server.api}/repos/pallets/flask"
    headers = {"Authorization": f"Bearer {API_KEY}"}
    with ExitStack() as senders:
        for _ in range(10 * THREADS):
            senders.enter_context(opened(server, "GET / HTTP/1.1\r\nHost: {host}\r\nX-A: "))
        for _ in range(5):
            assert requests.get(path, headers=headers, timeout=5).status_code == 200


def test_an_unsigned_body_is_refused_unread(server: Server) -> None:
    unsigned = POST.partition("X-Hub")[0] + "Content-Length: 20000000\r\n\r\n"
    with opened(server, unsigned) as sock:
        sock.settimeout(5)
        assert sock.recv(100).startswith(b"HTTP/1.1 401 ")
