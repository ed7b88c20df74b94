"""What callers without a GitHub token of their own may not see or do; GitHub is never asked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from script.embedded import Postgres, Valkey
from tests.serving import API_KEY, Forewarm, ForewarmFactory
from tests.standin.accounts import ALICE_TOKEN, PUBLIC_TOKEN
from tests.standin.process import StandIn
from tests.webapp.lasting import Applications, lasting_applications
from webapp import policy

PLACES = {"owner": "initech", "repo": "shared", "id": "8200003", "product": "actions", "name": "x"}


def spelled(pattern: str) -> list[str]:
    """Paths that a pattern of policy.REFUSED stands for, itself and below."""
    path = pattern.format(**PLACES)
    if not path.endswith("/**"):
        return [path]
    return [path.removesuffix("/**"), path.replace("**", "1"), path.replace("**", "1/deliveries")]


REFUSED = sorted(
    path
    for pattern in policy.REFUSED
    for path in spelled(pattern)
    if path not in policy.ALLOWED_TO_SERVICE
)
DISGUISED = [
    "//user",
    "/user/",
    "/USER",
    "/user//emails",
    "/%75ser/emails",
    "/user%2Femails",
    "/repos/initech/shared//hooks",
    "/repos/initech/shared/hooks/",
    "/repos/initech/shared/Hooks",
    "/REPOS/initech/shared/hooks",
    "/repos/initech/shared/%68ooks",
    "//repos//initech//shared//keys",
    "/organizations/8100000/hooks",
    "/organizations/8100000/actions/secrets",
    "/repos/initech/shared/environments/production/secrets/A",
    "/orgs/initech/dependabot/secrets",
]


@pytest.fixture(scope="module")
def applications(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    """Shared by the module: what is refused leaves nothing behind."""
    with lasting_applications(valkey, postgres, standin, "refusals") as made:
        yield made


@pytest.fixture
def start_forewarm(applications: Applications, standin: StandIn) -> ForewarmFactory:
    """An application of these settings; what is refused needs no empty cache."""
    standin.reset()
    return applications


@pytest.fixture
def forewarm(start_forewarm: ForewarmFactory) -> Forewarm:
    """With the usual settings."""
    return start_forewarm()


@pytest.mark.parametrize("path", REFUSED + DISGUISED)
def test_the_service_scope_refuses_what_is_the_services_own(
    forewarm: Forewarm, github: StandIn, path: str
) -> None:
    answer = forewarm.get(path)
    assert (answer.status_code, answer.headers["X-Cache"]) == (403, "ERROR")
    assert github.count() == 0


@pytest.mark.parametrize("path", [*REFUSED, *DISGUISED, *sorted(policy.ALLOWED_TO_SERVICE)])
def test_the_public_scope_refuses_it_too(
    start_forewarm: ForewarmFactory, github: StandIn, path: str
) -> None:
    forewarm = start_forewarm(GITHUB_PUBLIC_TOKEN=PUBLIC_TOKEN)
    assert forewarm.get(path, token="").status_code == 403
    assert github.count() == 0


@pytest.mark.parametrize("path", sorted(policy.ALLOWED_TO_SERVICE))
def test_the_service_scope_reads_its_own_lists(
    forewarm: Forewarm, github: StandIn, path: str
) -> None:
    assert forewarm.get(path).status_code == 200
    assert [each.token for each in github.requests()] == ["service"]


@pytest.mark.parametrize("path", ["/user", "/user/repos", "/orgs/initech/hooks"])
def test_a_token_of_ones_own_asks_github_itself(
    forewarm: Forewarm, github: StandIn, path: str
) -> None:
    forewarm.get(path, ALICE_TOKEN)
    assert [each.token for each in github.requests()] == ["alice"]


@pytest.mark.parametrize("path", ["/users/initech/repos", "/repos/initech/hooks", "/users/user"])
def test_a_name_that_looks_like_a_refused_word_is_only_a_name(
    forewarm: Forewarm, github: StandIn, path: str
) -> None:
    assert forewarm.get(path).status_code in {200, 404}
    assert github.count() == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("token", [API_KEY, ""], ids=["key", "anonymous"])
@pytest.mark.parametrize("path", ["/repos/initech/shared", "/repos/initech/shared/issues", "/"])
def test_only_a_token_of_ones_own_writes(
    forewarm: Forewarm, github: StandIn, method: str, token: str, path: str
) -> None:
    answer = forewarm.request(method, f"/api/v3{path}", token, json={"private": False})
    assert answer.status_code == 403
    assert github.count() == 0


def test_the_method_cannot_be_overridden(forewarm: Forewarm, github: StandIn) -> None:
    headers = {"X_HTTP_Method_Override": "DELETE", "X_Method_Override": "DELETE"}
    forewarm.get("/repos/initech/shared", **headers)
    assert [each.method for each in github.requests()] == ["GET"]
    assert "x-http-method-override" not in github.requests()[0].headers


def test_nobody_is_served_anonymously_where_that_is_off(
    start_forewarm: ForewarmFactory, github: StandIn
) -> None:
    forewarm = start_forewarm(ANONYMOUS_SCOPE="none")
    forewarm.get("/repos/pallets/flask")  # cached for key holders
    github.forget()
    for path in ("/repos/pallets/flask", "/no/such/thing", "/"):
        answer = forewarm.get(path, token="")
        assert answer.status_code == 401
        assert answer.get_json()["message"] == "Requires authentication"
    assert github.count() == 0
