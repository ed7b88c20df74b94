"""Webhook deliveries: signed, full-sized, and all the ways in which they go wrong."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs

import orjson
import pytest
from githubkit.webhooks import parse

from tests.standin.client import Client
from tests.standin.process import StandIn
from tests.standin.receiver import Received, Receiver

SECRET = "a test's secret"
SITE = "initech/website"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def signed(delivery: Received) -> bool:
    wanted = "sha256=" + hmac.new(SECRET.encode(), delivery.body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(delivery.headers["x-hub-signature-256"], wanted)


def test_a_change_is_delivered_signed(github: StandIn, receiver: Receiver) -> None:
    hook = github.hook(receiver.url, SECRET)
    github.change_repo(SITE, description="Told")

    delivery = receiver.next()

    assert signed(delivery)
    assert delivery.event == "repository"
    assert delivery.json["action"] == "edited"
    assert delivery.json["repository"]["description"] == "Told"
    assert delivery.json["sender"]["login"] == "forewarm-bot"
    assert delivery.headers["user-agent"].startswith("GitHub-Hookshot/")
    assert delivery.headers["x-github-hook-id"] == str(hook)
    assert len(delivery.headers["x-github-delivery"]) == 36


Do = Callable[[StandIn], object]
# what is done -> the events that GitHub sends for it
HAPPENINGS: list[tuple[Do, list[tuple[str, str | None]]]] = [
    (lambda g: g.create_repo("initech/x"), [("repository", "created")]),
    (lambda g: g.delete_repo(SITE), [("repository", "deleted")]),
    (lambda g: g.rename_repo(SITE, "portal"), [("repository", "renamed")]),
    (lambda g: g.transfer_repo(SITE, "psf"), [("repository", "transferred")]),
    (lambda g: g.change_repo(SITE, private=True), [("repository", "privatized")]),
    (
        lambda g: g.change_repo("initech/payroll", private=False),
        [("repository", "publicized"), ("public", None)],
    ),
    (lambda g: g.change_repo(SITE, archived=True), [("repository", "archived")]),
    (lambda g: g.star(SITE), [("star", "created"), ("watch", "started")]),
    (lambda g: g.star(SITE, -1), [("star", "deleted")]),
    (lambda g: g.change_repo(SITE, forks=99_999), [("fork", None)]),
    (lambda g: g.push(SITE), [("push", None)]),
    (lambda g: g.open_issue(SITE), [("issues", "opened")]),
    (lambda g: g.open_issue(SITE, pull=True), [("pull_request", "opened")]),
    (lambda g: g.release(SITE, "v9"), [("release", "published")]),
]


@pytest.mark.parametrize(
    ("happen", "events"),
    HAPPENINGS,
    ids=[events[0][0] + "-" + str(events[0][1]) for _, events in HAPPENINGS],
)
def test_a_payload_has_githubs_shape(
    github: StandIn, receiver: Receiver, happen: Do, events: list[tuple[str, str | None]]
) -> None:
    github.hook(receiver.url, SECRET)
    happen(github)

    deliveries = receiver.some(len(events))

    assert sorted((d.event, d.json.get("action")) for d in deliveries) == sorted(events)
    for delivery in deliveries:
        parse(delivery.event, delivery.body)


def test_a_mutation_is_delivered_too(client: Client, github: StandIn, receiver: Receiver) -> None:
    github.hook(receiver.url, SECRET)
    client.ask("PUT", f"/repos/{SITE}/topics", json={"names": ["a"]})

    assert receiver.next().json["repository"]["topics"] == ["a"]


def test_a_hook_hears_the_events_that_it_wants(github: StandIn, receiver: Receiver) -> None:
    github.hook(receiver.url, SECRET, events=["push"])
    github.star(SITE)
    github.push(SITE)

    assert receiver.next().event == "push"
    assert receiver.waiting == 0


def test_a_silent_change_is_not_delivered(github: StandIn, receiver: Receiver) -> None:
    github.hook(receiver.url, SECRET)
    github.change_repo(SITE, stars=1, webhook=False)
    github.push(SITE)

    assert receiver.next().event == "push"


def test_a_delivery_can_come_twice(github: StandIn, receiver: Receiver) -> None:
    github.hook(receiver.url, SECRET, twice=True)
    github.push(SITE)

    first, second = receiver.some(2)

    assert first.body == second.body
    assert first.headers["x-github-delivery"] == second.headers["x-github-delivery"]


def test_a_delivery_can_be_lost_and_sent_again(github: StandIn, receiver: Receiver) -> None:
    github.hook(receiver.url, SECRET, lose=1)
    github.push(SITE)
    lost = github.deliveries()[0]
    assert (lost["status_code"], lost["status"]) == (0, "timed out")

    github.redeliver(lost["id"])

    assert receiver.next().headers["x-github-delivery"] == lost["guid"]
    assert [d["redelivery"] for d in github.deliveries()] == [False, True]


def test_deliveries_can_come_out_of_order(github: StandIn, receiver: Receiver) -> None:
    github.hook(receiver.url, SECRET, shuffle=2)
    github.change_repo(SITE, description="first")
    github.change_repo(SITE, description="second")

    told = [d.json["repository"]["description"] for d in receiver.some(2)]

    assert told == ["second", "first"]


def test_held_deliveries_can_be_let_go(github: StandIn, receiver: Receiver) -> None:
    github.hook(receiver.url, SECRET, shuffle=5)
    github.push(SITE)
    assert receiver.waiting == 0

    github.flush_hooks()

    assert receiver.next().event == "push"


def test_a_delivery_can_come_late(github: StandIn, receiver: Receiver) -> None:
    hook = github.hook(receiver.url, SECRET, late_ms=700)
    github.push(SITE)
    github.change_hook(hook, late_ms=0)
    github.release(SITE, "v9")

    assert [d.event for d in receiver.some(2)] == ["release", "push"]


def test_a_signature_can_be_wrong(github: StandIn, receiver: Receiver) -> None:
    github.hook(receiver.url, SECRET, wrong_signature=True)
    github.push(SITE)

    assert not signed(receiver.next())


def test_a_delivery_can_be_form_encoded(github: StandIn, receiver: Receiver) -> None:
    github.hook(receiver.url, SECRET, form=True)
    github.push(SITE)

    delivery = receiver.next()

    assert delivery.headers["content-type"] == "application/x-www-form-urlencoded"
    assert signed(delivery)
    payload = orjson.loads(parse_qs(delivery.body.decode())["payload"][0])
    assert payload["repository"]["full_name"] == SITE


def test_any_event_can_be_sent(github: StandIn, receiver: Receiver) -> None:
    github.hook(receiver.url, SECRET)
    guids = github.send_event("team_add", {"team": {"name": "x"}})

    delivery = receiver.next()

    assert [delivery.headers["x-github-delivery"]] == guids
    assert delivery.json == {"team": {"name": "x"}}


def test_reset_removes_hooks(github: StandIn, receiver: Receiver) -> None:
    github.hook(receiver.url, SECRET)
    github.reset()

    assert github.order("GET", "/hooks") == []


def test_a_secret_is_not_shown(github: StandIn, receiver: Receiver) -> None:
    github.hook(receiver.url, SECRET)

    assert SECRET not in str(github.order("GET", "/hooks"))
