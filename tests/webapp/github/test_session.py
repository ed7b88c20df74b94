"""The sessions towards GitHub over real sockets: what is read, how long, on which connection."""

from __future__ import annotations

import gzip
import random
import socket
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
import requests

from tests.serving import ForewarmFactory
from tests.webapp.github.origin import JSON, Asked, Hangup, Origin, head, reply
from webapp.cache.entry import BODY_MAX
from webapp.errors import GitHubUnavailable
from webapp.github.session import Ask, PlainSession, environment, is_whole
from webapp.github.tries import POLICY, Tries

PATIENCE = 0.6  # seconds: the deadline of these tests
MARGIN = 0.35  # seconds for everything else
MB = 1024 * 1024
CHUNKED = head(Content_Type=JSON, Transfer_Encoding="chunked")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tries follow each other without a pause."""
    hasty = Tries(policy=POLICY.new(backoff_factor=0.0, backoff_jitter=0.0))
    monkeypatch.setattr("webapp.github.session.Tries", lambda: hasty)


def ask(url: str, *, seconds: float = 5.0, **headers: str) -> requests.Response:
    """One request through a session of its own."""
    return send(PlainSession(), url, seconds=seconds, **headers)


def send(
    session: PlainSession, url: str, *, seconds: float = 5.0, **headers: str
) -> requests.Response:
    request = Ask()
    request.prepare_method("GET")
    request.prepare_url(url, None)
    request.prepare_headers({name.replace("_", "-"): value for name, value in headers.items()})
    request.deadline = time.monotonic() + seconds
    return session.send(request, **environment(session, url))


def once(*pieces: bytes) -> Callable[[Asked], Iterable[bytes]]:
    return lambda _: pieces


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def json_of(size: int) -> bytes:
    """A JSON string of so many bytes, quotes included."""
    return b'"' + b"x" * (size - 2) + b'"'


# The deadline


def black_hole(origin: Origin) -> Iterator[bytes]:
    origin.over.wait()
    yield b""


def black_hole_after_head(origin: Origin) -> Iterator[bytes]:
    yield head(Content_Type=JSON, Content_Length="100")
    origin.over.wait()


def black_hole_amid_body(origin: Origin) -> Iterator[bytes]:
    yield head(Content_Type=JSON, Content_Length="100") + b'{"a": '
    origin.over.wait()


def late_head_then_nothing(origin: Origin) -> Iterator[bytes]:
    origin.over.wait(PATIENCE * 0.8)
    yield head(Content_Type=JSON, Content_Length="100") + b'{"a": '
    origin.over.wait()


def trickle(origin: Origin) -> Iterator[bytes]:
    yield head(Content_Type=JSON, Content_Length="100000")
    while not origin.over.wait(0.02):
        yield b" "


def chunked_trickle(origin: Origin) -> Iterator[bytes]:
    yield CHUNKED
    while not origin.over.wait(0.02):
        yield b"1\r\n \r\n"


def gzip_trickle(origin: Origin) -> Iterator[bytes]:
    # In pieces that each decode to something: what decodes to nothing, urllib3 waits for within.
    body = gzip.compress(random.Random(1).randbytes(100_000), mtime=0)
    yield head(Content_Type=JSON, Content_Encoding="gzip", Content_Length=str(len(body)))
    for start in range(0, len(body), 200):
        yield body[start : start + 200]
        if origin.over.wait(0.02):
            return


@pytest.mark.parametrize(
    "slow",
    [
        black_hole,
        black_hole_after_head,
        black_hole_amid_body,
        late_head_then_nothing,
        trickle,
        chunked_trickle,
        gzip_trickle,
    ],
)
def test_no_answer_outlasts_the_deadline(slow: Callable[[Origin], Iterator[bytes]]) -> None:
    with Origin(once()) as origin:
        origin.answering = lambda _: slow(origin)
        began = time.monotonic()
        with pytest.raises(GitHubUnavailable):
            ask(origin.url, seconds=PATIENCE)
        assert PATIENCE * 0.9 <= time.monotonic() - began < PATIENCE + MARGIN


def test_a_slow_body_that_ends_in_time_is_whole() -> None:
    body = json_of(64)

    def slowly(_: Asked) -> Iterator[bytes]:
        yield head(Content_Type=JSON, Content_Length="64")
        for start in range(0, 64, 8):
            origin.over.wait(0.01)
            yield body[start : start + 8]

    with Origin(slowly) as origin:
        assert ask(origin.url).content == body


def test_an_address_that_takes_no_connection_ends_at_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        # Who fills the queue of a server that accepts nobody.
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(("127.0.0.1", port))
        began = time.monotonic()
        with pytest.raises(GitHubUnavailable):
            ask(f"http://127.0.0.1:{port}", seconds=PATIENCE)
        assert time.monotonic() - began < PATIENCE + MARGIN
        for each in waiting:
            each.close()


# What an answer is


@pytest.mark.parametrize(
    ("what", "tries", "pieces"),
    [
        ("cut off", 1, [head(Content_Type=JSON, Content_Length="50") + b'{"a": 1}']),
        ("cut off amid a chunk", 1, [CHUNKED + b"9\r\n{"]),
        ("without its last chunk", 1, [CHUNKED + b"2\r\n{}\r\n"]),
        ("no JSON", 1, [reply(b'{"a": ')]),
        ("empty", 1, [reply(b"")]),
        ("no gzip", 1, [reply(b"{}", Content_Encoding="gzip")]),
        ("cut off gzip", 1, [reply(gzip.compress(json_of(5000))[:-20], Content_Encoding="gzip")]),
        ("no HTTP", 3, [b"220 mail.example ESMTP\r\n"]),
        ("nothing", 3, []),
        ("500", 3, [reply(b"{}", "500 Oops")]),
        ("501", 1, [reply(b"{}", "501 What")]),
    ],
)
def test_what_is_no_whole_answer_is_github_unavailable(
    what: str, tries: int, pieces: list[bytes]
) -> None:
    def answering(_: Asked) -> Iterator[bytes]:
        yield from pieces
        raise Hangup

    with Origin(answering) as origin, pytest.raises(GitHubUnavailable) as caught:
        ask(origin.url)
    assert origin.url not in str(caught.value)
    assert caught.value.status == (int(what) if what.isdigit() else 0)
    assert len(origin.asked) == tries


@pytest.mark.parametrize(
    "headers",
    [{}, {"Content_Type": "text/html; charset=utf-8"}, {"Content_Type": "application/vnd.x+json"}],
)
def test_what_is_not_json_is_left_streaming(headers: dict[str, str]) -> None:
    with Origin(once(head(Content_Length="5", **headers) + b"plain")) as origin:
        response = ask(origin.url)
        assert not is_whole(response)
        assert response.content == b"plain"


@pytest.mark.parametrize("coding", ["", "gzip"])
@pytest.mark.parametrize(("size", "whole"), [(BODY_MAX, True), (BODY_MAX + 1, False)])
def test_json_is_read_up_to_two_megabytes_decoded(size: int, whole: bool, coding: str) -> None:
    body = json_of(size)
    sent = reply(gzip.compress(body), Content_Encoding="gzip") if coding else reply(body)
    with Origin(once(sent)) as origin:
        response = ask(origin.url)
        assert is_whole(response) is whole
        prefix = b"" if whole else b"".join(response.prefix)  # type: ignore[attr-defined]
        rest = response.content if whole else b"".join(response.iter_content(MB))
        assert prefix + rest == body


def test_a_redirect_is_an_answer() -> None:
    with Origin(once(reply(b"{}", "301 Moved", Location="http://127.0.0.1:1/"))) as origin:
        assert ask(origin.url).status_code == 301
        assert len(origin.asked) == 1


# Memory


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_a_large_body_streams_in_bounded_memory(
    start_forewarm: ForewarmFactory, coding: str
) -> None:
    chunk, times = b"[1.0, 1.0]," * 1024 * 16, 400

    def plain() -> Iterator[bytes]:
        yield b"["
        for _ in range(times):
            yield chunk
        yield b"0]"

    def coded() -> Iterator[bytes]:
        packer = zlib.compressobj(1, wbits=31)
        for piece in plain():
            yield packer.compress(piece)
        yield packer.flush()

    def answering(_: Asked) -> Iterator[bytes]:
        own = {"Content_Encoding": "gzip"} if coding else {}
        yield head(Content_Type=JSON, Connection="close", **own)
        yield from coded() if coding else plain()
        raise Hangup

    with Origin(answering) as origin:
        forewarm = start_forewarm(GITHUB_API_URL=origin.url)
        tracemalloc.start()
        try:
            answer = forewarm.get("/repos/big/body/git/trees/main")
            size = sum(len(each) for each in answer.iter_encoded())
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert size == len(chunk) * times + 3
    assert answer.headers["X-Cache"] == "BYPASS"
    print(f"{size / MB:.0f} MB streamed with {most / MB:.1f} MB at most")
    assert most < 12 * MB


# Connections


def conditional(asked: Asked) -> Iterable[bytes]:
    if asked.target == "/nothing":
        return [head("204 No Content")]
    if asked.target == "/file":
        return [reply(b"plain", Content_Type="text/plain")]
    if "if-none-match" in asked.headers:
        return [head("304 Not Modified", ETag='"v"')]
    return [reply(b"{}", ETag='"v"')]


def test_answers_of_every_kind_leave_the_connection_to_the_next() -> None:
    with Origin(conditional) as origin:
        session = PlainSession()
        for _ in range(3):
            assert send(session, origin.url).status_code == 200
            assert send(session, origin.url, If_None_Match='"v"').status_code == 304
            assert send(session, f"{origin.url}/nothing").status_code == 204
            assert send(session, f"{origin.url}/file").content == b"plain"
        assert len(origin.asked) == 12
        assert origin.connections == 1


def test_a_connection_that_the_server_closed_meanwhile_is_replaced() -> None:
    def answering(_: Asked) -> Iterator[bytes]:
        yield reply(b"{}")
        raise Hangup

    with Origin(answering) as origin:
        session = PlainSession()
        for times in (1, 2, 3):
            assert send(session, origin.url).status_code == 200
            wait_until(lambda count=times: origin.closed == count)  # type: ignore[misc]
        assert origin.connections == 3


def test_a_half_read_stream_is_not_anothers_connection() -> None:
    with Origin(once(reply(b"plain" * MB, Content_Type="text/plain"))) as origin:
        session = PlainSession()
        first = send(session, origin.url)
        next(first.iter_content(10))
        first.close()
        assert next(send(session, origin.url).iter_content(10)) == b"plainplain"
        assert origin.connections == 2


# The process's environment


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NETRC", raising=False)
    return tmp_path


def test_a_netrc_is_never_read(home: Path) -> None:
    (home / ".netrc").write_text("machine 127.0.0.1 login someone password netrc-secret\n")
    (home / ".netrc").chmod(0o600)
    with Origin(conditional) as origin:
        assert "Authorization" in requests.get(origin.url, timeout=5).request.headers
        send(PlainSession(), origin.url)
        assert "authorization" not in origin.asked[-1].headers


def test_a_proxy_of_the_environment_is_used(
    start_forewarm: ForewarmFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Origin(once(reply(b"{}", ETag='"v"'))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        forewarm = start_forewarm(GITHUB_API_URL="http://github.invalid/api/v3")
        assert forewarm.get("/orgs/pallets").status_code == 200
        assert [each.target for each in proxy.asked] == [
            "http://github.invalid/api/v3/orgs/pallets"
        ]


def test_no_proxy_names_hosts_that_are_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Origin(conditional) as origin:
        assert ask(origin.url).status_code == 200


def test_a_redirect_never_leads_beyond_the_configured_api(
    start_forewarm: ForewarmFactory,
) -> None:
    with Origin(conditional) as elsewhere:
        moved = reply(b"{}", "302 Found", Location=f"{elsewhere.url}/secret")
        with Origin(once(moved)) as origin:
            answer = start_forewarm(GITHUB_API_URL=origin.url).get("/repos/a/b/tarball/main")
        assert answer.status_code == 302
        assert answer.headers["Location"] == f"{elsewhere.url}/secret"
        assert elsewhere.asked == []
