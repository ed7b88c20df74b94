"""Deliveries that failed, asked for again as the App, from the stand-in to a real receiver."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.standin.process import StandIn
from tests.standin.receiver import Receiver
from tests.webapp.github.app_installed import Process, app_environ, processes, public_pem
from tests.workers.processes import wait_for
from webapp.github.app_api import HookDelivery
from webapp.redelivery import OFF_FOR, TIMES, Redelivery, missing

DELIVERIES = "/app/hook/deliveries"
NOBODY = "http://127.0.0.1:9/"
"""Where nothing listens."""


@pytest.fixture
def process(github: StandIn, redis_url: str) -> Iterator[Process]:
    github.app(public_pem())
    with processes(app_environ(github, redis_url), 1) as (made,):
        yield made


@pytest.fixture
def redelivery(process: Process) -> Redelivery:
    return Redelivery(process.credentials, process.redis, process.clock)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def lose(process: Process, github: StandIn, receiver: Receiver) -> None:
    """A star that isn't told: its two deliveries are lost, and their sendings settled."""
    github.hook(receiver.url, lose=2)
    github.star("pallets/flask")
    settle(process, github)


def settle(process: Process, github: StandIn, seconds: float = 70) -> None:
    wait_for(lambda: all(each["status"] != "pending" for each in github.deliveries()), "sending")
    process.pass_time(github, seconds)


def test_what_was_lost_is_sent_again(
    process: Process, redelivery: Redelivery, github: StandIn, receiver: Receiver
) -> None:
    lose(process, github, receiver)
    assert redelivery.ask_again() == 2
    got = receiver.some(2)
    assert {each.headers["x-github-event"] for each in got} == {"star", "watch"}
    sent = github.deliveries()
    guids = {each["guid"] for each in sent if not each["redelivery"]}
    assert {each.headers["x-github-delivery"] for each in got} == guids


def test_what_arrived_is_left_alone(
    process: Process, redelivery: Redelivery, github: StandIn, receiver: Receiver
) -> None:
    github.hook(receiver.url)
    github.star("pallets/flask")
    receiver.some(2)
    settle(process, github)
    assert redelivery.ask_again() == 0


def test_what_arrived_at_last_is_not_asked_for_again(
    process: Process, redelivery: Redelivery, github: StandIn, receiver: Receiver
) -> None:
    lose(process, github, receiver)
    redelivery.ask_again()
    receiver.some(2)
    settle(process, github, 300)
    assert redelivery.ask_again() == 0


def test_what_never_arrives_is_asked_for_a_few_times_only(
    process: Process, redelivery: Redelivery, github: StandIn
) -> None:
    github.hook(NOBODY)
    github.star("pallets/flask")
    settle(process, github)
    asked = []
    for _ in range(TIMES + 2):
        asked.append(redelivery.ask_again())
        settle(process, github, 300)
    assert asked == [2] * TIMES + [0, 0]


def test_a_sending_that_may_still_arrive_is_waited_for(
    process: Process, redelivery: Redelivery, github: StandIn, receiver: Receiver
) -> None:
    github.hook(receiver.url, lose=2)
    github.star("pallets/flask")
    assert redelivery.ask_again() == 0


def test_where_github_refuses_nothing_is_asked_for_a_day(
    process: Process, redelivery: Redelivery, github: StandIn
) -> None:
    github.fault("status", path=f"{DELIVERIES}*", status=404, count=1)
    assert redelivery.ask_again() == 0
    github.forget()
    assert redelivery.ask_again() == 0
    assert github.count(DELIVERIES) == 0
    assert 0 < process.redis.ttl("fw:redelivery:off") <= OFF_FOR


def test_a_long_list_is_read_to_its_end(
    process: Process, redelivery: Redelivery, github: StandIn, receiver: Receiver
) -> None:
    """Two pages, of which only the second has what was lost."""
    github.hook(receiver.url, lose=2)
    for _ in range(61):
        github.star("pallets/flask")
    receiver.some(120)
    settle(process, github)
    assert redelivery.ask_again() == 2


def test_of_each_event_that_never_arrived_its_last_sending_counts() -> None:
    sent = [
        HookDelivery(4, "b", 40.0, arrived=False),
        HookDelivery(3, "a", 30.0, arrived=True),
        HookDelivery(2, "b", 20.0, arrived=False),
        HookDelivery(1, "a", 10.0, arrived=False),
    ]
    assert [each.id for each in missing(sent)] == [4]
