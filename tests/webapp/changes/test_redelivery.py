"""Deliveries that failed, asked for again from the stand-in, and sent to a real receiver."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from script.embedded import Postgres, Valkey
from tests.serving import Forewarm
from tests.standin.process import StandIn
from tests.standin.receiver import Receiver
from tests.webapp.github.app.installed import Process, app_environ, processes, public_pem
from tests.webapp.lasting import Applications, lasting_applications
from tests.workers.processes import wait_for
from webapp.changes.redelivery import DAY, PATH, TIMES, Redelivery, missing
from webapp.github.credentials import Credentials
from webapp.github.hook_deliveries import HookDelivery

DELIVERIES = "/app/hook/deliveries"
NOBODY = "http://127.0.0.1:9/"
"""Where nothing listens."""


@pytest.fixture(scope="module")
def applications(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    with lasting_applications(valkey, postgres, standin, "redelivery") as made:
        yield made


@pytest.fixture
def forewarm(applications: Applications, standin: StandIn) -> Forewarm:
    """With the service's token, an administrator's, and a watched organisation."""
    applications.empty(standin)
    return applications(WATCH="pallets,mitsuhiko")


@pytest.fixture
def process(forewarm: Forewarm, github: StandIn) -> Iterator[Process]:
    """An App's."""
    github.app(public_pem())
    with processes(app_environ(github, forewarm.settings.redis_url.reveal()), 1) as (made,):
        yield made


@pytest.fixture
def redelivery(forewarm: Forewarm, process: Process, receiver: Receiver) -> Redelivery:
    """As the App."""
    return redelivery_of(forewarm, process, process.credentials, receiver)


def redelivery_of(
    forewarm: Forewarm, process: Process, credentials: Credentials, receiver: Receiver
) -> Redelivery:
    services = forewarm.services
    return Redelivery(
        *(credentials, services.client, services.watches, services.redis),
        base_url=receiver.url.removesuffix(PATH),
        clock=process.clock,
    )


@pytest.fixture
def by_token(forewarm: Forewarm, process: Process, receiver: Receiver) -> Redelivery:
    """As whoever holds the service's token."""
    credentials = forewarm.services.client._credentials
    return redelivery_of(forewarm, process, credentials, receiver)


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
    assert 0 < process.redis.ttl("fw:redelivery:off:app") <= DAY


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


def test_an_administrators_token_has_an_organisations_hook_sent_again(
    process: Process, by_token: Redelivery, github: StandIn, receiver: Receiver
) -> None:
    lose(process, github, receiver)
    assert by_token.ask_again() == 2
    assert {each.event for each in receiver.some(2)} == {"star", "watch"}
    settle(process, github, 300)
    assert by_token.ask_again() == 0


def test_a_hook_that_leads_elsewhere_is_none_of_ours(
    process: Process, by_token: Redelivery, github: StandIn
) -> None:
    github.hook(NOBODY)
    github.star("pallets/flask")
    settle(process, github)
    assert by_token.ask_again() == 0


def test_a_hook_that_cannot_be_asked_keeps_no_other_from_being(
    applications: Applications, process: Process, github: StandIn, receiver: Receiver
) -> None:
    github.fault("status", path="/orgs/mitsuhiko/hooks*", status=422)
    watching = applications(WATCH="mitsuhiko,pallets")
    credentials = watching.services.client._credentials
    by_token = redelivery_of(watching, process, credentials, receiver)
    lose(process, github, receiver)
    assert by_token.ask_again() == 2


def test_where_a_token_may_not_nothing_is_asked_for_a_day(
    process: Process, by_token: Redelivery, github: StandIn, receiver: Receiver
) -> None:
    github.fault("status", path="/orgs/pallets/hooks*", status=404)
    lose(process, github, receiver)
    assert by_token.ask_again() == 0
    assert by_token.ask_again() == 0
    assert github.count("/orgs/pallets/hooks") == 1
