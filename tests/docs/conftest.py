"""One server and one command line on the same stores, for all examples of all documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from script.embedded import Postgres, Valkey
from tests.serving import ADMIN_PASSWORD, API_KEY, SECRET_KEY, Forewarm, Server, serve
from tests.standin.accounts import SERVICE_TOKEN
from tests.standin.process import StandIn
from tests.stores import migrated_database

WEBHOOK_SECRET = "a webhook secret for tests"


@dataclass(frozen=True, slots=True)
class Reader:
    """What the reader of an example has: a running server, its settings, its command line."""

    server: Server
    environ: dict[str, str]
    command_line: Forewarm


@pytest.fixture(scope="package")
def reader(
    valkey: Valkey,
    postgres: Postgres,
    standin: StandIn,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Reader]:
    """Settings as in a deployment, but that callers without a key have the service's eyes."""
    valkey.resume()
    valkey.start()
    standin.reset()
    with migrated_database(postgres, "documents") as database:
        environ = {
            "HOST": "127.0.0.1",
            "REDIS_URL": valkey.url,
            "DATABASE_URL": database,
            "GITHUB_API_URL": standin.url,
            "GITHUB_TOKEN": SERVICE_TOKEN,
            "API_KEYS": f"tests:{API_KEY}",
            "SECRET_KEY": SECRET_KEY,
            "ADMIN_PASSWORD": ADMIN_PASSWORD,
            "GITHUB_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "ANONYMOUS_SCOPE": "service",
        }
        log = tmp_path_factory.mktemp("documents") / "server.log"
        with serve(environ, log) as server:
            forewarm = Forewarm(environ)
            yield Reader(server, environ, forewarm)
            forewarm.services.close()
