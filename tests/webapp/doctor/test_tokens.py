"""Tokens: accepted, of equal sight, of accounts of their own; a public one that sees too much."""

from __future__ import annotations

import pytest

from tests.standin.accounts import (
    ALICE_TOKEN,
    BOB_TOKEN,
    FINE_GRAINED_TOKEN,
    PUBLIC_TOKEN,
    SERVICE_TOKEN,
    SERVICE_TOKEN_2,
)
from tests.standin.process import StandIn
from tests.webapp.doctor.asking import finding, findings
from webapp.doctor.finding import State


@pytest.fixture
def settings(github: StandIn) -> dict[str, str]:
    return {
        "HOST": "127.0.0.1",
        "REDIS_URL": "redis://127.0.0.1:1",
        "DATABASE_URL": "postgresql://127.0.0.1:1/forewarm",
        "GITHUB_API_URL": github.url,
        "SECRET_KEY": "a secret key for tests only",
    }


def states(settings: dict[str, str], *tokens: str, public: str = "") -> dict[str, State]:
    more = {"GITHUB_TOKENS": ",".join(tokens), "GITHUB_PUBLIC_TOKEN": public}
    return {each.name: each.state for each in findings("tokens", settings, **more)}


def twin(github: StandIn) -> str:
    """A token of another account that sees what alice's sees."""
    sees = ["initech/alice-only", "initech/shared"]
    member_of = ["initech", "pallets"]
    return github.add_token("twin", account="twin", sees=sees, member_of=member_of)


def test_one_good_token_is_ok(settings: dict[str, str]) -> None:
    assert states(settings, SERVICE_TOKEN) == {"token": State.OK}


def test_no_token_is_nothing_to_check(settings: dict[str, str]) -> None:
    assert states(settings) == {"tokens": State.OK}


def test_a_token_is_shown_by_account_and_a_keyed_fingerprint(settings: dict[str, str]) -> None:
    here = finding("tokens", "token", settings, GITHUB_TOKEN=SERVICE_TOKEN).reason
    there = finding(
        "tokens",
        "token",
        {**settings, "SECRET_KEY": "another secret key for tests"},
        GITHUB_TOKEN=SERVICE_TOKEN,
    ).reason
    assert "(forewarm-bot) is accepted; 5,000 of 5,000 points left" in here
    assert here[:8] != there[:8]


def test_a_token_that_github_refuses_fails(settings: dict[str, str], github: StandIn) -> None:
    github.remove_token("alice")
    assert states(settings, ALICE_TOKEN) == {"token": State.FAIL}


def test_a_token_with_few_points_left_is_warned_of(
    settings: dict[str, str], github: StandIn
) -> None:
    github.use("alice", 4_800)
    assert states(settings, ALICE_TOKEN) == {"token": State.WARN}


def test_tokens_of_equal_sight_are_ok(settings: dict[str, str], github: StandIn) -> None:
    found = states(settings, ALICE_TOKEN, twin(github))
    assert found == {"token": State.OK, "equal sight": State.OK}


def test_tokens_of_unequal_sight_fail(settings: dict[str, str]) -> None:
    assert states(settings, ALICE_TOKEN, BOB_TOKEN)["equal sight"] is State.FAIL


def test_as_many_private_repositories_are_not_the_same_ones(settings: dict[str, str]) -> None:
    tokens = f"{ALICE_TOKEN},{BOB_TOKEN}"
    reason = finding("tokens", "equal sight", settings, GITHUB_TOKENS=tokens).reason
    assert reason.count("sees 2 private repositories") == 2


def test_private_repositories_are_counted_and_not_named(settings: dict[str, str]) -> None:
    found = findings("tokens", settings, GITHUB_TOKENS=f"{SERVICE_TOKEN},{ALICE_TOKEN}")
    assert [each for each in found if "initech" in each.reason + each.action] == []


def test_losing_access_to_one_repository_makes_sight_unequal(
    settings: dict[str, str], github: StandIn
) -> None:
    other = twin(github)
    github.revoke("twin", "initech/shared")
    assert states(settings, ALICE_TOKEN, other)["equal sight"] is State.FAIL


def test_members_of_different_organisations_are_warned_of(
    settings: dict[str, str], github: StandIn
) -> None:
    token = github.add_token(
        "outsider", account="outsider", sees=["initech/shared"], member_of=["initech", "psf"]
    )
    assert states(settings, FINE_GRAINED_TOKEN, token)["equal membership"] is State.WARN


def test_two_tokens_of_one_account_share_a_budget(settings: dict[str, str]) -> None:
    assert states(settings, SERVICE_TOKEN, SERVICE_TOKEN_2)["shared budget"] is State.WARN


def test_a_public_token_of_the_services_account_shares_its_budget(
    settings: dict[str, str],
) -> None:
    assert states(settings, SERVICE_TOKEN, public=SERVICE_TOKEN_2)["shared budget"] is State.WARN


def test_a_public_token_that_sees_nothing_private_is_ok(settings: dict[str, str]) -> None:
    found = states(settings, public=PUBLIC_TOKEN)
    assert found == {"public token": State.OK, "public sight": State.OK}


@pytest.mark.parametrize("token", [BOB_TOKEN, FINE_GRAINED_TOKEN], ids=["classic", "fine-grained"])
def test_a_public_token_that_sees_anything_private_fails(
    settings: dict[str, str], token: str
) -> None:
    assert states(settings, public=token)["public sight"] is State.FAIL


def test_a_public_token_that_could_see_private_things_is_warned_of(
    settings: dict[str, str], github: StandIn
) -> None:
    token = github.add_token("able", account="able", scopes=["repo"])
    assert states(settings, public=token)["public sight"] is State.WARN


def test_a_public_token_of_an_organisations_member_is_warned_of(
    settings: dict[str, str], github: StandIn
) -> None:
    token = github.add_token("member", account="member", scopes=[], member_of=["pallets"])
    assert states(settings, public=token)["public sight"] is State.WARN


def test_sight_that_github_does_not_tell_is_warned_of(
    settings: dict[str, str], github: StandIn
) -> None:
    other = twin(github)
    github.fault("forbidden", path="/user/repos*", token="twin")
    assert states(settings, ALICE_TOKEN, other)["equal sight"] is State.WARN


def test_a_github_that_is_down_fails_each_token(settings: dict[str, str], github: StandIn) -> None:
    github.fault("reset")
    assert states(settings, ALICE_TOKEN) == {"token": State.FAIL}
