"""Batches for the catalog at the stand-in: how many calls, what they cost, and what goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.serving import Forewarm, ForewarmFactory
from tests.standin import landmarks
from tests.standin.accounts import PUBLIC_TOKEN, SERVICE_TOKEN
from tests.standin.process import StandIn
from tests.webapp.github.app.installed import private_pem, public_pem
from tests.webapp.listed import names_of
from webapp.cache.keys import SERVICE
from webapp.errors import CredentialRefused, GitHubUnavailable, OutOfBudget
from webapp.github.asker import Asker
from webapp.github.batch import Batch, Batches
from webapp.services import Services

GRAPHQL = "/graphql"
Fetch = Callable[..., Batch]


@pytest.fixture
def fetching() -> Iterator[Callable[[Services], Fetch]]:
    made: list[Batches] = []

    def of(services: Services) -> Fetch:
        client = services.client
        made.append(Batches(client, client._credentials))
        return lambda names, seconds=10.0: made[-1].fetch(names, Asker(SERVICE), seconds)

    yield of
    for each in made:
        each.close()


@pytest.fixture
def fetch(forewarm: Forewarm, fetching: Callable[[Services], Fetch]) -> Fetch:
    return fetching(forewarm.services)


@pytest.fixture(scope="module")
def many_names(standin: StandIn) -> list[str]:
    """As they are each time: made-up names come from a seed."""
    standin.reset()
    standin.create_org("many", repos=250)
    return names_of(standin, "many")


@pytest.fixture
def many(many_names: list[str], github: StandIn) -> list[str]:
    github.create_org("many", repos=250)
    return many_names


def test_a_hundred_go_in_one_query(fetch: Fetch, many: list[str], github: StandIn) -> None:
    batch = fetch(many)
    assert set(batch.found) == set(many)
    assert (batch.calls, github.count(GRAPHQL), github.count()) == (3, 3, 3)


def test_what_it_costs_is_charged_to_the_graphql_budget(
    fetch: Fetch, forewarm: Forewarm, many: list[str], github: StandIn
) -> None:
    fetch(many)
    client = forewarm.services.client
    (credential,) = client._credentials.candidates("service", "many")
    # 100, 100 and 50 repositories of three connections each: 3, 3 and 2 points.
    assert client._spending.budget.limits(credential.id, "graphql").used == 8
    assert github.points() == 8
    assert client._spending.budget.limits(credential.id, "core").used == 0


def test_a_query_reserves_what_it_may_cost(
    fetch: Fetch, forewarm: Forewarm, many: list[str], github: StandIn
) -> None:
    fetch(many[:1])
    github.use("service", 4_998, "graphql")
    fetch(many[:1])  # the ledger learns that one point is left
    batch = fetch(many[:100])
    assert isinstance(batch.failed[many[0]], OutOfBudget)
    assert github.count(GRAPHQL) == 2


def test_it_says_what_rest_says(fetch: Fetch, forewarm: Forewarm) -> None:
    names = ["pallets/flask", landmarks.SERVICE_PRIVATE, landmarks.FORKED_REPO]
    names.append(landmarks.ARCHIVED_REPO)
    batch = fetch(names)
    for name in names:
        rest = forewarm.get(f"/repos/{name}").get_json()
        said = batch.found[name].repository
        owner = said.pop("owner")
        assert owner == {each: rest["owner"][each] for each in owner}
        assert said == {each: rest[each] for each in said}


def test_missing_and_unseen_ones_are_missing(fetch: Fetch) -> None:
    names = ["pallets/nothing", landmarks.ALICE_PRIVATE, landmarks.BLOCKED_REPO, "nobody/x"]
    batch = fetch([*names, "pallets/flask"])
    assert list(batch.missing) == names
    assert list(batch.found) == ["pallets/flask"]


def test_a_renamed_one_comes_by_its_present_name(fetch: Fetch) -> None:
    assert fetch([landmarks.OLD_NAME]).found[landmarks.OLD_NAME].full_name == landmarks.RENAMED_REPO


def test_a_query_that_is_too_large_is_split(fetch: Fetch, many: list[str], github: StandIn) -> None:
    github.switch(graphql_most_roots=30)
    batch = fetch(many[:100])
    assert len(batch.found) == 100
    assert batch.calls == 1 + 2 + 4


def test_a_query_that_never_fits_fails_after_two_halvings(
    fetch: Fetch, many: list[str], github: StandIn
) -> None:
    github.switch(graphql_most_roots=3)
    batch = fetch(many[:100])
    assert {type(error) for error in batch.failed.values()} == {GitHubUnavailable}
    assert len(batch.failed) == 100
    assert batch.calls <= 3


def test_a_large_querys_502_is_no_outage(
    fetch: Fetch, forewarm: Forewarm, many: list[str], github: StandIn
) -> None:
    github.switch(graphql_most_roots=3)
    for _ in range(4):
        fetch(many[:100])
    assert forewarm.get("/repos/pallets/flask").status_code == 200


def test_an_error_for_the_whole_query_is_asked_again_in_halves(
    fetch: Fetch, many: list[str], github: StandIn
) -> None:
    github.fault("graphql_error", GRAPHQL, count=1)
    batch = fetch(many[:10])
    assert (len(batch.found), batch.calls) == (10, 3)


def test_a_limit_inside_a_200_is_no_budget(fetch: Fetch, many: list[str], github: StandIn) -> None:
    github.fault("graphql_limit", GRAPHQL, count=1)
    batch = fetch(many[:10])
    assert isinstance(batch.failed[many[0]], OutOfBudget)
    assert batch.calls == 1


@pytest.mark.parametrize("kind", ["primary", "secondary", "too_many"])
def test_githubs_limits_are_no_budget(
    fetch: Fetch, many: list[str], github: StandIn, kind: str
) -> None:
    github.fault(kind, GRAPHQL, count=1)
    assert isinstance(fetch(many[:1]).failed[many[0]], OutOfBudget)


def test_without_a_token_nothing_is_asked(
    start_forewarm: ForewarmFactory, fetching: Callable[[Services], Fetch], github: StandIn
) -> None:
    fetch = fetching(start_forewarm(GITHUB_TOKEN="").services)
    assert isinstance(fetch(["pallets/flask"]).failed["pallets/flask"], GitHubUnavailable)
    assert github.count() == 0


def test_a_refused_token_is_set_aside_for_another(
    start_forewarm: ForewarmFactory, fetching: Callable[[Services], Fetch], github: StandIn
) -> None:
    other = github.add_token("other", account="forewarm-bot")
    tokens = f"{SERVICE_TOKEN},{other}"
    fetch = fetching(start_forewarm(GITHUB_TOKEN="", GITHUB_TOKENS=tokens).services)
    github.remove_token("service")
    assert "pallets/flask" in fetch(["pallets/flask"]).found


def test_refused_by_all_nothing_is_told_missing(fetch: Fetch, github: StandIn) -> None:
    github.remove_token("service")
    batch = fetch(["pallets/flask"])
    assert isinstance(batch.failed["pallets/flask"], CredentialRefused)


def test_missing_is_what_every_token_says_is_missing(
    start_forewarm: ForewarmFactory, fetching: Callable[[Services], Fetch], github: StandIn
) -> None:
    tokens = f"{PUBLIC_TOKEN},{SERVICE_TOKEN}"
    fetch = fetching(start_forewarm(GITHUB_TOKEN="", GITHUB_TOKENS=tokens).services)
    batch = fetch([landmarks.SERVICE_PRIVATE, "pallets/nothing"])
    assert list(batch.found) == [landmarks.SERVICE_PRIVATE]
    assert list(batch.missing) == ["pallets/nothing"]


def test_an_app_asks_each_owner_through_its_installation(
    start_forewarm: ForewarmFactory, fetching: Callable[[Services], Fetch], github: StandIn
) -> None:
    github.app(public_pem())
    github.install("initech")
    github.install("psf")
    fetch = fetching(
        start_forewarm(
            GITHUB_TOKEN="", GITHUB_APP_ID="4242", GITHUB_APP_PRIVATE_KEY=private_pem()
        ).services
    )
    names = [landmarks.SERVICE_PRIVATE, "pallets/flask", "pallets/click"]
    batch = fetch(names)
    assert set(batch.found) == set(names)
    assert batch.calls == 2  # initech's own; of the others any


def test_an_owner_who_suspended_the_app_isnt_seen_through_another(
    start_forewarm: ForewarmFactory, fetching: Callable[[Services], Fetch], github: StandIn
) -> None:
    github.app(public_pem())
    github.install("psf")
    github.suspend(github.install("initech"))
    fetch = fetching(
        start_forewarm(
            GITHUB_TOKEN="", GITHUB_APP_ID="4242", GITHUB_APP_PRIVATE_KEY=private_pem()
        ).services
    )
    batch = fetch([landmarks.PUBLIC_REPO, "pallets/flask"])
    assert isinstance(batch.failed[landmarks.PUBLIC_REPO], CredentialRefused)
    assert "pallets/flask" in batch.found


def test_all_end_within_the_deadline(fetch: Fetch, many: list[str], github: StandIn) -> None:
    github.latency(5_000)
    batch = fetch(many, 0.3)
    assert len(batch.failed) == 250
    github.latency(0)
