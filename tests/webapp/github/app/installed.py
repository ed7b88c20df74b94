"""A GitHub App for tests: its key, its installations at the stand-in, and processes that use it.

The key is made once a process: RSA takes a while. `Process` is what one Forewarm process holds; two
of them in a test share only Redis, as two machines do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import pytest
import redis
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from script.embedded import Valkey
from tests.serving import SECRET_KEY
from tests.standin.apps import APP_ID
from tests.standin.process import StandIn
from webapp.cache.connection import Connection
from webapp.github.credentials import Credential, Credentials
from webapp.settings import Settings

LIFE = 3600  # seconds of an installation token
MINTING = "/app/installations/"


@cache
def app_key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


def private_pem() -> str:
    kind = PrivateFormat.TraditionalOpenSSL
    return app_key().private_bytes(Encoding.PEM, kind, NoEncryption()).decode()


def public_pem() -> str:
    kind = PublicFormat.SubjectPublicKeyInfo
    return app_key().public_key().public_bytes(Encoding.PEM, kind).decode()


@pytest.fixture
def mortal(valkey: Valkey) -> Iterator[Valkey]:
    """The session's Valkey for a test that kills it; it runs again afterwards."""
    yield valkey
    valkey.resume()
    valkey.start()


class Clock:
    """Our clock: the machine's, and what a test has moved it by."""

    def __init__(self) -> None:
        self.moved = 0.0

    def __call__(self) -> float:
        return time.time() + self.moved


class Process:
    """What one Forewarm process holds. `clock` may be shared by several."""

    def __init__(self, environ: dict[str, str], clock: Clock) -> None:
        self.clock = clock
        settings = Settings.from_env(environ)
        self.redis = Connection(settings.redis_url, size=32)
        self.credentials = Credentials(settings, self.redis, clock)

    def pass_time(self, github: StandIn, seconds: float) -> None:
        """For both sides."""
        self.clock.moved += seconds
        github.advance(seconds)

    def get(self, owner: str | None = "initech", kind: str = "service") -> Credential:
        """The first who may be asked with."""
        assert kind in {"service", "public"}
        return self.credentials.candidates("service" if kind == "service" else "public", owner)[0]


def environ_of(github: StandIn, redis_url: str, **settings: str) -> dict[str, str]:
    return {
        "HOST": "127.0.0.1",
        "REDIS_URL": redis_url,
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/unused",
        "GITHUB_API_URL": github.url,
        "SECRET_KEY": SECRET_KEY,
        **settings,
    }


def app_environ(github: StandIn, redis_url: str, **settings: str) -> dict[str, str]:
    app = {"GITHUB_APP_ID": str(APP_ID), "GITHUB_APP_PRIVATE_KEY": private_pem()}
    return environ_of(github, redis_url, **app, **settings)


@contextmanager
def processes(environ: dict[str, str], count: int = 2) -> Iterator[list[Process]]:
    """So many, on one clock."""
    clock = Clock()
    made = [Process(environ, clock) for _ in range(count)]
    yield made
    for each in made:
        each.redis.close()


def shown(credential: Credential) -> str:
    """The token itself."""
    value = credential.authorization()
    assert value is not None
    return value.removeprefix("Bearer ")


def minted(github: StandIn) -> int:
    """How many tokens the App has asked for."""
    return sum(seen.method == "POST" for seen in github.requests(MINTING))


def all_values(redis_url: str) -> bytes:
    """Every key and value in Redis, as its dump shows them."""
    with redis.Redis.from_url(redis_url) as client:
        parts: list[bytes] = []
        for key in client.scan_iter("*", count=1_000):
            parts.append(key)
            match client.type(key):
                case b"string":
                    parts.append(client.get(key) or b"")
                case b"zset":
                    parts += client.zrange(key, 0, -1)
                case b"hash":
                    parts += [part for pair in client.hgetall(key).items() for part in pair]
                case kind:
                    raise AssertionError(f"look into {kind!r} too")
        return b"\n".join(parts)


def until(happened: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for what happens in another thread."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it didn't happen in time"
        time.sleep(0.01)
