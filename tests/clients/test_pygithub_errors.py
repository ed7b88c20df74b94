"""What goes wrong arrives as the exception that PyGithub's users already catch."""

from __future__ import annotations

import github as pygithub
import pytest

from tests.clients.conftest import PyGithubFactory
from tests.clients.exchanges import Exchanges
from tests.standin.landmarks import ALICE_PRIVATE, BLOCKED_REPO
from tests.standin.process import StandIn

KNOWN = "pallets/flask"


@pytest.mark.parametrize("name", ["pallets/no-such-repository", ALICE_PRIVATE])
def test_what_isnt_there_or_may_not_be_seen_is_an_unknown_object(
    py_github: PyGithubFactory, github: StandIn, exchanges: Exchanges, name: str
) -> None:
    for _ in range(2):
        with pytest.raises(pygithub.UnknownObjectException):
            py_github().get_repo(name)
    assert exchanges.outcomes == ["MISS", "NEGATIVE"]
    assert github.count() == 1


def test_an_unknown_api_key_is_bad_credentials_and_never_reaches_github(
    py_github: PyGithubFactory, github: StandIn
) -> None:
    with pytest.raises(pygithub.BadCredentialsException):
        py_github("fwk_a-key-that-nobody-gave-out").get_repo(KNOWN)
    assert github.count() == 0


def test_a_token_that_github_doesnt_know_is_bad_credentials(
    py_github: PyGithubFactory, github: StandIn
) -> None:
    with pytest.raises(pygithub.BadCredentialsException):
        py_github("ghp_" + "unknown".ljust(36, "0")).get_repo(KNOWN)
    assert github.count() == 1


def test_a_blocked_repository_is_451(py_github: PyGithubFactory) -> None:
    with pytest.raises(pygithub.GithubException) as refused:
        py_github().get_repo(BLOCKED_REPO)
    assert refused.value.status == 451


def test_the_services_own_account_is_nobodys_to_read(
    py_github: PyGithubFactory, github: StandIn
) -> None:
    with pytest.raises(pygithub.GithubException, match="token of your own") as refused:
        py_github().get_user().login  # noqa: B018 - read from GitHub when looked at
    assert refused.value.status == 403
    assert github.count() == 0
