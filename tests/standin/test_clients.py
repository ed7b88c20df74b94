"""Real GitHub clients walk the stand-in as they walk GitHub."""

from __future__ import annotations

import asyncio

import pytest
from github import Auth, Github
from githubkit import GitHub as GitHubKit
from githubkit import TokenAuthStrategy
from githubkit.exception import RequestFailed

from tests.standin.accounts import SERVICE_TOKEN
from tests.standin.process import StandIn


def test_pygithub_walks_an_organisation(github: StandIn) -> None:
    api = Github(auth=Auth.Token(SERVICE_TOKEN), base_url=github.url, retry=None)

    org = api.get_organization("pallets")
    repos = list(org.get_repos())
    flask = next(repo for repo in repos if repo.name == "flask")

    assert len(repos) == 40
    assert next(iter(flask.get_languages())) == "Python"
    assert "flask" in flask.get_topics()
    assert flask.get_contributors().totalCount > 10
    assert flask.get_latest_release().tag_name == flask.get_tags()[0].name
    assert flask.organization is not None
    assert flask.organization.login == "pallets"
    assert {seen.token for seen in github.requests()} == {"service"}


def test_pygithub_follows_a_rename(github: StandIn) -> None:
    api = Github(auth=Auth.Token(SERVICE_TOKEN), base_url=github.url, retry=None)

    assert api.get_repo("initech/old-name").full_name == "initech/new-name"


def test_githubkit_reads_a_repository(github: StandIn) -> None:
    with GitHubKit(TokenAuthStrategy(SERVICE_TOKEN), base_url=f"{github.url}/") as api:
        repo = api.rest.repos.get("pallets", "flask").parsed_data
        names = [r.name for r in api.rest.paginate(api.rest.repos.list_for_org, org="pallets")]

    assert repo.full_name == "pallets/flask"
    assert len(names) == 40


def test_githubkit_reads_asynchronously(github: StandIn) -> None:
    async def read() -> str:
        async with GitHubKit(TokenAuthStrategy(SERVICE_TOKEN), base_url=f"{github.url}/") as api:
            answer = await api.rest.repos.async_get("psf", "requests")
            return str(answer.parsed_data.full_name)

    assert asyncio.run(read()) == "psf/requests"


def test_githubkit_knows_githubs_errors(github: StandIn) -> None:
    with (
        GitHubKit(TokenAuthStrategy(SERVICE_TOKEN), base_url=f"{github.url}/") as api,
        pytest.raises(RequestFailed) as failed,
    ):
        api.rest.repos.get("pallets", "nothing")

    assert failed.value.response.status_code == 404
