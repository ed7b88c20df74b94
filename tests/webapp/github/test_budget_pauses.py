"""Pauses, forecasts and the choice of a credential: the same in Redis and without it."""

from __future__ import annotations

import pytest

from tests.webapp.github.budgets import CREDENTIAL, NOW, Caller, Clock, told
from webapp.github.budget import Lane

# Pauses


def test_a_pause_stops_every_resource_and_lane(caller: Caller) -> None:
    caller.budget.pause(CREDENTIAL, NOW + 30)

    for resource in ("core", "search", "graphql"):
        refused = caller.refusal(resource=resource)
        assert refused
        assert refused.reason == "paused"
        assert refused.retry_at == pytest.approx(NOW + 30, abs=0.01)


def test_a_pause_is_one_credentials(caller: Caller) -> None:
    caller.budget.pause("another", NOW + 30)

    assert caller.refusal() is None


def test_a_pause_ends(caller: Caller, clock: Clock) -> None:
    caller.budget.pause(CREDENTIAL, NOW + 30)
    assert caller.budget.paused_until(CREDENTIAL) == pytest.approx(NOW + 30, abs=0.01)
    clock.turn(30)

    assert caller.refusal() is None
    assert caller.budget.paused_until(CREDENTIAL) <= clock.now


def test_a_shorter_pause_cuts_no_longer_one(caller: Caller) -> None:
    caller.budget.pause(CREDENTIAL, NOW + 30)
    caller.budget.pause(CREDENTIAL, NOW + 10)

    assert caller.budget.paused_until(CREDENTIAL) == pytest.approx(NOW + 30, abs=0.01)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "17"}, 17),
        ({"Retry-After": "Fri, 15 Jan 2027 08:00:30 GMT"}, 30),  # NOW is 08:00:00
        ({"Retry-After": "17", **told(0)}, 17),
        (told(0), 3000),
        (told(4000), 60),
        ({}, 60),
        ({"Retry-After": "soon"}, 60),
        ({"Retry-After": "999999"}, 3600),
    ],
)
def test_a_secondary_limit_pauses_as_github_says(
    caller: Caller, headers: dict[str, str], seconds: int
) -> None:
    until = caller.budget.refused(CREDENTIAL, headers)

    assert until == pytest.approx(NOW + seconds, abs=0.01)
    refused = caller.refusal()
    assert refused
    assert refused.retry_at == pytest.approx(until, abs=0.01)


def test_a_guessed_pause_doubles_up_to_an_hour(caller: Caller, clock: Clock) -> None:
    pauses = []
    for _ in range(9):
        until = caller.budget.refused(CREDENTIAL, {})
        pauses.append(round(until - clock.now))
        clock.now = until

    assert pauses == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_refusals_during_a_pause_are_one(caller: Caller, clock: Clock) -> None:
    for _ in range(50):
        until = caller.budget.refused(CREDENTIAL, {})

    assert until == pytest.approx(NOW + 60, abs=0.01)


def test_a_success_after_the_pause_forgets_the_doubling(caller: Caller, clock: Clock) -> None:
    clock.now = caller.budget.refused(CREDENTIAL, {})
    clock.now = caller.budget.refused(CREDENTIAL, {})
    caller.call()

    assert caller.budget.refused(CREDENTIAL, {}) == pytest.approx(clock.now + 60, abs=0.01)


def test_a_success_under_way_when_the_pause_began_forgets_nothing(
    caller: Caller, clock: Clock
) -> None:
    slot = caller.enter()
    until = caller.budget.refused(CREDENTIAL, {})
    caller.leave(slot)
    clock.now = until

    assert caller.budget.refused(CREDENTIAL, {}) == pytest.approx(until + 120, abs=0.01)


# Forecasts


def test_a_steady_rate_forecasts_the_end(caller: Caller, clock: Clock) -> None:
    # 10 points a second for 5 minutes, whoever spends them: 2,000 left last 200 s.
    for passed in range(0, 301, 10):
        caller.call(told(5000 - 10 * passed))
        clock.turn(10)

    at = caller.budget.forecast(CREDENTIAL, "core")

    assert at
    assert at - clock.now == pytest.approx(200, rel=0.1)


def test_a_slow_rate_forecasts_none(caller: Caller, clock: Clock) -> None:
    for passed in range(0, 301, 10):
        caller.call(told(5000 - passed // 10))
        clock.turn(10)

    assert caller.budget.forecast(CREDENTIAL, "core") is None


def test_spending_that_has_stopped_forecasts_none(caller: Caller, clock: Clock) -> None:
    reset = int(NOW) + 3600
    for passed in range(0, 301, 10):
        caller.call(told(5000 - 10 * passed, reset))
        clock.turn(10)
    clock.turn(2000)

    assert caller.budget.forecast(CREDENTIAL, "core") is None


def test_nothing_left_is_forecast_as_now(caller: Caller) -> None:
    caller.call(told(0))

    assert caller.budget.forecast(CREDENTIAL, "core") == pytest.approx(NOW, abs=0.01)


def test_nothing_spent_forecasts_none(caller: Caller) -> None:
    assert caller.budget.forecast(CREDENTIAL, "core") is None


# Choosing


def choice(caller: Caller, lane: Lane = Lane.INTERACTIVE) -> str:
    return caller.budget.choose(["a", "b", "c"], "core", lane)


def test_most_budget_left_goes_first(caller: Caller) -> None:
    for credential, remaining in (("a", 10), ("b", 30), ("c", 20)):
        caller.call(told(remaining), credential=credential)

    assert choice(caller) == "b"


def test_calls_in_flight_count_when_choosing(caller: Caller) -> None:
    chosen = []
    for _ in range(6):
        chosen.append(choice(caller))
        caller.enter(credential=chosen[-1])

    assert chosen == ["a", "b", "c"] * 2


def test_a_paused_credential_comes_last(caller: Caller) -> None:
    caller.call(told(10), credential="b")
    caller.call(told(20), credential="c")
    caller.budget.pause("a", NOW + 30)

    assert choice(caller) == "c"


def test_one_that_a_lane_may_not_spend_comes_last(caller: Caller) -> None:
    caller.call(told(1200), credential="a")
    caller.call(told(30, limit=60), credential="b")
    caller.call(told(10), credential="c")

    assert (choice(caller), choice(caller, Lane.WARMING)) == ("a", "b")


def test_of_those_that_must_wait_the_soonest_is_chosen(caller: Caller) -> None:
    for credential, seconds in (("a", 30), ("b", 10), ("c", 20)):
        caller.budget.pause(credential, NOW + seconds)

    assert choice(caller) == "b"


def test_there_must_be_a_candidate(caller: Caller) -> None:
    with pytest.raises(ValueError, match="no credential"):
        caller.budget.choose([], "core", Lane.INTERACTIVE)
