"""The control API itself: reset, the request log, who may use it."""

from __future__ import annotations

import pytest

from tests.standin.accounts import ALICE_TOKEN, SERVICE_TOKEN
from tests.standin.client import Client
from tests.standin.control import Control
from tests.standin.github import GitHub
from tests.standin.message import Request
from tests.standin.process import StandIn, StandInError
from tests.standin.shapes.site import Site
from tests.standin.world import Size

FLASK = "/repos/pallets/flask"


def test_every_request_is_listed(client: Client, github: StandIn) -> None:
    client.get(f"{FLASK}?a=1")
    client.ask("HEAD", "/nowhere", token=ALICE_TOKEN)

    first, second = github.requests()

    assert (first.method, first.target, first.path) == ("GET", f"{FLASK}?a=1", FLASK)
    assert (first.token, first.account, first.status, first.points) == (
        "service",
        "forewarm-bot",
        200,
        1,
    )
    assert (second.method, second.token, second.status) == ("HEAD", "alice", 404)
    assert second.seq > first.seq


def test_the_log_names_tokens_and_never_shows_them(client: Client, github: StandIn) -> None:
    client.get(FLASK)
    client.get(FLASK, token="ghp_unknown")

    shown = github.order("GET", "/requests")

    assert SERVICE_TOKEN not in str(shown)
    assert "ghp_unknown" not in str(shown)
    assert shown["requests"][0]["headers"]["authorization"] == "Bearer service"
    assert shown["requests"][1]["token"] == "unknown"


def test_requests_are_counted_by_path_prefix(client: Client, github: StandIn) -> None:
    client.get(FLASK)
    client.get(f"{FLASK}/tags")
    client.get("/orgs/psf")

    assert github.count() == 3
    assert github.count(FLASK) == 2
    assert github.totals()["path"] == {FLASK: 1, f"{FLASK}/tags": 1, "/orgs/psf": 1}
    assert github.totals()["status"] == {"200": 3}


def test_only_requests_after_a_number_are_listed(client: Client, github: StandIn) -> None:
    client.get(FLASK)
    last = github.requests()[-1].seq
    client.get("/orgs/psf")

    assert [seen.path for seen in github.requests(since=last)] == ["/orgs/psf"]


def test_forgetting_clears_the_log_alone(client: Client, github: StandIn) -> None:
    client.get(FLASK)
    github.forget()

    assert (github.count(), github.points(), github.requests()) == (0, 0, [])
    assert client.get("/rate_limit").json()["rate"]["used"] == 1


def test_orders_are_not_counted(github: StandIn) -> None:
    github.star("pallets/flask")

    assert github.count() == 0


def test_orders_are_not_slowed_or_faulted(github: StandIn) -> None:
    github.latency(5_000)
    github.fault("status")

    github.star("pallets/flask")


def test_reset_brings_everything_back(client: Client, github: StandIn) -> None:
    before = client.get(FLASK).content
    github.change_repo("pallets/flask", stars=1)
    github.grant("bob", "initech/payroll")
    github.fault("status")
    github.advance(9_999)
    github.limits(core=10)
    github.switch(formula="opaque")
    github.create_org("new-org")

    github.reset()

    answer = client.get(FLASK)
    assert answer.content == before
    assert answer.headers["X-RateLimit-Limit"] == "5000"
    assert github.count() == 1
    assert client.get("/orgs/new-org").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/nowhere", {}),
        ("POST", "/limits", {"nonsense": 1}),
        ("POST", "/switches", {"nonsense": 1}),
        ("PATCH", "/repos", {"full_name": "no/body"}),
        ("POST", "/grant", {"token_name": "nobody", "full_name": "a/b"}),
        ("POST", "/hooks", {"url": "http://x", "nonsense": 1}),
    ],
)
def test_a_wrong_order_is_refused(
    github: StandIn, method: str, path: str, body: dict[str, object]
) -> None:
    with pytest.raises(StandInError):
        github.order(method, path, body)


@pytest.mark.parametrize(("peer", "status"), [("10.0.0.7", 403), ("127.0.0.1", 200), ("::1", 200)])
def test_orders_come_from_this_machine_alone(peer: str, status: int) -> None:
    control = Control(GitHub(Size(), Site("http://127.0.0.1:1")))

    reply = control.handle(Request("GET", "/_control", {}, b"", peer))

    assert reply.status == status
