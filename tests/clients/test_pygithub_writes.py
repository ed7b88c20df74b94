"""PyGithub with a caller's own token writes through Forewarm; whoever reads next sees the change.

The repositories are of an organisation of their own: a write purges its owner's lists too.
"""

from __future__ import annotations

from collections.abc import Callable

import github as pygithub
import pytest
from github.AuthenticatedUser import AuthenticatedUser
from github.Repository import Repository

from tests.clients.conftest import PyGithubFactory
from tests.clients.exchanges import Exchanges
from tests.serving import API_KEY, Server
from tests.standin.process import StandIn

ORG, REPO = "writers", "writers/novel"


@pytest.fixture
def editor(mirror: Server, github: StandIn) -> str:
    """A GitHub token that may write to REPO."""
    github.create_org(ORG)
    github.create_repo(REPO, description="A draft")
    return github.add_token("editor", account="editor", admin_of=[ORG], member_of=[ORG])


def edited(client: pygithub.Github) -> None:
    client.get_repo(REPO).edit(description="A second draft")


def retitled(client: pygithub.Github) -> None:
    client.get_repo(REPO).replace_topics(["fiction"])


def reported(client: pygithub.Github) -> None:
    assert client.get_repo(REPO).create_issue("Chapter 3 is missing").number > 0


def starred(client: pygithub.Github) -> None:
    user = client.get_user()
    assert isinstance(user, AuthenticatedUser)
    user.add_to_starred(client.get_repo(REPO))


def look(client: pygithub.Github) -> dict[str, object]:
    """Everything that the writes below may change."""
    repository: Repository = client.get_repo(REPO)
    return {
        "description": repository.description,
        "topics": repository.get_topics(),
        "issues": repository.open_issues_count,
        "stars": repository.stargazers_count,
        "listed": [each.description for each in client.get_organization(ORG).get_repos()],
    }


@pytest.mark.parametrize(
    ("write", "changed"),
    [
        (edited, {"description": "A second draft", "listed": ["A second draft"]}),
        (retitled, {"topics": ["fiction"]}),
        (reported, {"issues": 1}),
        (starred, {"stars": 1}),
    ],
    ids=["edit", "topics", "issue", "star"],
)
@pytest.mark.parametrize("reader", ["writer", "api-key"])
def test_the_next_read_after_a_write_shows_the_change(
    py_github: PyGithubFactory,
    mirror: Server,
    github: StandIn,
    exchanges: Exchanges,
    editor: str,
    write: Callable[[pygithub.Github], None],
    changed: dict[str, object],
    reader: str,
) -> None:
    github.change_repo(REPO, stars=0, open_issues=0, topics=[])
    token = editor if reader == "writer" else API_KEY
    before = look(py_github(token))
    assert look(py_github(token)) == before  # now from Redis
    write(py_github(editor))
    assert look(py_github(token)) == before | changed
    exchanges.assert_inside(mirror, github)


def test_a_write_goes_through_once_with_the_callers_own_token(
    py_github: PyGithubFactory, github: StandIn, exchanges: Exchanges, editor: str
) -> None:
    edited(py_github(editor))
    writes = [seen for seen in github.requests() if seen.method == "PATCH"]
    assert [seen.token for seen in writes] == ["editor"]
    assert exchanges[-1].outcome == "BYPASS"
    assert exchanges[-1].headers["cache-status"].startswith("forewarm; fwd=method; fwd-status=200")


def test_a_write_with_an_api_key_is_refused_here(
    py_github: PyGithubFactory, github: StandIn, editor: str
) -> None:
    repository = py_github().get_repo(REPO)
    github.forget()
    with pytest.raises(pygithub.GithubException, match="token of your own") as refused:
        repository.edit(description="Not mine to change")
    assert refused.value.status == 403
    assert github.count() == 0


def test_githubs_refusal_of_a_write_reaches_the_caller(
    py_github: PyGithubFactory, github: StandIn, editor: str
) -> None:
    stranger = github.add_token("stranger", account="stranger")
    repository = py_github(stranger).get_repo(REPO)
    with pytest.raises(pygithub.GithubException) as refused:
        repository.edit(description="Not mine to change")
    assert refused.value.status == 403
    assert repository.update() is False


def test_a_repository_found_missing_is_there_once_created(
    py_github: PyGithubFactory, github: StandIn, editor: str
) -> None:
    client = py_github(editor)
    with pytest.raises(pygithub.UnknownObjectException):
        client.get_repo(f"{ORG}/sequel")
    client.get_organization(ORG).create_repo("sequel")
    assert client.get_repo(f"{ORG}/sequel").name == "sequel"


def test_a_name_found_missing_is_there_once_a_repository_has_it(
    py_github: PyGithubFactory, github: StandIn, editor: str
) -> None:
    client = py_github(editor)
    with pytest.raises(pygithub.UnknownObjectException):
        client.get_repo(f"{ORG}/saga")
    client.get_repo(REPO).edit(name="saga")
    assert client.get_repo(f"{ORG}/saga").name == "saga"
    assert client.get_repo(REPO).name == "saga"  # by a redirect


def test_an_edit_by_id_is_seen_by_name(
    py_github: PyGithubFactory, github: StandIn, editor: str
) -> None:
    client = py_github(editor)
    found = client.get_repo(REPO)
    found.requester.requestJsonAndCheck(
        "PATCH", f"/repositories/{found.id}", input={"description": "By its id"}
    )
    assert client.get_repo(REPO).description == "By its id"


def test_ones_own_new_repository_is_listed(
    py_github: PyGithubFactory, github: StandIn, editor: str
) -> None:
    client = py_github(editor)
    user = client.get_user()
    assert isinstance(user, AuthenticatedUser)
    user.create_repo("diary")
    assert [each.name for each in client.get_user("editor").get_repos()] == ["diary"]
    user.create_repo("notes")
    assert len(list(client.get_user("editor").get_repos())) == 2
