"""The App: which installation is asked with, and what becomes of one that GitHub refuses."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import requests

from script.embedded import Valkey
from tests.standin.process import StandIn
from tests.webapp.github.app.installed import (
    MINTING,
    Process,
    app_environ,
    minted,
    mortal,
    processes,
    public_pem,
    shown,
)
from webapp.errors import CredentialRefused, GitHubUnavailable
from webapp.github.app.installations import ABSENT_FOR, FOUND_FOR
from webapp.github.app.notes import REFUSED_FOR
from webapp.github.app.tokens import PATIENCE

__all__ = ["mortal"]


@pytest.fixture
def two(github: StandIn, redis_url: str) -> Iterator[list[Process]]:
    github.app(public_pem())
    with processes(app_environ(github, redis_url)) as made:
        yield made


@pytest.fixture
def one(two: list[Process]) -> Process:
    return two[0]


def revoke(github: StandIn, token: str) -> None:
    """As an operator does: the token is given back, and so is bad from now on."""
    headers = {"Authorization": f"Bearer {token}"}
    url = f"{github.url}/installation/token"
    assert requests.delete(url, headers=headers, timeout=5).status_code == 204


def test_an_organisation_is_asked_for_with_its_installation(one: Process, github: StandIn) -> None:
    github.install("pallets")
    installed = github.install("initech")

    credential = one.get("initech")

    assert (credential.kind, credential.installation) == ("installation", installed)
    assert credential.owner == "initech"


def test_a_user_is_asked_for_with_its_installation(one: Process, github: StandIn) -> None:
    github.install("pallets")
    installed = github.install("mitsuhiko")

    assert one.get("Mitsuhiko").installation == installed


def test_the_token_that_is_given_works(one: Process, github: StandIn) -> None:
    github.install("initech")
    headers = {"Authorization": one.get("initech").authorization()}

    answer = requests.get(f"{github.url}/repos/initech/payroll", headers=headers, timeout=5)

    assert answer.status_code == 200


def test_an_owner_without_installation_is_asked_for_with_the_lowest(
    two: list[Process], github: StandIn
) -> None:
    lowest = github.install("pallets")
    github.install("initech")

    credentials = [process.get(owner) for process in two for owner in ("psf", None, "a/../b")]

    assert {each.installation for each in credentials} == {lowest}
    assert {each.owner for each in credentials} == {""}


@pytest.mark.parametrize("name", ["../app", "a/b", "a?b=c", "a%2fb", "ä"])
def test_a_name_that_no_account_can_have_is_not_asked_for(
    one: Process, github: StandIn, name: str
) -> None:
    installed = github.install("pallets")
    one.get(name)

    asked = [seen.path for seen in github.requests()]
    assert asked == ["/app/installations", f"{MINTING}{installed}/access_tokens"]


def test_an_installation_is_looked_up_once_for_all_processes(
    two: list[Process], github: StandIn
) -> None:
    github.install("initech")
    for process in (*two, *two):
        process.get("initech")

    assert github.count("/orgs/initech/installation") == 1


def test_an_owner_without_one_is_remembered(two: list[Process], github: StandIn) -> None:
    github.install("initech")
    for process in (*two, *two):
        process.get("psf")

    assert github.count("/orgs/psf/installation") == 1


@pytest.mark.parametrize(("owner", "period"), [("initech", FOUND_FOR), ("psf", ABSENT_FOR)])
def test_what_was_learnt_of_an_owner_ends(
    one: Process, github: StandIn, owner: str, period: float
) -> None:
    github.install("initech")
    one.get(owner)
    one.pass_time(github, period + 1)
    one.get(owner)

    assert github.count(f"/orgs/{owner}/installation") == 2


def test_an_owner_who_installs_it_can_be_told(two: list[Process], github: StandIn) -> None:
    github.install("initech")
    two[1].get("psf")
    installed = github.install("psf")
    github.lag(0)  # or the stand-in answers from before
    two[0].credentials.installed("psf")

    assert two[1].get("psf").installation == installed


def test_owners_are_learnt_without_redis_too(one: Process, github: StandIn, mortal: Valkey) -> None:
    github.install("initech")
    mortal.kill()
    one.get("initech")
    one.get("initech")

    assert github.count("/orgs/initech/installation") == 1


def test_an_app_that_is_installed_nowhere_is_refused(one: Process) -> None:
    with pytest.raises(CredentialRefused) as refused:
        one.get("initech")

    assert refused.value.reason == "not installed"


def test_an_app_that_github_does_not_know_is_refused(
    github: StandIn, redis_url: str, one: Process
) -> None:
    environ = app_environ(github, redis_url) | {"GITHUB_APP_ID": "77"}
    with processes(environ, 1) as (other,), pytest.raises(CredentialRefused) as refused:
        other.get("initech")

    assert refused.value.reason == "unknown App"


def test_an_unknown_app_is_not_asked_for_again_at_once(
    github: StandIn, redis_url: str, one: Process
) -> None:
    environ = app_environ(github, redis_url) | {"GITHUB_APP_ID": "77"}
    with processes(environ) as others:
        for other in (*others, *others):
            with pytest.raises(CredentialRefused):
                other.get("initech")

    assert github.count() == 1


def test_a_suspended_installation_is_refused(two: list[Process], github: StandIn) -> None:
    github.install("pallets")
    github.suspend(github.install("initech"))
    for process in (*two, *two):
        with pytest.raises(CredentialRefused) as refused:
            process.get("initech")
        assert refused.value.reason == "suspended"

    assert minted(github) == 1


def test_a_resumed_installation_is_asked_with_again(one: Process, github: StandIn) -> None:
    installed = github.install("initech")
    github.suspend(installed)
    with pytest.raises(CredentialRefused):
        one.get("initech")
    github.suspend(installed, suspended=False)
    one.clock.moved = REFUSED_FOR + 1

    assert one.get("initech").installation == installed


def test_a_suspended_installation_stands_in_for_nobody(one: Process, github: StandIn) -> None:
    github.suspend(github.install("pallets"))
    installed = github.install("initech")

    assert one.get("psf").installation == installed


def test_one_suspended_since_it_was_listed_makes_way(one: Process, github: StandIn) -> None:
    first, second = github.install("pallets"), github.install("initech")
    one.get("psf")
    github.suspend(first)
    one.pass_time(github, 290)  # the list still counts, the token is lost
    one.credentials._app.tokens._held.clear()  # type: ignore[union-attr]
    for key in one.redis.scan_iter("fw:app:*:token:*"):
        one.redis.delete(key)

    assert one.get("psf").installation == second


def test_one_that_was_removed_and_installed_anew_is_found(one: Process, github: StandIn) -> None:
    first = github.install("initech")
    one.get("initech")
    github.uninstall(first)
    second = github.install("initech")
    one.pass_time(github, 3_590)  # the token is over, what was learnt of the owner isn't

    assert one.get("initech").installation == second


def test_without_its_own_installation_an_owner_is_seen_as_the_public(
    one: Process, github: StandIn
) -> None:
    other = github.install("pallets")
    gone = github.install("initech")
    one.get("initech")
    github.uninstall(gone)
    one.pass_time(github, 3_590)

    credential = one.get("initech")

    assert (credential.installation, credential.owner) == (other, "")


def test_a_revoked_token_is_replaced_once_for_all_processes(
    two: list[Process], github: StandIn
) -> None:
    github.install("initech")
    first = [process.get("initech") for process in two]
    revoke(github, shown(first[0]))

    instead = [
        process.credentials.refused(credential)
        for process, credential in zip(two, first, strict=True)
    ]

    assert minted(github) == 2
    assert instead[0] is not None
    assert instead[0].authorization() != first[0].authorization()
    assert instead == [two[0].get("initech"), two[1].get("initech")]
    assert two[0].credentials.set_aside() == []


def test_an_installation_keeps_its_id_with_another_token(one: Process, github: StandIn) -> None:
    github.install("initech")
    before = one.get("initech")
    after = one.credentials.refused(before)

    assert after is not None
    assert after.id == before.id
    assert after.fingerprint != before.fingerprint


def test_an_installation_refused_with_its_new_token_too_is_set_aside(
    one: Process, github: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    github.install("initech")
    credential = one.get("initech")
    again = one.credentials.refused(credential)
    assert again is not None
    with caplog.at_level(logging.WARNING):
        assert one.credentials.refused(again) is None

    assert [each.id for each in one.credentials.set_aside()] == [credential.id]
    assert minted(github) == 2
    assert shown(again) not in caplog.text
    assert credential.id in caplog.text


def test_an_installation_set_aside_does_not_stand_in_for_others(
    one: Process, github: StandIn
) -> None:
    first, second = github.install("pallets"), github.install("initech")
    again = one.credentials.refused(one.get("psf"))
    assert again is not None
    assert again.installation == first
    one.credentials.refused(again)

    assert one.get("psf").installation == second


def test_a_token_minted_long_ago_for_another_is_replaced_again(
    one: Process, github: StandIn
) -> None:
    github.install("initech")
    again = one.credentials.refused(one.get("initech"))
    assert again is not None
    one.clock.moved = PATIENCE + 1

    assert one.credentials.refused(again) is not None


def test_a_401_of_a_removed_installation_says_so(one: Process, github: StandIn) -> None:
    gone = github.install("initech")
    credential = one.get("initech")
    github.uninstall(gone)

    with pytest.raises(CredentialRefused) as refused:
        one.credentials.refused(credential)

    assert refused.value.reason == "removed"
    assert [each.id for each in one.credentials.set_aside()] == [credential.id]


@pytest.mark.parametrize("kind", ["reset", "html", "truncated", "invalid_json", "secondary"])
def test_github_being_unavailable_is_no_refusal(one: Process, github: StandIn, kind: str) -> None:
    github.install("initech")
    github.fault(kind, f"{MINTING}*", **({"status": 502} if kind == "html" else {}))

    with pytest.raises(GitHubUnavailable):
        one.get("initech")
    assert one.credentials.set_aside() == []


def test_what_could_not_be_minted_is_minted_soon_after(one: Process, github: StandIn) -> None:
    installed = github.install("initech")
    github.fault("status", f"{MINTING}*", status=500, count=1)
    with pytest.raises(GitHubUnavailable):
        one.get("initech")
    one.clock.moved = 3

    assert one.get("initech").installation == installed
