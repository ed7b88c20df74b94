"""GitHub's answers told apart. The bodies are GitHub's own words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.webapp.github.origin import Origin, reply
from webapp.github.answer import Answer, is_json, is_limit

PRIMARY = b'{"message": "API rate limit exceeded for user ID 1."}'
SECONDARY = b'{"message": "You have exceeded a secondary rate limit. Please wait."}'
FORBIDDEN = b'{"message": "Resource not accessible by integration"}'
LEFT = {"X-RateLimit-Remaining": "4999"}
NONE_LEFT = {"X-RateLimit-Remaining": "0"}


def answer(status: int, body: bytes | None = b"{}", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, body, asked_at=0.0)


@pytest.mark.parametrize(
    ("status", "headers", "body", "limit"),
    [
        (403, NONE_LEFT, PRIMARY, True),
        (429, NONE_LEFT, PRIMARY, True),
        (429, LEFT, SECONDARY, True),
        (429, {}, b"", True),
        (403, LEFT | {"Retry-After": "60"}, SECONDARY, True),
        (403, LEFT, SECONDARY, True),  # what githubkit takes for a refusal
        (403, {}, SECONDARY, True),
        (403, NONE_LEFT, b"", True),
        (403, LEFT, FORBIDDEN, False),
        (403, {}, b"", False),
        (401, NONE_LEFT, b'{"message": "Bad credentials"}', False),  # an anonymous limit's headers
        (404, NONE_LEFT, b'{"message": "Not Found"}', False),
        (200, NONE_LEFT, b"{}", False),
        (200, LEFT, SECONDARY, False),
        (503, {"Retry-After": "60"}, b"", False),
    ],
)
def test_a_limit_is_told_from_a_refusal(
    status: int, headers: dict[str, str], body: bytes, limit: bool
) -> None:
    assert is_limit(status, headers, body) is limit


@pytest.mark.parametrize(
    ("content_type", "json"),
    [
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        ("Application/JSON ; charset=UTF-8", True),
        ("", False),
        ("text/html; charset=utf-8", False),
        ("application/vnd.github.raw+json; charset=utf-8", False),
        ("application/octet-stream", False),
        ("application/jsonlines", False),
    ],
)
def test_only_plain_json_is_json(content_type: str, json: bool) -> None:
    assert is_json(content_type) is json


@pytest.mark.parametrize(
    ("status", "ending", "negative"),
    [
        (200, False, False),
        (204, False, False),
        (301, False, True),
        (302, False, False),
        (401, True, False),
        (403, True, False),
        (404, False, True),
        (410, False, True),
        (422, False, False),
        (429, False, False),
        (451, False, True),
    ],
)
def test_an_answer_ends_is_remembered_or_neither(status: int, ending: bool, negative: bool) -> None:
    assert (answer(status).ending, answer(status).negative) == (ending, negative)


def test_a_limit_ends_nothing() -> None:
    assert not answer(403, SECONDARY).ending


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"full_name": "pallets/flask"}', "pallets/flask"),
        (b'{"name": "flask"}', ""),
        (b'{"full_name": 7}', ""),
        (b'[{"full_name": "pallets/flask"}]', ""),
        (b"not json", ""),
        (b"", ""),
        (None, ""),
    ],
)
def test_a_repositorys_name_is_read_off_its_body(body: bytes | None, name: str) -> None:
    assert answer(200, body).full_name == name


def test_a_whole_body_is_one_chunk() -> None:
    assert list(answer(200, b"body").chunks()) == [b"body"]


@pytest.fixture
def streaming() -> Iterator[Answer]:
    """An answer of which two pieces were read already."""
    with Origin(lambda _: [reply(b"cdefgh", Content_Type="text/plain")]) as origin:
        stream = requests.get(origin.url, stream=True, timeout=5)
        yield Answer(200, {}, None, 0.0, stream=stream, prefix=(b"a", b"b"))


def test_a_streams_beginning_comes_first(streaming: Answer) -> None:
    assert b"".join(streaming.chunks()) == b"abcdefgh"


def test_a_stream_that_nobody_reads_to_its_end_is_closed(streaming: Answer) -> None:
    chunks = streaming.chunks()
    next(chunks)
    assert isinstance(chunks, Iterator)
    chunks.close()  # type: ignore[attr-defined]
    assert streaming.stream is not None
    assert streaming.stream.raw.closed


def test_an_answer_shows_neither_its_stream_nor_what_was_read(streaming: Answer) -> None:
    assert "stream=" not in repr(streaming)
    assert "prefix=" not in repr(streaming)
