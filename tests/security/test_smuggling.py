"""One request on the wire is one request to us: shapes that two servers in a row read differently,
by raw socket to the Procfile's server and to gunicorn.

Hidden in each lies a read of HIDDEN. A server that refuses, or closes, never lets it out; where a
shape has only one honest reading, a request behind it is a second one and is answered.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from script.embedded import Postgres, Valkey
from tests.serving import API_KEY, serve
from tests.standin.accounts import ALICE_TOKEN
from tests.standin.process import StandIn
from tests.webapp.lasting import lasting_environ
from tests.webapp.test_servers import gunicorn

KEY = b"Authorization: Bearer " + API_KEY.encode()
ALICE = b"Authorization: Bearer " + ALICE_TOKEN.encode()
HIDDEN = "/repos/psf/requests"
DETAIL = b"/api/v3/repos/pallets/flask"
ISSUES = b"/api/v3/repos/initech/shared/issues"
SECOND = 0.15  # seconds for a second answer, once the first is there


@dataclass(frozen=True)
class Servers:
    """Both, over one set of stores."""

    urls: dict[str, str]
    github: StandIn


@pytest.fixture(scope="module")
def servers(
    valkey: Valkey, postgres: Postgres, standin: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Servers]:
    logs = tmp_path_factory.mktemp("smuggling")
    with lasting_environ(valkey, postgres, standin, "smuggling") as environ, ExitStack() as both:
        settings = {**environ, "GITHUB_WEBHOOK_SECRET": "a secret for tests"}
        urls = {
            name: both.enter_context(start(settings, logs / name)).url
            for name, start in (("granian", serve), ("gunicorn", gunicorn))
        }
        yield Servers(urls, standin)
        # gunicorn's errors of a broken chunk are its own, and come to Flask as bugs: a logged 500.
        assert "Traceback" not in (logs / "granian").read_text()


@pytest.fixture(autouse=True)
def nothing_asked(servers: Servers) -> None:
    servers.github.reset()


def statuses(url: str, data: bytes) -> list[int]:
    """Of every answer to these bytes, 100 left out."""
    server = urlsplit(url)
    netloc = server.netloc.encode()
    said = b""
    with (
        socket.create_connection((server.hostname or "", server.port or 80), 5) as sock,
        suppress(OSError),  # refused before it was told everything, or nothing more comes
    ):
        sock.sendall(data.replace(b"<host>", netloc))
        while piece := sock.recv(65_536):
            said += piece
            if b"\r\n\r\n" in said:
                sock.settimeout(SECOND)
    found = [int(each) for each in re.findall(rb"HTTP/1\.[01] (\d+)", said)]
    return [each for each in found if each != 100]


READ = b"GET " + HIDDEN.encode().join([b"/api/v3", b" HTTP/1.1\r\nHost: <host>\r\n"])
READ += KEY + b"\r\n\r\n"
POST = b"POST /webhooks/github HTTP/1.1\r\nHost: <host>\r\n"
POST += b"X-Hub-Signature-256: sha256=" + b"0" * 64 + b"\r\n"  # without one nothing is read
GET = b"GET " + DETAIL + b" HTTP/1.1\r\nHost: <host>\r\n" + KEY + b"\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
LENGTH = b"Content-Length: %d\r\n"
READS = len(READ.replace(b"<host>", b"127.0.0.1:12345"))
"""Bytes of the hidden read, as long as a port has five digits."""

HIDING = {
    "length before chunks": POST + LENGTH % (5 + READS) + CHUNKED + b"\r\n0\r\n\r\n",
    "chunks before length": POST + CHUNKED + LENGTH % 4 + b"\r\n%x\r\n" % READS,
    "two lengths": POST + LENGTH % 2 + LENGTH % (2 + READS) + b"\r\n{}",
    "a read with a length": GET + LENGTH % READS + b"\r\n",
    "a read in chunks": GET + CHUNKED + b"\r\n%x\r\n" % READS,
    "a refused write": b"POST /nope HTTP/1.1\r\nHost: <host>\r\n" + LENGTH % READS + b"\r\n",
    "a key's write": POST.replace(b"/webhooks/github", ISSUES) + KEY + b"\r\n" + LENGTH % READS
    + b"\r\n",
    "chunks in HTTP/1.0": POST.replace(b"1.1", b"1.0") + CHUNKED + b"\r\n2\r\n{}\r\n0\r\n\r\n",
}  # fmt: skip
ENCODINGS = [
    b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding : chunked",
    b"Transfer-Encoding: chunked, identity",
    b"Transfer-Encoding: identity",
    b"Transfer-Encoding:\tchunked",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    b"Transfer-Encoding\r\n : chunked",
    b"X: y\r\n Transfer-Encoding: chunked",
    b"Transfer-Encoding: \x0bchunked",
    b"Transfer-Encoding: cHuNkEd",
    b'Transfer-Encoding: "chunked"',
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer_Encoding: chunked",
]
LENGTHS = [b"+2", b"0x2", b"2, 2", b"2,9", b"2a", b"-0", b"1_0", b"\xb2", b"99999999999999999999"]
CHUNKS = [b"-2\r\n{}\r\n", b"0x2\r\n{}\r\n", b"2\r\n{}XX", b"2;\n{}\r\n", b"ffffffffffffffff1\r\n"]

SHAPES = {
    **HIDING,
    **{repr(each): POST + each + b"\r\n" + LENGTH % (5 + READS) + b"\r\n0\r\n\r\n"
       for each in ENCODINGS},
    **{f"length {each!r}": POST + b"Content-Length: " + each + b"\r\n\r\n{}" for each in LENGTHS},
    **{f"chunk {each!r}": POST + CHUNKED + b"\r\n" + each + b"0\r\n\r\n" for each in CHUNKS},
}  # fmt: skip


@pytest.mark.parametrize("server", ["granian", "gunicorn"])
@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_hidden_in_another_request_is_never_read(
    servers: Servers, server: str, shape: str
) -> None:
    answered = statuses(servers.urls[server], SHAPES[shape] + READ)
    assert len(answered) <= 1
    assert server == "gunicorn" or not {500, 502, 503} & set(answered)
    assert HIDDEN not in {each.path for each in servers.github.requests()}


@pytest.mark.parametrize("server", ["granian", "gunicorn"])
@pytest.mark.parametrize(
    "first",
    [
        GET + b"\r\n",
        POST + LENGTH % 2 + b"\r\n{}",
        POST + CHUNKED + b"\r\n2;a=b\r\n{}\r\n0\r\n\r\n",
    ],
    ids=["read", "length", "chunk extension"],
)
def test_a_second_request_of_ones_own_is_answered(
    servers: Servers, server: str, first: bytes
) -> None:
    assert len(statuses(servers.urls[server], first + READ)) == 2


REFUSED = {
    "folded line": GET + b"X: a\r\n b\r\n\r\n",
    "bare CR": GET + b"X: a\rb\r\n\r\n",
    "tab for a blank": GET.replace(b"GET ", b"GET\t") + b"\r\n",
    "two blanks": GET.replace(b"GET ", b"GET  ") + b"\r\n",
    "blank in front": b" " + GET + b"\r\n",
    "HTTP/0.9": b"GET " + DETAIL + b"\r\n\r\n",
    "second host by a bare LF": GET + b"X: a\nHost: evil.example\r\n\r\n",
}


@pytest.mark.parametrize("server", ["granian", "gunicorn"])
@pytest.mark.parametrize("shape", REFUSED)
def test_what_is_not_http_is_refused(servers: Servers, server: str, shape: str) -> None:
    assert statuses(servers.urls[server], REFUSED[shape]) == [400]
    assert servers.github.count() == 0


WRITE = b"POST " + ISSUES + b" HTTP/1.1\r\nHost: <host>\r\n" + ALICE + b"\r\n"
WRITE += b"Content-Type: application/json\r\n"
CUT = {
    "by its length": WRITE + LENGTH % 40 + b'\r\n{"title":"a"}',
    "between chunks": WRITE + CHUNKED + b'\r\n9\r\n{"title":\r\n',
    "by a broken chunk": WRITE + CHUNKED + b'\r\n9\r\n{"title":\r\nZZ\r\n',
}


@pytest.mark.parametrize("server", ["granian", "gunicorn"])
@pytest.mark.parametrize("cut", CUT)
def test_half_a_write_never_reaches_github(servers: Servers, server: str, cut: str) -> None:
    address = urlsplit(servers.urls[server])
    with socket.create_connection((address.hostname or "", address.port or 80), 5) as sock:
        sock.sendall(CUT[cut].replace(b"<host>", address.netloc.encode()))
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(2)
        with suppress(OSError):
            assert b" 201 " not in sock.recv(100)
    assert servers.github.count() == 0
