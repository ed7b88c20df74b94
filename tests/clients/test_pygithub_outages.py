"""GitHub out of budget or down: what is known is served as grace, the rest fails as expected."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import github as pygithub
import pytest
import requests

from tests.clients.conftest import PyGithubFactory
from tests.clients.exchanges import Exchanges
from tests.serving import Server, serve
from tests.standin.process import StandIn

KNOWN, UNKNOWN = "pallets/flask", "pallets/click"


@pytest.fixture
def mirror(environ: dict[str, str], tmp_path: Path) -> Iterator[Server]:
    """A server of each test's own: a spent budget and an outage are remembered."""
    with serve(environ, tmp_path / "server.log") as running:
        yield running


def _purge(mirror: Server, full_name: str) -> None:
    """Say that a repository has changed, so that GitHub must be asked."""
    body = {"paths": [f"/repos/{full_name}"]}
    assert requests.post(f"{mirror.url}/api/purge", json=body, timeout=10).ok


def test_a_spent_budget_is_a_rate_limit_only_for_what_isnt_known(
    py_github: PyGithubFactory, mirror: Server, github: StandIn, exchanges: Exchanges
) -> None:
    stars = py_github().get_repo(KNOWN).stargazers_count
    github.use("forewarm-bot", 5_000)
    _purge(mirror, KNOWN)
    exchanges.clear()
    assert py_github().get_repo(KNOWN).stargazers_count == stars
    with pytest.raises(pygithub.RateLimitExceededException) as limited:
        py_github().get_repo(UNKNOWN)
    assert exchanges.outcomes == ["GRACE", "ERROR"]
    assert limited.value.status == 403
    headers = exchanges[-1].headers
    assert headers["x-ratelimit-remaining"] == "0"
    assert int(headers["x-ratelimit-reset"]) > 0
    assert exchanges[0].headers.get("x-ratelimit-remaining") != "0"  # it would stop asking


def test_a_github_that_is_down_is_502_only_for_what_isnt_known(
    py_github: PyGithubFactory, mirror: Server, github: StandIn, exchanges: Exchanges
) -> None:
    stars = py_github().get_repo(KNOWN).stargazers_count
    github.fault("reset")
    _purge(mirror, KNOWN)
    exchanges.clear()
    assert py_github().get_repo(KNOWN).stargazers_count == stars
    with pytest.raises(pygithub.GithubException) as failed:
        py_github().get_repo(UNKNOWN)
    assert failed.value.status == 502
    assert exchanges.outcomes == ["GRACE", "ERROR"]
