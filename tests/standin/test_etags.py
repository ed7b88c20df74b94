"""Validators and conditional requests."""

from __future__ import annotations

import hashlib

import pytest

from tests.standin.accounts import ALICE_TOKEN, SERVICE_TOKEN, SERVICE_TOKEN_2
from tests.standin.client import Client
from tests.standin.process import StandIn

FLASK = "/repos/pallets/flask"
JSON = "application/vnd.github+json"


def tag(client: Client, token: str | None = SERVICE_TOKEN, **headers: str) -> str:
    return client.get(FLASK, token=token, **headers).headers["ETag"]


def test_an_etag_is_the_hash_of_accept_authorization_cookie_and_body(client: Client) -> None:
    answer = client.get(FLASK, Accept=JSON, Cookie="a=b")

    covered = f"{JSON}:Bearer {SERVICE_TOKEN}:a=b:".encode() + answer.content
    assert answer.headers["ETag"] == f'"{hashlib.sha256(covered).hexdigest()}"'


def test_headers_that_are_absent_are_not_in_the_hash(client: Client) -> None:
    answer = client.get(FLASK, token=None)

    assert answer.headers["ETag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'


def test_an_etag_is_weak_under_gzip(client: Client) -> None:
    plain, packed = tag(client), tag(client, Accept_Encoding="gzip")

    assert packed == f"W/{plain}"


@pytest.mark.parametrize("token", [SERVICE_TOKEN_2, ALICE_TOKEN, None])
def test_another_token_has_another_etag(client: Client, token: str | None) -> None:
    assert tag(client) != tag(client, token)


def test_another_accept_has_another_etag(client: Client) -> None:
    assert tag(client, Accept=JSON) != tag(client, Accept="application/json")


def test_pretty_printing_happens_after_hashing(client: Client) -> None:
    plain, pretty = client.get(FLASK), client.get(FLASK, User_Agent="curl/8.5.0")

    assert b'\n  "id": 596892,' in pretty.content
    assert pretty.json() == plain.json()
    assert pretty.headers["ETag"] == plain.headers["ETag"]


def test_a_304_costs_no_point(client: Client, github: StandIn) -> None:
    etag = tag(client)
    github.forget()

    answer = client.get(FLASK, If_None_Match=etag)

    assert (answer.status_code, answer.content) == (304, b"")
    assert github.points() == 0
    assert github.requests()[0].conditional


def test_an_anonymous_304_costs_a_point(client: Client, github: StandIn) -> None:
    etag = tag(client, None)
    github.forget()

    assert client.get(FLASK, token=None, If_None_Match=etag).status_code == 304
    assert github.points() == 1


def test_etags_are_compared_weakly(client: Client) -> None:
    etag = tag(client)

    assert client.get(FLASK, If_None_Match=f'"other", W/{etag}').status_code == 304


def test_an_etag_of_another_token_brings_the_body(client: Client) -> None:
    assert client.get(FLASK, token=ALICE_TOKEN, If_None_Match=tag(client)).status_code == 200


def test_a_change_brings_the_body(client: Client, github: StandIn) -> None:
    etag = tag(client)
    github.star("pallets/flask")

    assert client.get(FLASK, If_None_Match=etag).status_code == 200


def test_a_304_has_no_link(client: Client) -> None:
    full = client.get("/orgs/pallets/repos")
    again = client.get("/orgs/pallets/repos", If_None_Match=full.headers["ETag"])

    assert "Link" in full.headers
    assert again.status_code == 304
    assert "Link" not in again.headers


def test_a_304_can_be_made_to_lack_its_etag(client: Client, github: StandIn) -> None:
    etag = tag(client)
    github.switch(etag_on_304=False)

    answer = client.get(FLASK, If_None_Match=etag)

    assert answer.status_code == 304
    assert "ETag" not in answer.headers


def test_the_formula_can_be_replaced(client: Client, github: StandIn) -> None:
    before = tag(client)
    github.switch(formula="opaque")

    assert tag(client) not in (before, "")
    assert client.get(FLASK, If_None_Match=tag(client)).status_code == 304


def test_details_have_last_modified_and_lists_do_not(client: Client) -> None:
    assert "Last-Modified" in client.get(FLASK).headers
    assert "Last-Modified" not in client.get("/orgs/pallets/repos").headers


def test_if_modified_since_is_honoured(client: Client, github: StandIn) -> None:
    since = client.get(FLASK).headers["Last-Modified"]

    assert client.get(FLASK, If_Modified_Since=since).status_code == 304
    github.star("pallets/flask")
    assert client.get(FLASK, If_Modified_Since=since).status_code == 200


def test_if_none_match_outranks_if_modified_since(client: Client) -> None:
    since = client.get(FLASK).headers["Last-Modified"]

    answer = client.get(FLASK, If_Modified_Since=since, If_None_Match='"other"')
    assert answer.status_code == 200


def test_head_is_get_without_a_body(client: Client) -> None:
    get, head = client.get(FLASK), client.ask("HEAD", FLASK)

    assert head.content == b""
    for name in ("ETag", "Content-Length", "Last-Modified", "Cache-Control"):
        assert head.headers[name] == get.headers[name]


def test_answers_carry_githubs_headers(client: Client) -> None:
    headers = client.get(FLASK, Accept=JSON).headers

    assert headers["Vary"] == "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding"
    assert headers["Cache-Control"] == "private, max-age=60, s-maxage=60"
    assert headers["X-GitHub-Media-Type"] == "github.v3; format=json"
    assert headers["X-GitHub-Api-Version-Selected"] == "2022-11-28"
    assert headers["Server"] == "github.com"
    assert headers["X-RateLimit-Resource"] == "core"
    assert "Set-Cookie" not in headers


def test_anonymous_answers_are_public(client: Client) -> None:
    headers = client.get(FLASK, token=None).headers

    assert headers["Cache-Control"] == "public, max-age=60, s-maxage=60"


def test_a_cookie_can_be_added(client: Client, github: StandIn) -> None:
    github.switch(set_cookies=["_gh_sess=fake; path=/"])

    assert client.get(FLASK).headers["Set-Cookie"] == "_gh_sess=fake; path=/"
