"""Once a client has written something or seen it, it never again sees what was before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from tests.serving import API_KEY, Server
from tests.standin.process import StandIn

REPO = "sages/saga"


@pytest.fixture
def url(mirror: Server, github: StandIn) -> str:
    """A repository's, through the mirror."""
    github.create_org("sages")
    github.create_repo(REPO, description="0")
    return f"{mirror.api}/repos/{REPO}"


@pytest.fixture
def reader() -> Iterator[requests.Session]:
    """A client with an API key, on one connection."""
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {API_KEY}"
        yield session


def description(reader: requests.Session, url: str, **headers: str) -> str:
    answer = reader.get(url, headers=headers, timeout=10)
    return str(answer.json()["description"])


def test_a_read_right_after_a_write_is_never_the_near_shelfs_old_answer(
    url: str, reader: requests.Session, github: StandIn
) -> None:
    token = github.add_token("sage", account="sage", admin_of=["sages"])
    seen = []
    with requests.Session() as writer:
        writer.headers["Authorization"] = f"Bearer {token}"
        for round_ in range(1, 61):
            for _ in range(3):  # onto every shelf
                description(reader, url)
            assert writer.patch(url, json={"description": str(round_)}, timeout=10).ok
            seen.append(description(reader, url))
    assert seen == [str(round_) for round_ in range(1, 61)]


def test_what_max_age_0_has_brought_is_what_the_next_reader_gets(
    url: str, reader: requests.Session, github: StandIn
) -> None:
    for _ in range(3):
        description(reader, url)
    github.change_repo(REPO, description="1", webhook=False)
    assert description(reader, url, **{"Cache-Control": "max-age=0"}) == "1"
    assert description(reader, url) == "1"
