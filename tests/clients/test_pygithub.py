"""PyGithub, unchanged but for `base_url`: it walks, follows links and writes inside Forewarm."""

from __future__ import annotations

from typing import Any

import github as pygithub
import pytest
import requests

from tests.clients.conftest import PyGithubFactory
from tests.clients.exchanges import Exchanges
from tests.serving import API_KEY, Server
from tests.standin.landmarks import (
    EMPTY_REPO,
    FORKED_REPO,
    HUGE_REPO,
    OLD_NAME,
    RENAMED_REPO,
    SERVICE_PRIVATE,
)
from tests.standin.process import StandIn

ORG, REPO = "pallets", "pallets/flask"


def walk(client: pygithub.Github) -> dict[str, Any]:
    """An organisation, its repositories, and every part of one of them, as PyGithub tells it."""
    organization = client.get_organization(ORG)
    repositories = list(organization.get_repos())
    repository = client.get_repo(REPO)
    return {
        "name": organization.name,
        "repositories": [each.full_name for each in repositories],
        "stars": repository.stargazers_count,
        "languages": repository.get_languages(),
        "topics": repository.get_topics(),
        "contributors": [each.contributions for each in repository.get_contributors()],
        "releases": [each.tag_name for each in repository.get_releases()],
        "tags": [each.name for each in repository.get_tags()],
        "branches": [each.name for each in repository.get_branches()],
        "license": repository.get_license().license.spdx_id,
        "readme": repository.get_readme().decoded_content,
    }


@pytest.mark.parametrize("token", [API_KEY, ""], ids=["api-key", "no-auth"])
def test_a_walk_through_an_organisation_stays_inside_the_mirror(
    py_github: PyGithubFactory, mirror: Server, github: StandIn, exchanges: Exchanges, token: str
) -> None:
    found = walk(py_github(token))
    assert len(found["repositories"]) == 40
    assert found["languages"]["Python"] > 0
    assert "web-framework" in found["topics"]
    assert found["license"] == "BSD-3-Clause"
    assert found["readme"].startswith(b"# flask")
    assert all(found.values())
    exchanges.assert_inside(mirror, github)


def test_a_second_walk_asks_github_nothing(
    py_github: PyGithubFactory, github: StandIn, exchanges: Exchanges
) -> None:
    first = walk(py_github())
    github.forget()
    exchanges.clear()
    assert walk(py_github()) == first
    assert set(exchanges.outcomes) == {"HIT"}
    assert github.count() == 0


@pytest.mark.parametrize(("per_page", "pages"), [(30, 5), (100, 2), (7, 19)])
def test_a_list_is_followed_page_by_page_by_its_links(
    py_github: PyGithubFactory,
    mirror: Server,
    github: StandIn,
    exchanges: Exchanges,
    per_page: int,
    pages: int,
) -> None:
    github.create_org("paged", repos=130)
    organization = py_github(per_page=per_page).get_organization("paged")
    assert len({each.id for each in organization.get_repos()}) == 130
    assert len(exchanges.below(f"{mirror.api}/orgs/paged/repos")) == pages
    exchanges.assert_inside(mirror, github)


def test_a_list_is_counted_and_read_from_its_end_by_its_last_link(
    py_github: PyGithubFactory, mirror: Server, github: StandIn, exchanges: Exchanges
) -> None:
    repositories = py_github().get_organization(ORG).get_repos()
    forward = [each.id for each in repositories]
    assert repositories.totalCount == 40
    assert [each.id for each in repositories.reversed] == forward[::-1]
    exchanges.assert_inside(mirror, github)


def test_what_an_object_lacks_is_read_by_the_links_inside_it(
    py_github: PyGithubFactory, mirror: Server, github: StandIn, exchanges: Exchanges
) -> None:
    in_list = py_github().get_organization(ORG).get_repos()[0]
    exchanges.clear()
    assert in_list.subscribers_count > 0  # only in the detail
    assert in_list.owner.followers > 0  # only in the account
    assert in_list.organization.public_repos == 40
    assert in_list.get_releases()[0].update() is True
    fork = py_github().get_repo(FORKED_REPO)
    assert fork.source is not None
    assert fork.parent.full_name == fork.source.full_name == REPO
    assert fork.parent.network_count == py_github().get_repo(REPO).network_count
    assert fork.parent.get_topics() == py_github().get_repo(REPO).get_topics()
    exchanges.assert_inside(mirror, github)


def test_what_has_no_period_is_confirmed_by_github_for_no_point(
    py_github: PyGithubFactory, mirror: Server, github: StandIn, exchanges: Exchanges
) -> None:
    def look() -> tuple[str, str, str]:
        repository = py_github().get_repo(REPO)
        newest = repository.get_commits()[0]
        return newest.sha, repository.get_branches()[0].commit.commit.message, newest.url

    first, points = look(), github.points()
    exchanges.clear()
    assert look() == first
    assert "REVALIDATED" in exchanges.outcomes
    assert github.points() == points
    exchanges.assert_inside(mirror, github)


def test_an_empty_repository_has_no_contributors(
    py_github: PyGithubFactory, exchanges: Exchanges
) -> None:
    repository = py_github().get_repo(EMPTY_REPO)
    exchanges.clear()
    for _ in range(2):
        assert list(repository.get_contributors()) == []
    assert [(each.status, each.outcome) for each in exchanges] == [(204, "MISS"), (204, "HIT")]


def test_a_body_too_big_to_keep_has_its_links_inside_the_mirror(
    py_github: PyGithubFactory, mirror: Server, github: StandIn, exchanges: Exchanges
) -> None:
    tree = py_github().get_repo(HUGE_REPO).get_git_tree("main", recursive=True)
    answer = exchanges[-1]
    assert answer.outcome == "BYPASS"
    assert len(answer.body) > 2 * 1024 * 1024
    assert all(
        each.url.startswith(f"{mirror.api}/repos/{HUGE_REPO}/git/blobs/") for each in tree.tree
    )
    exchanges.assert_inside(mirror, github)


def test_a_renamed_repository_is_followed_inside_the_mirror(
    py_github: PyGithubFactory, mirror: Server, github: StandIn, exchanges: Exchanges
) -> None:
    for _ in range(2):
        assert py_github().get_repo(OLD_NAME).full_name == RENAMED_REPO
    statuses = [each.status for each in exchanges]
    assert statuses == [301, 200, 301, 200]
    assert exchanges.outcomes[2] == "NEGATIVE"
    assert github.count(f"/repos/{OLD_NAME}") == 1
    exchanges.assert_inside(mirror, github)


def test_an_archive_is_followed_inside_the_mirror(
    py_github: PyGithubFactory, mirror: Server, github: StandIn
) -> None:
    link = py_github().get_repo(REPO).get_archive_link("tarball", "main")
    assert link.startswith(f"{mirror.api}/")
    archive = requests.get(link, timeout=10)
    assert archive.headers["X-Cache"] == "BYPASS"
    assert archive.content[:2] == b"\x1f\x8b"


def test_an_object_unchanged_is_told_so_without_github(
    py_github: PyGithubFactory, github: StandIn, exchanges: Exchanges
) -> None:
    repository = py_github().get_repo(REPO)
    github.forget()
    assert repository.update() is False
    assert exchanges[-1].status == 304
    assert github.count() == 0


def test_a_base_url_with_a_trailing_slash_will_do(
    py_github: PyGithubFactory, mirror: Server, github: StandIn, exchanges: Exchanges
) -> None:
    client = py_github(base_url=f"{mirror.api}/")
    assert len(list(client.get_organization(ORG).get_repos())) == 40
    exchanges.assert_inside(mirror, github)


def test_a_callers_own_token_sees_what_it_may_see(
    py_github: PyGithubFactory, mirror: Server, github: StandIn, exchanges: Exchanges
) -> None:
    own = github.add_token("dora", account="dora", sees=[SERVICE_PRIVATE])
    assert py_github(own).get_user().login == "dora"
    assert py_github(own).get_repo(SERVICE_PRIVATE).private is True
    assert {seen.token for seen in github.requests()} == {"dora"}
    exchanges.assert_inside(mirror, github)
