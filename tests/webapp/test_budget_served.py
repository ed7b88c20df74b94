"""GitHub's limits as callers meet them: the known comes, the unknown is told when to return."""

from __future__ import annotations

import time

import pytest
from github import Github
from github.GithubException import RateLimitExceededException

from tests.serving import Forewarm, ForewarmFactory, Server
from tests.standin.accounts import ALICE_TOKEN, SERVICE_TOKEN, SERVICE_TOKEN_2
from tests.standin.landmarks import ALICE_PRIVATE, SERVICE_PRIVATE
from tests.standin.process import StandIn

LIST = "/orgs/pallets/repos"
DETAIL = "/repos/pallets/flask"
UNKNOWN = "/repos/psf/requests"
TAG = "repo:pallets/flask"


def drain(github: StandIn) -> None:
    """The service's account has nothing left of its hour."""
    github.use("forewarm-bot", 5_000)


def purge(forewarm: Forewarm) -> None:
    forewarm.services.purger.purge([TAG], hard=False, cause="operator")


def test_a_known_answer_is_grace_when_the_budget_is_drained(
    forewarm: Forewarm, github: StandIn
) -> None:
    known = forewarm.get(DETAIL)
    drain(github)
    forewarm.get(UNKNOWN)  # now we know
    purge(forewarm)
    github.forget()
    answer = forewarm.get(DETAIL)
    assert (answer.status_code, answer.headers["X-Cache"]) == (200, "GRACE")
    assert answer.data == known.data
    assert github.count() == 0


def test_an_unknown_one_is_githubs_primary_limit_with_the_moment_to_come_back(
    forewarm: Forewarm, github: StandIn
) -> None:
    drain(github)
    forewarm.get(UNKNOWN)
    github.forget()
    began = time.monotonic()
    answer = forewarm.get("/repos/psf/black")
    assert time.monotonic() - began < 1
    assert answer.status_code == 403
    assert answer.get_json()["message"].startswith("API rate limit exceeded")
    assert answer.headers["X-RateLimit-Remaining"] == "0"
    reset, retry = int(answer.headers["X-RateLimit-Reset"]), int(answer.headers["Retry-After"])
    assert 0 < retry <= 3_601
    assert abs(reset - time.time() - retry) <= 2
    assert answer.headers["X-Cache"] == "ERROR"
    assert github.count() == 0


def test_everything_resumes_by_itself(forewarm: Forewarm, github: StandIn) -> None:
    forewarm.get(DETAIL)
    drain(github)
    assert forewarm.get(UNKNOWN).status_code == 403
    github.reset()
    forewarm.services.redis.flushall()  # the hour has passed, for the ledger too
    assert forewarm.get(UNKNOWN).status_code == 200


def test_an_answer_that_is_no_limit_never_says_that_nothing_remains(
    forewarm: Forewarm, github: StandIn
) -> None:
    github.use("forewarm-bot", 4_999)
    for _ in range(2):
        answer = forewarm.get(DETAIL)
        assert answer.status_code == 200
        assert int(answer.headers["X-RateLimit-Remaining"]) >= 1
        assert answer.headers["X-RateLimit-Limit"] == "5000"


def test_a_hit_tells_the_same_limits_as_a_miss(forewarm: Forewarm) -> None:
    names = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
    miss, hit = forewarm.get(DETAIL), forewarm.get(DETAIL)
    assert hit.headers["X-Cache"] == "HIT"
    assert [miss.headers[name] for name in names] == [hit.headers[name] for name in names]


def test_rate_limit_is_answered_from_the_ledger_in_githubs_shape(
    forewarm: Forewarm, github: StandIn
) -> None:
    forewarm.get(DETAIL)
    github.forget()
    said = forewarm.get("/rate_limit").get_json()
    assert github.count() == 0
    assert said["rate"] == said["resources"]["core"]
    assert said["rate"]["limit"] == 5_000
    assert said["rate"]["used"] == 5_000 - said["rate"]["remaining"] == 1
    assert {"core", "search", "graphql"} <= set(said["resources"])


def test_a_token_of_ones_own_asks_github_for_its_limits(
    forewarm: Forewarm, github: StandIn
) -> None:
    assert forewarm.get("/rate_limit", ALICE_TOKEN).get_json()["rate"]["limit"] == 5_000
    assert github.count("/rate_limit") == 1


@pytest.mark.parametrize("retry_after", [None, 17])
def test_a_secondary_limit_pauses_everybody_and_known_answers_come(
    start_forewarm: ForewarmFactory, github: StandIn, retry_after: int | None
) -> None:
    one, another = start_forewarm(), start_forewarm()
    one.get(DETAIL)
    github.fault("secondary", retry_after=retry_after)
    limited = one.get(UNKNOWN)
    assert limited.status_code == 403
    assert int(limited.headers["Retry-After"]) == pytest.approx(retry_after or 60, abs=2)
    github.clear_faults()
    github.forget()
    purge(another)
    assert another.get(DETAIL).headers["X-Cache"] == "GRACE"
    assert another.get("/repos/psf/black").status_code == 403
    assert github.count() == 0


def test_pygithub_understands_the_limit_answer(server: Server, github: StandIn) -> None:
    drain(github)
    client = Github(base_url=server.api, retry=None)
    for _ in range(2):
        with pytest.raises(RateLimitExceededException):
            client.get_repo("psf/requests")


def test_a_rotated_token_revalidates_at_no_points(
    start_forewarm: ForewarmFactory, github: StandIn
) -> None:
    start_forewarm(GITHUB_TOKEN=SERVICE_TOKEN).get(DETAIL)
    rotated = start_forewarm(GITHUB_TOKEN=SERVICE_TOKEN_2)
    purge(rotated)
    points = github.points()
    answer = rotated.get(DETAIL)
    assert answer.headers["X-Cache"] == "REVALIDATED"
    assert answer.headers["Last-Modified"]
    assert github.points() == points


def test_with_another_formula_a_rotated_token_still_gets_the_right_answer(
    start_forewarm: ForewarmFactory, github: StandIn
) -> None:
    github.switch(formula="opaque")
    old = start_forewarm(GITHUB_TOKEN=SERVICE_TOKEN)
    old.get(DETAIL)
    github.change_repo("pallets/flask", description="changed", webhook=False)
    rotated = start_forewarm(GITHUB_TOKEN=SERVICE_TOKEN_2)
    purge(rotated)
    assert rotated.get(DETAIL).get_json()["description"] == "changed"


def test_a_refused_token_is_set_aside_for_the_next(
    start_forewarm: ForewarmFactory, github: StandIn
) -> None:
    forewarm = start_forewarm(GITHUB_TOKENS=f"{SERVICE_TOKEN},{SERVICE_TOKEN_2}", GITHUB_TOKEN="")
    github.remove_token("service")
    answers = [forewarm.get(path) for path in (DETAIL, UNKNOWN, LIST)]
    assert {answer.status_code for answer in answers} == {200}
    refused = [each for each in github.requests() if each.status == 401]
    assert len(refused) <= 1


@pytest.mark.parametrize("tokens", [(SERVICE_TOKEN, ALICE_TOKEN), (ALICE_TOKEN, SERVICE_TOKEN)])
def test_what_one_token_cant_see_is_no_404_while_another_can(
    start_forewarm: ForewarmFactory, github: StandIn, tokens: tuple[str, str]
) -> None:
    forewarm = start_forewarm(GITHUB_TOKENS=",".join(tokens), GITHUB_TOKEN="")
    for spent in ("forewarm-bot", "alice"):
        github.use(spent, 100)  # now the other has more left
        for path in (f"/repos/{ALICE_PRIVATE}", f"/repos/{SERVICE_PRIVATE}"):
            forewarm.services.purger.purge(["all"], hard=True, cause="operator")
            assert forewarm.get(path).status_code == 200
    assert forewarm.get("/repos/pallets/nothing-of-that-name").status_code == 404


def test_while_github_is_down_the_old_answer_is_given_at_once(
    forewarm: Forewarm, github: StandIn
) -> None:
    forewarm.get(DETAIL)
    github.fault("status", status=503)
    for number in range(3):
        assert forewarm.get(f"/repos/psf/unknown-{number}").status_code == 502
    purge(forewarm)
    github.forget()
    assert forewarm.get(DETAIL).headers["X-Cache"] == "GRACE"
    assert github.count() == 0


def test_a_graphql_query_passes_with_the_services_token(
    forewarm: Forewarm, github: StandIn
) -> None:
    query = {"query": '{ repository(owner: "pallets", name: "flask") { nameWithOwner } }'}
    answer = forewarm.request("POST", "/api/graphql", "fwk_a-key-for-tests-000001", json=query)
    assert answer.get_json()["data"]["repository"]["nameWithOwner"] == "pallets/flask"
    assert github.requests()[-1].token == "service"


def test_a_limit_inside_a_200_stops_the_next_graphql_request(
    forewarm: Forewarm, github: StandIn
) -> None:
    github.fault("graphql_limit", path="/graphql")
    query = {"query": "{ viewer { login } }"}
    said = forewarm.request("POST", "/api/graphql", "fwk_a-key-for-tests-000001", json=query)
    assert said.status_code == 200
    assert said.get_json()["errors"][0]["type"] == "RATE_LIMITED"
    github.clear_faults()
    github.forget()
    again = forewarm.request("POST", "/api/graphql", "fwk_a-key-for-tests-000001", json=query)
    assert (again.status_code, again.headers["X-RateLimit-Remaining"]) == (403, "0")
    assert github.count() == 0


def test_anything_but_a_query_needs_a_token_of_ones_own(
    forewarm: Forewarm, github: StandIn
) -> None:
    change = {"query": 'mutation { addStar(input: {starrableId: "x"}) { clientMutationId } }'}
    refused = forewarm.request("POST", "/api/graphql", "fwk_a-key-for-tests-000001", json=change)
    assert refused.status_code == 403
    assert forewarm.request("POST", "/api/graphql", json=change).status_code == 401
    assert github.count() == 0


def test_points_are_counted_by_resource_lane_and_consumer(forewarm: Forewarm) -> None:
    for _ in range(2):
        forewarm.get(DETAIL)
        purge(forewarm)
    forewarm.services.recorder.flush()
    totals = forewarm.services.points.ever()
    assert totals.lanes["core", "interactive"].spent == 1
    assert totals.lanes["core", "interactive"].saved == 1
    assert totals.consumers["tests"].spent == 1
