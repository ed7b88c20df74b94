"""A GitHub App instead of tokens, as callers meet it."""

from __future__ import annotations

import pytest

from tests.serving import Forewarm, ForewarmFactory
from tests.standin.apps import APP_ID
from tests.standin.landmarks import SERVICE_PRIVATE
from tests.standin.process import StandIn
from tests.webapp.github.app.installed import minted, private_pem, public_pem

PATH = f"/repos/{SERVICE_PRIVATE}"


@pytest.fixture
def installation(github: StandIn) -> int:
    github.app(public_pem())
    return github.install("initech")


@pytest.fixture
def forewarm(start_forewarm: ForewarmFactory, installation: int) -> Forewarm:
    assert installation
    return start_forewarm(
        GITHUB_TOKEN="", GITHUB_APP_ID=str(APP_ID), GITHUB_APP_PRIVATE_KEY=private_pem()
    )


def test_an_installation_sees_its_owners_private_repositories(
    forewarm: Forewarm, github: StandIn
) -> None:
    answers = [forewarm.get(PATH).headers["X-Cache"] for _ in range(2)]
    assert answers == ["MISS", "HIT"]
    assert minted(github) == 1


def test_the_next_token_revalidates_at_no_points(
    forewarm: Forewarm, start_forewarm: ForewarmFactory, github: StandIn, installation: int
) -> None:
    forewarm.get(PATH)
    # Another token of the same installation: what the next hour brings.
    forewarm.services.redis.flushall()
    next_hour = start_forewarm(
        GITHUB_TOKEN="", GITHUB_APP_ID=str(APP_ID), GITHUB_APP_PRIVATE_KEY=private_pem()
    )
    assert next_hour.get(PATH).headers["X-Cache"] == "REVALIDATED"
    assert minted(github) == 2
    assert [seen.points for seen in github.requests(PATH)] == [1, 0]


def test_a_suspended_installation_is_no_outage(
    forewarm: Forewarm, github: StandIn, installation: int
) -> None:
    forewarm.get(PATH)
    github.suspend(installation)
    forewarm.services.redis.flushall()
    answer = forewarm.get(PATH)
    assert answer.status_code in {403, 502}
    assert answer.headers["X-Cache"] != "GRACE"
