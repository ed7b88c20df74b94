"""Which Host is ours, and where the links in an answer point."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.hosts import Hosts, is_loopback_address, is_loopback_host
from webapp.settings import Settings

STORES = {"REDIS_URL": "redis://h/0", "DATABASE_URL": "postgresql://h/d"}
PUBLIC = {
    **STORES,
    "HOST": "0.0.0.0",
    "PUBLIC_URL": "https://Forewarm.example:8443",
    "SECRET_KEY": "a secret key of enough characters",
}


def hosts(**environ: str) -> Hosts:
    return Hosts(Settings.from_env({**STORES, "HOST": "127.0.0.1", **environ}))


LOOPBACK = [
    "localhost",
    "localhost:8000",
    "127.0.0.1",
    "127.0.0.1:8000",
    "127.200.3.4:80",
    "[::1]",
    "[::1]:8000",
]
ELSEWHERE = [
    "",
    " ",
    "evil.example",
    "localhost.evil.example",
    "evil.example#localhost",
    "localhost@evil.example",
    "evil@localhost",
    "user:pass@127.0.0.1",
    "127.0.0.1.evil.example",
    "127.0.0.1/../x",
    "127.0.0.1:8000/x",
    "127.0.0.1?x",
    "localhost\\evil",
    "localhost:http",
    "localhost:99999",
    "localhost:0",
    "0.0.0.0",
    "10.0.0.1",
    "::1",
    "[::2]",
    "[::1",
    "0x7f.1",
    "2130706433",
    "127.1",
    "ⓛocalhost",
    "localhost\r\nX: y",
]


@pytest.mark.parametrize("host", LOOPBACK)
def test_on_a_loopback_bind_every_name_of_loopback_is_ours(host: str) -> None:
    assert hosts().is_ours(host)


@pytest.mark.parametrize("host", ELSEWHERE)
def test_on_a_loopback_bind_nothing_else_is_ours(host: str) -> None:
    assert not hosts().is_ours(host)


@pytest.mark.parametrize("host", LOOPBACK)
def test_off_loopback_no_name_of_loopback_is_ours(host: str) -> None:
    assert not hosts(**PUBLIC).is_ours(host)


@pytest.mark.parametrize(
    "host", ["forewarm.example:8443", "FOREWARM.example:8443", " forewarm.example:8443 "]
)
def test_the_public_host_is_ours_in_any_case(host: str) -> None:
    assert hosts(**PUBLIC).is_ours(host)


@pytest.mark.parametrize(
    "host",
    [
        "forewarm.example",
        "forewarm.example:443",
        "forewarm.example:8443.evil.example",
        "x@forewarm.example:8443",
        "www.forewarm.example:8443",
    ],
)
def test_no_other_host_is_the_public_one(host: str) -> None:
    assert not hosts(**PUBLIC).is_ours(host)


def test_a_public_url_on_a_loopback_bind_leaves_loopback_ours() -> None:
    both = hosts(PUBLIC_URL="https://forewarm.example")
    assert both.is_ours("forewarm.example")
    assert both.is_ours("127.0.0.1:8000")


def test_links_point_to_the_public_url_whatever_host_was_asked() -> None:
    both = hosts(PUBLIC_URL="https://forewarm.example")
    assert both.base_url("http", "127.0.0.1:8000") == "https://forewarm.example"
    assert both.base_url("http", "forewarm.example") == "https://forewarm.example"


def test_without_one_they_point_to_the_loopback_host_that_was_asked() -> None:
    assert hosts().base_url("http", "LocalHost:8000") == "http://localhost:8000"


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.255.255.254", True),
        ("::1", True),
        ("128.0.0.1", False),
        ("10.0.0.1", False),
        ("::", False),
        ("", False),
        ("localhost", False),  # a name, no address
        ("127.0.0.1:80", False),
    ],
)
def test_loopback_addresses(address: str, loopback: bool) -> None:
    assert is_loopback_address(address) is loopback


@given(st.text(max_size=20) | st.text(".:@#?/[]%0123456789", max_size=8))
def test_only_a_port_may_follow_a_loopback_address(more: str) -> None:
    host = f"127.0.0.1{more}"
    if is_loopback_host(host):
        assert re.fullmatch(r"127\.0\.0\.1[0-9]{0,2}(:[0-9]*)?", host)


@given(st.text(max_size=20))
def test_nothing_before_a_loopback_address_makes_it_ours(before: str) -> None:
    assert not is_loopback_host(f"{before}@127.0.0.1")


@pytest.mark.parametrize(
    ("environ", "base"),
    [
        ({"PORT": "8001"}, "http://127.0.0.1:8001"),
        ({"HOST": "Localhost", "PORT": "8001"}, "http://localhost:8001"),
        ({"HOST": "::1", "PORT": "8001"}, "http://[::1]:8001"),
        (PUBLIC, "https://forewarm.example:8443"),
    ],
)
def test_where_nobody_asks_links_point_to_the_address_that_clients_use(
    environ: dict[str, str], base: str
) -> None:
    found = hosts(**environ)
    assert found.own_base_url == base
    assert found.own_base_url == found.base_url("http", base.partition("//")[2])
