"""What a budget learns and whom it lets in: the same in Redis and without it."""

from __future__ import annotations

import pytest
from requests.structures import CaseInsensitiveDict

from tests.webapp.github.budgets import CREDENTIAL, NOW, RESET, Caller, Clock, told
from webapp.errors import OutOfBudget
from webapp.github.budget import Lane, Limits
from webapp.github.limits import ANONYMOUS

LANES = [(Lane.INTERACTIVE, 0.0), (Lane.WEBHOOK, 0.1), (Lane.WARMING, 0.25)]


# What headers tell


@pytest.mark.parametrize(
    ("resource", "limit", "seconds"),
    [("core", 5000, 3600), ("search", 30, 60), ("graphql", 5000, 3600)],
)
def test_what_is_unknown_is_full(caller: Caller, resource: str, limit: int, seconds: int) -> None:
    found = caller.budget.limits(CREDENTIAL, resource)

    assert found == Limits(limit, limit, 0, int(NOW) + seconds, resource)


def test_an_unknown_anonymous_limit_is_60(caller: Caller) -> None:
    assert caller.budget.limits(ANONYMOUS, "core").limit == 60


def test_the_tier_is_learnt(caller: Caller) -> None:
    caller.call(told(14_999, limit=15_000))

    assert caller.budget.limits(CREDENTIAL, "core") == Limits(15_000, 14_999, 1, RESET, "core")


def test_answers_out_of_order_leave_the_minimum(caller: Caller) -> None:
    slots = [caller.enter() for _ in range(3)]
    for slot, remaining in zip(slots, (100, 98, 99), strict=True):
        caller.leave(slot, told(remaining))

    assert caller.remaining() == 98


def test_a_later_reset_opens_a_new_window(caller: Caller) -> None:
    caller.call(told(7))
    caller.call(told(4998, RESET + 3600))

    assert caller.remaining() == 4998


def test_an_answer_of_an_older_window_tells_nothing(caller: Caller) -> None:
    caller.call(told(4998, RESET + 3600))
    caller.call(told(7))

    assert caller.remaining() == 4998


def test_a_reset_told_a_second_later_is_the_same_window(caller: Caller) -> None:
    caller.call(told(7))
    caller.call(told(8, RESET + 1))

    assert caller.remaining() == 7


def test_a_window_that_has_ended_is_full_again(caller: Caller, clock: Clock) -> None:
    caller.call(told(7, limit=15_000))
    clock.turn(3000)

    assert caller.remaining() == 15_000


def test_a_straggler_of_a_window_that_has_ended_tells_nothing(caller: Caller, clock: Clock) -> None:
    caller.call(told(7))
    slot = caller.enter()
    clock.turn(3001)
    caller.leave(slot, told(6))

    assert caller.remaining() == 5000


def test_a_refusal_in_a_window_that_ended_here_holds_for_a_moment(
    caller: Caller, clock: Clock
) -> None:
    # Our clock runs ahead of GitHub's.
    caller.call(told(7))
    clock.turn(3000)
    caller.call(told(0), status=403)
    refused = caller.refusal()
    assert refused
    assert refused.retry_at == pytest.approx(NOW + 3002, abs=0.01)
    clock.turn(2)
    caller.call(told(4999, RESET + 3600))

    assert caller.remaining() == 4999


def test_without_headers_own_spending_is_counted_down(caller: Caller) -> None:
    caller.call(told(100))
    caller.call()

    assert caller.remaining() == 99


def test_a_401_teaches_nothing(caller: Caller) -> None:
    caller.call(told(100))
    caller.call(told(59, limit=60), status=401, points=0)

    assert caller.budget.limits(CREDENTIAL, "core").limit == 5000
    assert caller.remaining() == 100


@pytest.mark.parametrize("value", ["", "many", "-1", "1.5"])
def test_headers_that_are_no_numbers_teach_nothing(caller: Caller, value: str) -> None:
    caller.call(told(100))
    caller.call(CaseInsensitiveDict({**told(50), "x-ratelimit-remaining": value}))

    assert caller.remaining() == 99


def test_the_resource_is_what_the_header_says(caller: Caller) -> None:
    caller.call(told(100))
    caller.call(told(29, int(NOW) + 60, 30, "search"))

    assert (caller.remaining(), caller.remaining("search")) == (100, 29)


def test_a_304_gives_its_point_back(caller: Caller) -> None:
    caller.call(told(100))
    slot = caller.enter()
    assert caller.remaining() == 99
    caller.leave(slot, status=304, points=0)

    assert caller.remaining() == 100


def test_an_anonymous_304_costs_a_point(caller: Caller) -> None:
    caller.call(None, status=304, points=1, credential=ANONYMOUS)

    assert caller.remaining(credential=ANONYMOUS) == 59


def test_what_was_heard_lately_is_told_without_asking(caller: Caller, clock: Clock) -> None:
    caller.call(told(100))
    clock.turn(4)

    assert caller.budget.limits(CREDENTIAL, "core", within=5).remaining == 100


def test_credentials_have_budgets_of_their_own(caller: Caller) -> None:
    caller.call(told(7), credential="a")

    assert (caller.remaining(credential="a"), caller.remaining(credential="b")) == (7, 5000)


# Lanes


@pytest.mark.parametrize(("lane", "reserve"), LANES)
def test_a_lane_leaves_its_reserve_of_the_hour(caller: Caller, lane: Lane, reserve: float) -> None:
    left = int(60 * reserve)
    caller.call(told(left + 2, limit=60))
    caller.call(None, lane)
    caller.call(None, lane)

    refused = caller.refusal(lane)

    assert refused
    assert refused.reason == "hour"
    assert refused.retry_at == pytest.approx(RESET, abs=0.01)
    assert caller.remaining() == left


@pytest.mark.parametrize(("lane", "reserve"), LANES)
def test_a_lane_leaves_its_reserve_of_the_minute(
    caller: Caller, lane: Lane, reserve: float
) -> None:
    number, refused = caller.calls_until_refused(lane)

    assert number == int(900 * (1 - reserve))
    assert refused
    assert refused.reason == "minute"
    assert refused.retry_at == pytest.approx(NOW + 61, abs=0.01)


@pytest.mark.parametrize(("lane", "reserve"), LANES)
def test_a_lane_leaves_its_reserve_of_the_slots(caller: Caller, lane: Lane, reserve: float) -> None:
    for _ in range(int(100 * (1 - reserve))):
        caller.enter(lane)

    refused = caller.refusal(lane)

    assert refused
    assert refused.reason == "slots"
    assert NOW < refused.retry_at < NOW + 1


def test_what_warming_leaves_interactive_may_spend(caller: Caller) -> None:
    warming, _ = caller.calls_until_refused(Lane.WARMING)
    interactive, _ = caller.calls_until_refused(Lane.INTERACTIVE)

    assert (warming, interactive) == (675, 225)


def test_rest_and_graphql_share_slots(caller: Caller) -> None:
    for resource in ("core", "graphql") * 50:
        caller.enter(resource=resource)

    refused = caller.refusal(resource="search")

    assert refused
    assert refused.reason == "slots"


def test_graphql_has_a_minute_of_its_own(caller: Caller) -> None:
    caller.calls_until_refused(Lane.INTERACTIVE)

    assert caller.refusal(resource="graphql") is None


def test_points_in_flight_are_spoken_for(caller: Caller) -> None:
    caller.call(told(10))
    caller.enter(points=7)

    with pytest.raises(OutOfBudget) as refused:
        caller.enter(points=4)
    # The one in flight may turn out to be free: not an hour.
    assert refused.value.retry_at == pytest.approx(NOW + 1, abs=0.01)


def test_a_write_weighs_five_of_the_minute(caller: Caller) -> None:
    for _ in range(180):
        caller.leave(caller.enter(weight=5), points=1)

    refused = caller.refusal()

    assert refused
    assert refused.reason == "minute"


def test_a_304_counts_in_the_minute(caller: Caller) -> None:
    for _ in range(900):
        caller.call(status=304, points=0)

    refused = caller.refusal()

    assert refused
    assert refused.reason == "minute"


def test_the_longest_wait_is_told(caller: Caller) -> None:
    caller.call(told(0))
    for _ in range(100):
        caller.enter(resource="graphql")

    refused = caller.refusal()

    assert refused
    assert refused.reason == "hour"


def test_a_minute_is_counted_from_leaving(caller: Caller, clock: Clock) -> None:
    # The call may have arrived as late as that.
    slots = [caller.enter(weight=9) for _ in range(100)]
    clock.turn(10)
    for slot in slots:
        caller.leave(slot)
    clock.turn(59.5)
    refused = caller.refusal()

    assert refused
    assert refused.retry_at == pytest.approx(NOW + 71, abs=0.01)


# Leases


def test_a_slot_never_left_ends_with_its_lease(caller: Caller, clock: Clock) -> None:
    for _ in range(100):
        caller.enter()
    assert caller.refusal()
    clock.turn(15)

    assert caller.refusal() is None


def test_what_never_left_is_taken_as_spent(caller: Caller, clock: Clock) -> None:
    caller.call(told(100))
    for _ in range(10):
        caller.enter()
    clock.turn(15)
    caller.call()

    assert caller.remaining() == 89


def test_leaving_after_the_lease_counts_nothing_twice(caller: Caller, clock: Clock) -> None:
    caller.call(told(100))
    late = caller.enter()
    clock.turn(15)
    caller.call()
    caller.leave(late)

    assert caller.remaining() == 98
