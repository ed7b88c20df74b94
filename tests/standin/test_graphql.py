"""GraphQL: what batching asks for, what it costs, and its own ways to fail."""

from __future__ import annotations

from typing import Any

import pytest

from tests.standin.accounts import ALICE_TOKEN, SERVICE_TOKEN
from tests.standin.client import Client
from tests.standin.process import StandIn

FIELDS = (
    "databaseId nameWithOwner owner{login} name description isPrivate visibility isArchived "
    "isFork primaryLanguage{name} repositoryTopics(first:20){nodes{topic{name}}} stargazerCount "
    "forkCount issues(states:OPEN){totalCount} pullRequests(states:OPEN){totalCount} pushedAt "
    "updatedAt createdAt defaultBranchRef{name} url"
)


def ask(client: Client, query: str, token: str | None = SERVICE_TOKEN, **more: Any) -> Any:
    answer = client.ask("POST", "/graphql", token=token, json={"query": query, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def aliases(names: list[str], fields: str = FIELDS) -> str:
    rows = []
    for place, full_name in enumerate(names):
        owner, _, name = full_name.partition("/")
        rows.append(f'r{place}: repository(owner:"{owner}", name:"{name}") {{ {fields} }}')
    return "query {" + " ".join(rows) + " rateLimit{cost remaining resetAt limit}}"


def test_a_batched_repository_agrees_with_rest(client: Client) -> None:
    one = ask(client, aliases(["pallets/flask"]))["data"]["r0"]
    rest = client.get("/repos/pallets/flask").json()

    assert one["databaseId"] == rest["id"]
    assert one["nameWithOwner"] == rest["full_name"]
    assert one["stargazerCount"] == rest["stargazers_count"]
    assert one["forkCount"] == rest["forks_count"]
    assert one["visibility"] == rest["visibility"].upper()
    assert one["pushedAt"] == rest["pushed_at"]
    assert one["updatedAt"] == rest["updated_at"]
    assert one["primaryLanguage"]["name"] == rest["language"]
    assert one["defaultBranchRef"]["name"] == rest["default_branch"]
    assert [node["topic"]["name"] for node in one["repositoryTopics"]["nodes"]] == rest["topics"]
    open_ones = one["issues"]["totalCount"] + one["pullRequests"]["totalCount"]
    assert open_ones == rest["open_issues_count"]


def test_one_alias_fails_while_the_others_are_answered(client: Client) -> None:
    found = ask(client, aliases(["pallets/flask", "pallets/nothing", "initech/alice-only"]))

    assert found["data"]["r0"]["name"] == "flask"
    assert found["data"]["r1"] is found["data"]["r2"] is None
    assert [(error["type"], error["path"]) for error in found["errors"]] == [
        ("NOT_FOUND", ["r1"]),
        ("NOT_FOUND", ["r2"]),
    ]


def test_what_is_private_depends_on_who_asks(client: Client) -> None:
    query = aliases(["initech/alice-only"], "isPrivate")

    assert ask(client, query, ALICE_TOKEN)["data"]["r0"] == {"isPrivate": True}


def test_a_renamed_repository_is_followed(client: Client) -> None:
    assert ask(client, aliases(["initech/old-name"]))["data"]["r0"]["name"] == "new-name"


def test_a_hundred_repositories_cost_three_points(client: Client, github: StandIn) -> None:
    found = ask(client, aliases(["pallets/flask"] * 100))

    # Three connections each: 300 requests, by the documented formula.
    assert found["data"]["rateLimit"]["cost"] == 3
    assert found["data"]["rateLimit"]["remaining"] == 4997
    assert github.points() == 3


def test_nested_connections_multiply(client: Client) -> None:
    nested = "repositories(first:100){nodes{repositoryTopics(first:100){nodes{topic{name}}}}}"
    query = f'{{organization(login:"pallets"){{{nested}}} rateLimit{{cost nodeCount}}}}'

    found = ask(client, query)["data"]["rateLimit"]

    assert found == {"cost": 1, "nodeCount": 10_100}


@pytest.mark.parametrize(
    ("connection", "kind"),
    [
        ("repositories", "MISSING_PAGINATION_BOUNDARIES"),
        ("repositories(first:101)", "EXCESSIVE_PAGINATION"),
    ],
)
def test_a_page_is_one_to_a_hundred(client: Client, connection: str, kind: str) -> None:
    found = ask(client, f'{{organization(login:"pallets"){{{connection}{{nodes{{name}}}}}}}}')

    assert found["errors"][0]["type"] == kind


def test_variables_and_fragments_work(client: Client) -> None:
    query = """
      query($owner: String!, $size: Int!) {
        repository(owner: $owner, name: "flask") { ...parts }
      }
      fragment parts on Repository { name languages(first: $size) { nodes { name } } }
    """

    found = ask(client, query, variables={"owner": "pallets", "size": 1})

    repository = found["data"]["repository"]
    assert repository == {"name": "flask", "languages": {"nodes": [{"name": "Python"}]}}


def test_the_limit_is_an_error_in_a_200(client: Client, github: StandIn) -> None:
    github.use("service", 5000, "graphql")

    answer = client.ask("POST", "/graphql", json={"query": "{viewer{login}}"})

    assert answer.status_code == 200
    assert answer.json()["errors"][0]["type"] == "RATE_LIMITED"
    assert answer.headers["X-RateLimit-Remaining"] == "0"
    assert answer.headers["X-RateLimit-Resource"] == "graphql"


def test_the_limit_can_be_ordered(client: Client, github: StandIn) -> None:
    github.fault("graphql_limit", "/graphql")

    answer = client.ask("POST", "/graphql", json={"query": "{viewer{login}}"})

    assert answer.status_code == 200
    assert answer.headers["X-RateLimit-Remaining"] == "0"


def test_a_query_that_is_too_large_is_502(client: Client) -> None:
    query = aliases(["pallets/flask"] * 301, "name")

    answer = client.ask("POST", "/graphql", json={"query": query})

    assert answer.status_code == 502
    assert answer.json()["data"] is None


def test_rest_has_its_own_points(client: Client) -> None:
    ask(client, "{viewer{login}}")
    core = client.get("/rate_limit").json()["resources"]["core"]

    assert core["used"] == 0


def test_nobody_in_particular_is_refused(client: Client) -> None:
    answer = client.ask("POST", "/graphql", token=None, json={"query": "{viewer{login}}"})

    assert answer.status_code == 401


def test_a_query_that_makes_no_sense_is_told_so(client: Client) -> None:
    assert "errors" in ask(client, "{repository{")
    assert "errors" in ask(client, "{nothing}")


def test_a_mutation_stars(client: Client) -> None:
    starred = client.get("/repos/initech/website").json()
    mutation = (
        "mutation($id: ID!) {addStar(input: {starrableId: $id}) {starrable {stargazerCount}}}"
    )

    found = ask(client, mutation, variables={"id": starred["node_id"]})

    stars = found["data"]["addStar"]["starrable"]["stargazerCount"]
    assert stars == starred["stargazers_count"] + 1
