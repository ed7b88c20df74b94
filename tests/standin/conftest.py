"""One stand-in for all of these tests; each test begins with it reset."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.standin.client import Client
from tests.standin.process import StandIn


@pytest.fixture(scope="session")
def shared_github() -> Iterator[StandIn]:
    with StandIn.start() as github:
        yield github


@pytest.fixture
def github(shared_github: StandIn) -> StandIn:
    """The stand-in, as new."""
    shared_github.reset()
    return shared_github


@pytest.fixture
def client(github: StandIn) -> Iterator[Client]:
    """Requests with the service token, without following redirects."""
    with Client(github.url) as client:
        yield client
