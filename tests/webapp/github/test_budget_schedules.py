"""Whatever the schedule: no minute too full, no needless refusal, no call beyond the hour."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.webapp.github.budgets import AWAY, NOW, Caller, Clock, told
from webapp.cache.connection import Connection
from webapp.errors import OutOfBudget
from webapp.github.budget import Lane, Rules, Slot
from webapp.github.limits import RESERVES
from webapp.secret import Secret

MOST = 30
BUCKET = 1.0  # seconds: what a minute may be counted too long
THOROUGH = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
names = (f"example-{number}" for number in itertools.count())


@pytest.fixture(params=["redis", "local"])
def connection(request: pytest.FixtureRequest, redis_url: str) -> Iterator[Connection]:
    if request.param == "local":
        yield AWAY
        return
    connection = Connection(Secret(redis_url), size=4)
    yield connection
    connection.close()


bursts = st.lists(
    st.tuples(
        st.floats(0, 70),  # seconds before it
        st.integers(1, 40),  # calls
        st.sampled_from([0.0, 0.2, 3.0, 9.9]),  # seconds that each takes
        st.floats(0, 1),  # when in that time GitHub counts it
        st.sampled_from([1, 5]),  # weight
    ),
    min_size=1,
    max_size=12,
)


@THOROUGH
@given(bursts=bursts)
def test_no_rolling_minute_holds_more_and_no_refusal_is_needless(
    connection: Connection, bursts: list[tuple[float, int, float, float, int]]
) -> None:
    clock = Clock()
    caller = Caller(connection, clock, Rules(rest_points=MOST))
    credential = next(names)
    counted: list[tuple[float, int]] = []  # at GitHub: when, how much
    spent: list[tuple[float, int]] = []  # in this process: left when, how much
    for gap, calls, seconds, share, weight in bursts:
        clock.turn(gap)
        slots = []
        for _ in range(calls):
            try:
                slots.append(caller.enter(credential=credential, weight=weight))
            except OutOfBudget:
                held = sum(size for left, size in spent if left > clock.now - 60 - BUCKET)
                assert held + weight * (len(slots) + 1) > MOST
                break
        counted += [(clock.now + share * seconds, weight)] * len(slots)
        clock.turn(seconds)
        for slot in slots:
            caller.leave(slot, points=0)
        spent += [(clock.now, weight)] * len(slots)
    for end, _ in counted:
        assert sum(size for at, size in counted if end - 60 < at <= end) <= MOST


@THOROUGH
@given(bursts=bursts)
def test_coming_back_when_told_is_never_in_vain(
    connection: Connection, bursts: list[tuple[float, int, float, float, int]]
) -> None:
    clock = Clock()
    caller = Caller(connection, clock, Rules(rest_points=MOST))
    credential = next(names)
    for gap, calls, seconds, _, weight in bursts:
        clock.turn(gap)
        for _ in range(calls):
            try:
                slot = caller.enter(credential=credential, weight=weight)
            except OutOfBudget as refused:
                clock.now = refused.retry_at
                slot = caller.enter(credential=credential, weight=weight)
            clock.turn(seconds / 10)
            caller.leave(slot, points=0)


@pytest.mark.parametrize("every", [0.01, 0.07, 0.5])
@pytest.mark.parametrize(("lane", "allowed"), [(Lane.INTERACTIVE, 900), (Lane.WARMING, 675)])
def test_flat_out_a_lane_reaches_most_of_its_rate(lane: Lane, allowed: int, every: float) -> None:
    clock = Clock(NOW + 0.9)
    caller = Caller(AWAY, clock)
    granted = 0
    offered = int(600 / every)
    for _ in range(offered):
        clock.turn(every)
        try:
            caller.call(None, lane, points=0)
        except OutOfBudget:
            continue
        granted += 1

    assert granted >= 0.95 * min(offered, 10 * allowed)


class _GitHub:
    """An hour of 60 points, spent by this budget alone; 45 of them are gone."""

    def __init__(self) -> None:
        self.used, self.reset = 45, int(NOW) + 3600

    def used_at(self, now: float) -> int:
        return self.used if self.reset > now else 0

    def answer(self, now: float, *, free: bool) -> Mapping[str, str]:
        self.used = self.used_at(now) + (not free)
        if self.reset <= now:
            self.reset = int(now) + 3600
        return told(60 - self.used, self.reset, 60)


@THOROUGH
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["enter"] * 4 + ["answer"] * 3 + ["leave"] * 2 + ["turn"]),
            st.integers(0, 9),
            st.booleans(),
            st.sampled_from(Lane),
        ),
        min_size=40,
        max_size=200,
    ),
    jump=st.sampled_from([0, 600]),
)
def test_no_call_is_let_in_beyond_a_lanes_share_of_the_hour(
    connection: Connection, steps: list[tuple[str, int, bool, Lane]], jump: int
) -> None:
    """Answers come, and are learnt, in any order; no call takes longer than its lease."""
    clock, github = Clock(), _GitHub()
    caller = Caller(connection, clock)
    credential = next(names)
    caller.call(github.answer(clock.now, free=True), credential=credential)
    under_way: list[Slot] = []
    answered: list[tuple[Slot, Mapping[str, str], bool]] = []
    entered: dict[Slot, float] = {}
    for step, number, free, lane in steps:
        if step == "enter":
            try:
                under_way.append(caller.enter(lane, credential=credential))
            except OutOfBudget:
                continue
            entered[under_way[-1]] = clock.now
            left = 60 - github.used_at(clock.now) - len(under_way)
            assert left >= 60 * RESERVES[lane] / 100
        elif step == "answer" and under_way:
            slot = under_way.pop(number % len(under_way))
            answered.append((slot, github.answer(clock.now, free=free), free))
        elif step == "leave" and answered:
            slot, headers, was_free = answered.pop(number % len(answered))
            caller.leave(slot, headers, points=0 if was_free else 1)
            del entered[slot]
        elif step == "turn":
            oldest = min(entered.values(), default=float("inf"))
            if clock.now + (jump or number) < oldest + caller.rules.lease:
                clock.turn(jump or number)


Step = tuple[str, int, int, int]


def _play(caller: Caller, clock: Clock, credential: str, steps: list[Step]) -> list[Any]:
    """What a budget says to a script of steps; moments as seconds from NOW."""
    said: list[Any] = []
    slots: list[Slot] = []
    budget = caller.budget
    for step, x, y, z in steps:
        resource = ("core", "search", "graphql")[x % 3]
        if step == "enter":
            try:
                lane = list(Lane)[y % 3]
                weight = 1 + 4 * (z % 2)
                slots.append(
                    caller.enter(lane, resource, credential=credential, points=z, weight=weight)
                )
                said.append("in")
            except OutOfBudget as error:
                said += [error.reason, error.retry_at - NOW]
        elif step == "leave" and slots:
            slot = slots.pop(x % len(slots))
            status = (200, 200, 304, 401, 403, 404, 500)[y % 7]
            reset = int(NOW) + (50, 51, 60, 300)[y % 4]
            heard = told(z * 4, reset, 20, ("core", "search", slot.resource)[x % 3])
            caller.leave(slot, heard if z else {}, status=status, points=z % 3)
        elif step == "turn":
            clock.turn((0.3, 1.0, 7.5, 16.0, 61.0)[y % 5])
        elif step == "refused":
            headers = ({}, {"Retry-After": "7"}, told(0, int(NOW) + 40))[y % 3]
            said.append(budget.refused(credential, headers) - NOW)
        elif step == "pause":
            budget.pause(credential, clock.now + y)
        elif step == "ask":
            found = budget.limits(credential, resource)
            forecast = budget.forecast(credential, resource)
            said += [found.limit, found.remaining, found.reset - NOW]
            said += [forecast - NOW if forecast else None]
            said.append(max(0.0, budget.paused_until(credential) - clock.now))
    return said


@settings(THOROUGH, max_examples=200)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(
                ["enter"] * 5 + ["leave"] * 4 + ["turn"] * 2 + ["refused", "pause", "ask"]
            ),
            st.integers(0, 8),
            st.integers(0, 12),
            st.integers(0, 4),
        ),
        max_size=80,
    )
)
def test_redis_and_the_process_say_the_same(redis_url: str, steps: list[Step]) -> None:
    connection = Connection(Secret(redis_url), size=1)
    rules = Rules(rest_points=25, graphql_points=15, calls=8)
    credential = next(names)
    said = []
    for through in (connection, AWAY):
        clock = Clock()
        said.append(_play(Caller(through, clock, rules), clock, credential, steps))
    connection.close()

    for shared, local in zip(*said, strict=True):
        assert shared == (pytest.approx(local, abs=0.01) if isinstance(local, float) else local)
