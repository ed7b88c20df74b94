"""An application whose catalog is empty at first, and what its API's callers do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from werkzeug.test import TestResponse

from script.embedded import Postgres, Valkey
from tests.serving import API_KEY, Forewarm
from tests.standin.process import StandIn
from tests.webapp.delivering import SECRET, deliver, named
from tests.webapp.lasting import Applications, lasting_applications
from webapp.signals import query_ran

TABLES = (
    *("repositories", "organisations", "repository_days", "repository_names"),
    *("repositories_gone", "catalog_purges"),
)


class Api:
    """One application, as a tool sees it."""

    def __init__(self, forewarm: Forewarm) -> None:
        self.forewarm = forewarm

    def get(self, path: str, **headers: str) -> TestResponse:
        """GET below /api, with an API key."""
        return self.forewarm.request("GET", f"/api{path}", API_KEY, **headers)

    def look_up(self, names: Sequence[str]) -> Any:
        """POST /api/repos/lookup, answered."""
        answer = self.post_lookup({"names": list(names)})
        assert answer.status_code == 200, answer.text
        return answer.get_json()

    def post_lookup(self, body: Any) -> TestResponse:
        """The same, whatever becomes of it."""
        return self.forewarm.request("POST", "/api/repos/lookup", API_KEY, json=body)

    def deliver(self, event: str, full_name: str, **fields: Any) -> None:
        """A webhook, heard of by the catalog too."""
        answer = deliver(self.forewarm, event, named(full_name, **fields))
        assert answer.status_code == 202
        self.settle()

    def settle(self) -> None:
        """What was seen or purged is written."""
        assert self.forewarm.services.harvest.flush()

    def execute(self, statement: str) -> None:
        """On the database."""
        with self.forewarm.services.database.connection() as conn:
            conn.execute(statement.encode())

    def age(self, interval: str) -> None:
        """Let time pass for all that the catalog holds."""
        self.execute(f"update repositories set seen_at = seen_at - interval '{interval}'")


@contextmanager
def statements() -> Iterator[list[str]]:
    """The names of the catalog's statements run meanwhile."""
    ran: list[str] = []

    def note(_: object, *, query: str, **__: object) -> None:
        if query.startswith("catalog_"):
            ran.append(query)

    with query_ran.connected_to(note):
        yield ran


@pytest.fixture(scope="package")
def applications(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    with lasting_applications(valkey, postgres, standin, "catalog_api") as started:
        yield started


@pytest.fixture
def forewarm(applications: Applications, github: StandIn) -> Forewarm:
    return emptied(applications, github)


@pytest.fixture
def api(forewarm: Forewarm) -> Api:
    return Api(forewarm)


@pytest.fixture(scope="module")
def filled_once(applications: Applications, standin: StandIn) -> Api:
    """Two owners' repositories, as lists showed them; for tests that only read."""
    return filled_with_lists(Api(emptied(applications, standin)))


def emptied(applications: Applications, github: StandIn) -> Forewarm:
    """An application of these settings that has seen nothing yet."""
    app = applications(GITHUB_WEBHOOK_SECRET=SECRET)
    assert app.services.harvest.flush()
    applications.empty(github)
    for table in TABLES:
        Api(app).execute(f"delete from {table}")
    return app


def filled_with_lists(api: Api) -> Api:
    """Pallets' and psf's repositories are in the catalog."""
    for owner in ("pallets", "psf"):
        api.forewarm.get(f"/orgs/{owner}/repos?per_page=100")
    api.settle()
    return api


def everything(api: Api, query: str, limit: int = 100) -> list[dict[str, Any]]:
    """All pages of a search."""
    rows: list[dict[str, Any]] = []
    cursor = ""
    for _ in range(100):
        page = api.get(f"/repos?{query}&limit={limit}&cursor={cursor}").get_json()
        rows += page["items"]
        cursor = page["next"]
        if cursor is None:
            return rows
    raise AssertionError("pages never end")
