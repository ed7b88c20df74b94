"""PUBLIC_URL as a client finds it: a real server, or something else, behind it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.serving import serve
from tests.standin.process import StandIn
from tests.webapp.doctor.asking import finding
from webapp.doctor.finding import State


@pytest.fixture
def stores() -> dict[str, str]:
    return {
        "HOST": "127.0.0.1",
        "REDIS_URL": "redis://127.0.0.1:1",
        "DATABASE_URL": "postgresql://127.0.0.1:1/forewarm",
    }


def test_without_one_links_are_the_loopbacks_own(stores: dict[str, str]) -> None:
    assert finding("address", "PUBLIC_URL", stores).state is State.OK


def test_this_service_at_its_own_address_is_ok(environ: dict[str, str], tmp_path: Path) -> None:
    with serve(environ, tmp_path / "server.log") as server:
        assert finding("address", "PUBLIC_URL", environ, PUBLIC_URL=server.url).state is State.OK


def test_an_address_under_another_host_is_warned_of(
    environ: dict[str, str], tmp_path: Path
) -> None:
    # It listens on loopback and is told to be elsewhere: as behind a proxy that changes the Host.
    elsewhere = {
        **environ,
        "HOST": "0.0.0.0",
        "PUBLIC_URL": "https://forewarm.example.com",
        "ADMIN_PASSWORD": "a password for tests",
    }
    with serve(elsewhere, tmp_path / "server.log") as server:
        found = finding("address", "PUBLIC_URL", environ, PUBLIC_URL=server.url)
    assert (found.state, "under another Host" in found.reason) == (State.WARN, True)


def test_something_else_at_the_address_is_warned_of(
    stores: dict[str, str], github: StandIn
) -> None:
    found = finding("address", "PUBLIC_URL", stores, PUBLIC_URL=github.url)
    assert (found.state, "something else" in found.reason) == (State.WARN, True)


def test_nobody_at_the_address_is_warned_of(stores: dict[str, str]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        found = finding("address", "PUBLIC_URL", stores, PUBLIC_URL=url)
    assert (found.state, "can't be reached" in found.reason) == (State.WARN, True)
