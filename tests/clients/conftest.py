"""One real server for the whole folder, emptied before each test; clients that keep a record.

A test that leaves traces which a purge can't take away (a spent budget, other settings) starts a
server of its own instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import github as pygithub
import pytest
import requests
from github.Requester import HTTPRequestsConnectionClass, HTTPSRequestsConnectionClass, Requester

from script.embedded import Postgres, Valkey
from tests.clients.exchanges import Exchange, Exchanges
from tests.serving import API_KEY, SECRET_KEY, Server, serve
from tests.standin.accounts import SERVICE_TOKEN
from tests.standin.process import StandIn
from tests.stores import migrated_database


@pytest.fixture(scope="package")
def shared_server(
    valkey: Valkey,
    postgres: Postgres,
    standin: StandIn,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """The folder's server; `mirror` for tests."""
    valkey.resume()
    valkey.start()
    with migrated_database(postgres, "clients") as database:
        environ = {
            "HOST": "127.0.0.1",
            "REDIS_URL": valkey.url,
            "DATABASE_URL": database,
            "GITHUB_API_URL": standin.url,
            "GITHUB_TOKEN": SERVICE_TOKEN,
            "API_KEYS": f"tests:{API_KEY}",
            "SECRET_KEY": SECRET_KEY,
            "ANONYMOUS_SCOPE": "service",
        }
        with serve(environ, tmp_path_factory.mktemp("clients") / "server.log") as running:
            yield running


@pytest.fixture
def mirror(shared_server: Server, redis_url: str, github: StandIn) -> Server:
    """The server with nothing held on any shelf, the stand-in as at first."""
    emptied = requests.post(
        f"{shared_server.url}/api/purge", json={"tags": ["all"], "hard": True}, timeout=10
    )
    assert emptied.ok, emptied.text
    return shared_server


@pytest.fixture
def exchanges() -> Exchanges:
    """What this test's client asked so far; `.clear()` to begin anew."""
    return Exchanges()


PyGithubFactory = Callable[..., pygithub.Github]


@pytest.fixture
def py_github(mirror: Server, exchanges: Exchanges) -> Iterator[PyGithubFactory]:
    """Makes PyGithub clients of the mirror, recorded: `py_github(token)`, '' for none.

    Only `base_url` differs from a client of GitHub's. Its pauses between requests are off, and so
    are its retries, which would sleep until a limit's reset.
    """
    made: list[pygithub.Github] = []

    class Recorded(HTTPRequestsConnectionClass):
        def getresponse(self):  # type: ignore[no-untyped-def]
            answer = super().getresponse()
            sent = answer.response
            assert sent.request.method is not None
            headers = {name.lower(): value for name, value in sent.headers.items()}
            exchanges.append(
                Exchange(sent.request.method, sent.url, sent.status_code, headers, sent.text)
            )
            self.close()  # PyGithub doesn't keep connections of an injected class.
            return answer

    def make(
        token: str = API_KEY, base_url: str = mirror.api, per_page: int = 30
    ) -> pygithub.Github:
        made.append(
            pygithub.Github(
                base_url=base_url,
                auth=pygithub.Auth.Token(token) if token else None,
                per_page=per_page,
                retry=None,
                seconds_between_requests=0,
                seconds_between_writes=0,
            )
        )
        return made[-1]

    Requester.injectConnectionClasses(Recorded, HTTPSRequestsConnectionClass)
    yield make
    Requester.resetConnectionClasses()
    for each in made:
        each.close()
