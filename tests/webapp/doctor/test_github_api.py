"""GitHub's API root, as the stand-in shows it on good days and bad ones."""

from __future__ import annotations

import pytest

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
    }


def test_a_github_that_answers_is_ok(settings: dict[str, str]) -> None:
    found = findings("github", settings)
    assert [each for each in found if each.state is not State.OK] == []


def test_asking_costs_no_point(settings: dict[str, str], github: StandIn) -> None:
    findings("github", settings)
    assert (github.count("/rate_limit"), github.points()) == (1, 0)


@pytest.mark.parametrize("kind", ["reset", "truncated", "invalid_json", "status"])
def test_a_github_that_is_down_fails(settings: dict[str, str], github: StandIn, kind: str) -> None:
    github.fault(kind)
    found = finding("github", "API root", settings)
    assert (found.state, "can't be reached" in found.reason) == (State.FAIL, True)


def test_a_github_that_never_answers_fails(settings: dict[str, str], github: StandIn) -> None:
    github.fault("black_hole")
    assert finding("github", "API root", settings).state is State.FAIL


def test_a_page_in_place_of_an_api_fails(settings: dict[str, str], github: StandIn) -> None:
    github.fault("html", status=200)
    found = finding("github", "API root", settings)
    assert (found.state, "not with JSON" in found.reason) == (State.FAIL, True)


def test_a_slow_github_is_warned_of(settings: dict[str, str], github: StandIn) -> None:
    github.latency(1_100)
    found = finding("github", "API root", settings)
    assert (found.state, "slow" in found.reason) == (State.WARN, True)


@pytest.mark.parametrize(("seconds", "way"), [(60, "behind"), (-60, "ahead of")])
def test_a_clock_that_is_off_is_warned_of(
    settings: dict[str, str], github: StandIn, seconds: int, way: str
) -> None:
    github.advance(seconds)
    found = finding("github", "clock", settings)
    assert (found.state, way in found.reason) == (State.WARN, True)


def test_a_limit_that_is_spent_is_no_outage(settings: dict[str, str], github: StandIn) -> None:
    github.fault("primary")
    assert finding("github", "API root", settings).state is State.OK


def test_tokens_in_the_clear_fail(settings: dict[str, str]) -> None:
    # A name that is never known (RFC 6761): nobody is asked.
    assert finding("github", "TLS", settings, GITHUB_API_URL="http://a.invalid").state is State.FAIL
