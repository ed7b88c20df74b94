"""Faults on order, as a client meets them."""

from __future__ import annotations

import pytest
import requests

from tests.standin.client import Client
from tests.standin.process import StandIn, StandInError

FLASK = "/repos/pallets/flask"


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_comes_as_often_as_ordered(
    client: Client, github: StandIn, status: int
) -> None:
    github.fault("status", "/repos/*", status=status, count=2)

    assert [client.get(FLASK).status_code for _ in range(3)] == [status, status, 200]


def test_a_gateway_answers_html(client: Client, github: StandIn) -> None:
    github.fault("html", status=502)

    answer = client.get(FLASK)

    assert answer.status_code == 502
    assert answer.headers["Content-Type"].startswith("text/html")


def test_a_fault_hits_its_path_and_method_alone(client: Client, github: StandIn) -> None:
    github.fault("status", FLASK, method="GET")

    assert client.get("/repos/pallets/click").status_code == 200
    assert client.ask("HEAD", FLASK).status_code == 200
    assert client.get(FLASK).status_code == 500


def test_a_reset_connection(client: Client, github: StandIn) -> None:
    github.fault("reset", count=1)

    with pytest.raises(requests.ConnectionError, match="reset"):
        client.get(FLASK)


def test_a_black_hole_never_answers(client: Client, github: StandIn) -> None:
    github.fault("black_hole")

    with pytest.raises(requests.ReadTimeout):
        client.get(FLASK, timeout=0.2)


@pytest.mark.parametrize("kind", ["truncated", "wrong_length"])
def test_a_body_shorter_than_announced(client: Client, github: StandIn, kind: str) -> None:
    github.fault(kind)

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        client.get(FLASK)


def test_a_body_that_is_no_json(client: Client, github: StandIn) -> None:
    github.fault("invalid_json")

    with pytest.raises(requests.exceptions.JSONDecodeError):
        client.get(FLASK, Accept_Encoding="gzip").json()


def test_a_delay_comes_before_the_answer(client: Client, github: StandIn) -> None:
    github.fault("delay", delay_ms=120)

    assert client.get(FLASK).elapsed.total_seconds() >= 0.12


def test_latency_can_be_set_by_path(client: Client, github: StandIn) -> None:
    github.latency(400, "/repos/*")

    assert client.get(FLASK).elapsed.total_seconds() >= 0.4
    assert client.get("/orgs/psf").elapsed.total_seconds() < 0.4


def test_the_primary_limit_by_order(client: Client, github: StandIn) -> None:
    github.fault("primary")

    answer = client.get(FLASK)

    assert (answer.status_code, answer.headers["X-RateLimit-Remaining"]) == (403, "0")


@pytest.mark.parametrize("wait", [None, 30])
def test_a_secondary_limit_by_order(client: Client, github: StandIn, wait: int | None) -> None:
    github.fault("secondary", retry_after=wait)

    answer = client.get(FLASK)

    assert answer.status_code == 403
    assert answer.headers.get("Retry-After") == (None if wait is None else str(wait))
    assert int(answer.headers["X-RateLimit-Remaining"]) > 0


def test_too_many_requests_by_order(client: Client, github: StandIn) -> None:
    github.fault("too_many", retry_after=5)

    assert client.get(FLASK).status_code == 429


@pytest.mark.parametrize(("kind", "status"), [("unauthorized", 401), ("forbidden", 403)])
def test_a_refusal_by_order(client: Client, github: StandIn, kind: str, status: int) -> None:
    github.fault(kind, token="service")

    assert client.get(FLASK).status_code == status
    assert client.get(FLASK, token=None).status_code == 200


def test_validators_can_be_left_out(client: Client, github: StandIn) -> None:
    github.fault("no_etag")

    headers = client.get(FLASK).headers

    assert "ETag" not in headers
    assert "Last-Modified" not in headers


def test_probability_is_seeded(client: Client, github: StandIn) -> None:
    github.fault("status", probability=0.5)

    statuses = [client.get(FLASK).status_code for _ in range(40)]

    assert 5 < statuses.count(500) < 35


def test_faults_are_cleared_one_by_one_or_all(client: Client, github: StandIn) -> None:
    first = github.fault("status", status=500)
    github.fault("delay", delay_ms=1)

    github.order("DELETE", "/faults", {"id": first})
    assert client.get(FLASK).status_code == 200
    github.clear_faults()
    assert github.order("GET", "/faults") == []


def test_faults_are_named_in_the_request_log(client: Client, github: StandIn) -> None:
    github.fault("status")
    client.get(FLASK)

    assert github.requests()[0].faults == ["status"]
    assert github.points() == 0


def test_a_fault_that_does_not_exist_is_refused(github: StandIn) -> None:
    with pytest.raises(StandInError, match="no such fault"):
        github.fault("earthquake")
