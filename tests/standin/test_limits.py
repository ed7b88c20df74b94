"""Primary and secondary rate limits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.standin.accounts import ALICE_TOKEN, SERVICE_TOKEN_2
from tests.standin.client import Client
from tests.standin.process import StandIn

FLASK = "/repos/pallets/flask"


def remaining(client: Client, path: str = FLASK, **more: str) -> int:
    return int(client.get(path, **more).headers["X-RateLimit-Remaining"])


def test_a_request_costs_one_point(client: Client) -> None:
    assert remaining(client) == remaining(client) + 1


def test_tokens_of_one_account_share_a_limit(client: Client) -> None:
    first = remaining(client)

    assert remaining(client, token=SERVICE_TOKEN_2) == first - 1
    assert remaining(client, token=ALICE_TOKEN) == 4999


def test_a_404_costs_a_point(client: Client, github: StandIn) -> None:
    client.get("/repos/pallets/nothing")

    assert github.points() == 1


def test_asking_for_the_limits_is_free(client: Client, github: StandIn) -> None:
    client.get(FLASK)

    core = client.get("/rate_limit").json()["resources"]["core"]

    assert (core["limit"], core["used"], core["remaining"]) == (5000, 1, 4999)
    assert github.points() == 1


def test_nothing_is_left_at_the_primary_limit(client: Client, github: StandIn) -> None:
    github.use("service", 5000)

    answer = client.get(FLASK)

    assert answer.status_code == 403
    assert answer.json()["message"].startswith("API rate limit exceeded for user ID 9000001.")
    assert answer.headers["X-RateLimit-Remaining"] == "0"
    assert answer.headers["X-RateLimit-Used"] == "5000"
    assert "Retry-After" not in answer.headers


def test_a_limit_can_be_answered_by_429(client: Client, github: StandIn) -> None:
    github.use("service", 5000)
    github.limits(status=429)

    assert client.get(FLASK).status_code == 429


def test_the_window_ends_at_its_reset(client: Client, github: StandIn) -> None:
    github.use("service", 5000)
    reset = int(client.get(FLASK).headers["X-RateLimit-Reset"])
    assert client.get(FLASK).status_code == 403

    github.advance(3601)

    answer = client.get(FLASK)
    assert answer.status_code == 200
    assert int(answer.headers["X-RateLimit-Reset"]) > reset


def test_an_address_without_a_token_has_sixty(client: Client) -> None:
    answers = [client.get(FLASK, token=None) for _ in range(61)]

    assert [a.status_code for a in answers] == [200] * 60 + [403]
    assert "Authenticated requests get a higher rate limit" in answers[-1].json()["message"]


def test_search_has_its_own_limit(client: Client, github: StandIn) -> None:
    search = "/search/repositories?q=flask"
    statuses = [client.get(search).status_code for _ in range(31)]

    assert statuses == [200] * 30 + [403]
    assert client.get(FLASK).status_code == 200
    github.advance(61)
    assert client.get(search).status_code == 200


def test_points_a_minute_are_a_secondary_limit(client: Client, github: StandIn) -> None:
    github.limits(points_per_minute=3)

    answers = [client.get(FLASK) for _ in range(4)]

    assert [a.status_code for a in answers] == [200] * 3 + [403]
    assert "secondary rate limit" in answers[-1].json()["message"]
    assert int(answers[-1].headers["X-RateLimit-Remaining"]) > 0
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60


def test_a_secondary_limit_can_lack_retry_after(client: Client, github: StandIn) -> None:
    github.limits(points_per_minute=0, retry_after=None)

    answer = client.get(FLASK)

    assert answer.status_code == 403
    assert "Retry-After" not in answer.headers


def test_a_write_counts_five_points_a_minute(client: Client, github: StandIn) -> None:
    github.limits(points_per_minute=9)
    star = "/user/starred/pallets/flask"

    statuses = [client.ask("PUT", star).status_code for _ in range(2)]

    assert statuses == [204, 403]


def test_content_creation_has_a_limit(client: Client, github: StandIn) -> None:
    github.limits(creations_per_minute=2)
    path = "/repos/initech/website/issues"

    statuses = [client.ask("POST", path, json={"title": "x"}).status_code for _ in range(3)]

    assert statuses == [201, 201, 403]


def test_requests_in_flight_are_limited(client: Client, github: StandIn) -> None:
    github.limits(concurrency=2)
    github.latency(400)

    def ask(_: int) -> int:
        with Client(github.url) as own:
            return own.get(FLASK).status_code

    with ThreadPoolExecutor(3) as pool:
        statuses = sorted(pool.map(ask, range(3)))

    assert statuses == [200, 200, 403]


def test_requests_that_landed_are_in_flight_no_more(client: Client, github: StandIn) -> None:
    github.limits(concurrency=1)

    assert [client.get(FLASK).status_code for _ in range(5)] == [200] * 5


@pytest.mark.parametrize("limit", ["primary", "secondary"])
def test_a_limit_can_be_switched_off(client: Client, github: StandIn, limit: str) -> None:
    github.use("service", 5000 if limit == "primary" else 0)
    github.limits(**{limit: False}, points_per_minute=0 if limit == "secondary" else 900)

    assert client.get(FLASK).status_code == 200


def test_rate_headers_can_be_left_out(client: Client, github: StandIn) -> None:
    github.switch(rate_headers=False)

    assert "X-RateLimit-Remaining" not in client.get(FLASK).headers
