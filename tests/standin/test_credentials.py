"""Who sees what, and what callers without a right are told."""

from __future__ import annotations

import base64
import http.client

import pytest

from tests.standin.accounts import (
    ALICE_TOKEN,
    BOB_TOKEN,
    FINE_GRAINED_TOKEN,
    PUBLIC_TOKEN,
    SERVICE_TOKEN,
    SERVICE_TOKEN_2,
)
from tests.standin.client import Client
from tests.standin.process import StandIn

TOKENS = {
    "service": SERVICE_TOKEN,
    "service-2": SERVICE_TOKEN_2,
    "alice": ALICE_TOKEN,
    "bob": BOB_TOKEN,
    "public": PUBLIC_TOKEN,
    "fine-grained": FINE_GRAINED_TOKEN,
}
SIGHT = [
    ("initech/payroll", {"service", "service-2"}),
    ("initech/shared", {"service", "service-2", "alice", "bob", "fine-grained"}),
    ("initech/alice-only", {"alice"}),
    ("initech/bob-only", {"bob"}),
    ("initech/website", set(TOKENS)),
]


@pytest.mark.parametrize(("full_name", "seeing"), SIGHT)
def test_a_repository_is_404_to_those_who_may_not_see_it(
    client: Client, full_name: str, seeing: set[str]
) -> None:
    found = {
        name
        for name, token in TOKENS.items()
        if client.get(f"/repos/{full_name}", token=token).status_code == 200
    }

    assert found == seeing


@pytest.mark.parametrize("part", ["", "/languages", "/issues", "/readme", "/contents/README.md"])
def test_everything_below_a_private_repository_is_404_too(client: Client, part: str) -> None:
    answer = client.get(f"/repos/initech/payroll{part}", token=ALICE_TOKEN)

    assert answer.status_code == 404
    assert answer.json()["message"] == "Not Found"


def test_a_404_has_githubs_body(client: Client) -> None:
    assert client.get("/nowhere").json() == {
        "message": "Not Found",
        "documentation_url": "https://docs.github.com/rest",
        "status": "404",
    }


def test_a_trailing_slash_is_404(client: Client) -> None:
    assert client.get("/repos/pallets/flask/").status_code == 404


def test_names_are_found_in_any_letter_case(client: Client) -> None:
    assert client.get("/repos/PALLETS/Flask").json()["full_name"] == "pallets/flask"


def test_access_can_be_granted_and_revoked(client: Client, github: StandIn) -> None:
    path = "/repos/initech/payroll"
    seen = [client.get(path, token=BOB_TOKEN).status_code]
    github.grant("bob", "initech/payroll")
    seen.append(client.get(path, token=BOB_TOKEN).status_code)
    github.revoke("bob", "initech/payroll")
    seen.append(client.get(path, token=BOB_TOKEN).status_code)

    assert seen == [404, 200, 404]


def test_revoking_one_repository_leaves_the_others_of_a_whole_owner(
    client: Client, github: StandIn
) -> None:
    github.grant("bob", "initech/*")
    github.revoke("bob", "initech/payroll")

    assert client.get("/repos/initech/payroll", token=BOB_TOKEN).status_code == 404
    assert client.get("/repos/initech/tps-reports", token=BOB_TOKEN).status_code == 200


def test_access_follows_a_repository_to_its_new_name(client: Client, github: StandIn) -> None:
    github.rename_repo("initech/payroll", "wages")

    assert client.get("/repos/initech/wages").status_code == 200
    assert client.get("/repos/initech/wages", token=ALICE_TOKEN).status_code == 404


def test_administrators_see_what_turns_private(client: Client, github: StandIn) -> None:
    github.change_repo("initech/website", private=True, webhook=False)
    github.create_repo("initech/fresh", private=True)

    assert client.get("/repos/initech/website").json()["private"] is True
    assert client.get("/repos/initech/fresh").status_code == 200
    assert client.get("/repos/initech/website", token=ALICE_TOKEN).status_code == 404


def test_a_bad_token_is_401_with_the_anonymous_limit(client: Client) -> None:
    answer = client.get("/user", token="ghp_" + "x" * 36)

    assert answer.status_code == 401
    assert answer.json()["message"] == "Bad credentials"
    assert answer.headers["X-RateLimit-Limit"] == "60"


def test_a_removed_token_is_bad(client: Client, github: StandIn) -> None:
    github.remove_token("alice")

    assert client.get("/user", token=ALICE_TOKEN).status_code == 401


def test_a_token_can_expire(client: Client, github: StandIn) -> None:
    token = github.add_token("short", expires_in=60)
    assert client.get("/user", token=token).status_code == 200

    github.advance(61)

    assert client.get("/user", token=token).status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "token"])
def test_a_token_comes_by_several_schemes(client: Client, scheme: str) -> None:
    answer = client.get("/user", token=None, Authorization=f"{scheme} {ALICE_TOKEN}")

    assert answer.json()["login"] == "alice"


def test_a_token_comes_as_a_password(client: Client) -> None:
    value = base64.b64encode(f"alice:{ALICE_TOKEN}".encode()).decode()

    assert client.get("/user", token=None, Authorization=f"Basic {value}").status_code == 200


def test_no_token_where_one_is_needed_is_401(client: Client) -> None:
    answer = client.get("/user", token=None)

    assert (answer.status_code, answer.json()["message"]) == (401, "Requires authentication")


def test_hooks_are_for_administrators(client: Client) -> None:
    path = "/orgs/initech/hooks"

    assert client.get(path).status_code == 200
    assert client.get(path, token=ALICE_TOKEN).status_code == 404


def test_a_fine_grained_token_is_forbidden_what_it_was_not_given(client: Client) -> None:
    answer = client.get("/orgs/initech/hooks", token=FINE_GRAINED_TOKEN)

    assert answer.status_code == 403
    assert answer.json()["message"] == "Resource not accessible by personal access token"
    assert int(answer.headers["X-RateLimit-Remaining"]) > 0


def test_a_request_without_a_user_agent_is_403(client: Client, github: StandIn) -> None:
    host = github.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=5)
    connection.request("GET", "/")
    status = connection.getresponse().status
    connection.close()

    assert status == 403


def test_an_unknown_api_version_is_400(client: Client) -> None:
    assert client.get("/", X_GitHub_Api_Version="1999-01-01").status_code == 400


@pytest.mark.parametrize("version", ["2022-11-28", "2026-03-10"])
def test_known_api_versions_are_selected(client: Client, version: str) -> None:
    answer = client.get("/", X_GitHub_Api_Version=version)

    assert answer.headers["X-GitHub-Api-Version-Selected"] == version


def test_classic_tokens_are_told_their_scopes(client: Client) -> None:
    assert client.get("/user", token=PUBLIC_TOKEN).headers["X-OAuth-Scopes"] == "public_repo"
    assert "X-OAuth-Scopes" not in client.get("/user", token=FINE_GRAINED_TOKEN).headers


def test_a_blocked_repository_is_451(client: Client) -> None:
    assert client.get("/repos/initech/blocked").status_code == 451
