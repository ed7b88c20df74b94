"""Changing data: by the API, by order, and what readers see afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from tests.standin.accounts import ALICE_TOKEN, PUBLIC_TOKEN
from tests.standin.client import Client
from tests.standin.process import StandIn, StandInError

SITE = "/repos/initech/website"


def test_a_changed_field_shows_at_once(client: Client, github: StandIn) -> None:
    before = client.get(SITE).json()
    github.change_repo("initech/website", stargazers_count=4, topics=["new"])

    after = client.get(SITE).json()

    assert (after["stargazers_count"], after["topics"]) == (4, ["new"])
    assert after["updated_at"] > before["updated_at"]


def test_a_change_shows_in_lists_and_graphql_too(client: Client, github: StandIn) -> None:
    github.change_repo("initech/website", description="Told once")

    listed = {r["name"]: r for r in client.get("/orgs/initech/repos").json()}
    query = {"query": '{repository(owner:"initech",name:"website"){description}}'}
    asked = client.ask("POST", "/graphql", json=query).json()

    assert listed["website"]["description"] == "Told once"
    assert asked["data"]["repository"]["description"] == "Told once"


def test_an_unknown_field_is_refused(github: StandIn) -> None:
    with pytest.raises(StandInError, match="no field colour"):
        github.change_repo("initech/website", colour="red")


def test_the_landmark_of_an_old_name_redirects(client: Client, github: StandIn) -> None:
    answer = client.get("/repos/initech/old-name/tags?per_page=2")

    url = f"{github.url}/repositories/8200011/tags?per_page=2"
    assert answer.status_code == 301
    assert answer.headers["Location"] == url
    assert answer.json()["message"] == "Moved Permanently"
    assert answer.json()["url"] == url
    assert client.get(url).status_code == 200


def test_a_renamed_repository_redirects_to_its_id(client: Client, github: StandIn) -> None:
    github.rename_repo("initech/website", "portal")

    answer = client.get(SITE)

    assert answer.status_code == 301
    assert client.get(answer.headers["Location"]).json()["full_name"] == "initech/portal"


def test_a_new_repository_takes_an_old_name_over(client: Client, github: StandIn) -> None:
    github.rename_repo("initech/website", "portal")
    made = github.create_repo("initech/website")

    assert client.get(SITE).json()["id"] == made


def test_a_private_repositorys_old_name_is_404(client: Client, github: StandIn) -> None:
    github.rename_repo("initech/payroll", "wages")

    assert client.get("/repos/initech/payroll", token=ALICE_TOKEN).status_code == 404


def test_a_transferred_repository_changes_lists(client: Client, github: StandIn) -> None:
    github.transfer_repo("initech/website", "psf")

    assert client.get(SITE).status_code == 301
    found = {r["name"] for r in client.get("/orgs/psf/repos?per_page=100").json()}
    assert "website" in found


def test_a_deleted_repository_is_gone(client: Client, github: StandIn) -> None:
    github.delete_repo("initech/website")

    assert client.get(SITE).status_code == 404


def test_a_privatised_repository_hides(client: Client, github: StandIn) -> None:
    github.change_repo("initech/website", private=True)

    assert client.get(SITE, token=PUBLIC_TOKEN).status_code == 404


def test_many_repositories_can_be_added_at_once(client: Client, github: StandIn) -> None:
    github.add_repos("psf", 10_000)

    assert client.get("/orgs/psf").json()["public_repos"] == 10_010
    last = client.get("/orgs/psf/repos?per_page=100").links["last"]["url"]
    assert last.endswith("page=101")


def test_a_release_becomes_the_latest(client: Client, github: StandIn) -> None:
    made = github.release("initech/website", "v99")

    latest = client.get(f"{SITE}/releases/latest").json()

    assert (latest["id"], latest["tag_name"]) == (made, "v99")
    assert client.get(f"{SITE}/releases/tags/v99").json() == latest
    assert client.get(f"{SITE}/tags").json()[0]["name"] == "v99"


def test_a_push_moves_the_default_branch(client: Client, github: StandIn) -> None:
    before = client.get(f"{SITE}/commits").json()[0]["sha"]
    github.push("initech/website")

    commits = client.get(f"{SITE}/commits").json()

    assert commits[1]["sha"] == before
    assert client.get(f"{SITE}/branches").json()[0]["commit"]["sha"] == commits[0]["sha"]


def test_a_lagging_replica_gives_what_was_there_before(client: Client, github: StandIn) -> None:
    stars = client.get(SITE).json()["stargazers_count"]
    github.lag(60_000)
    github.star("initech/website")
    github.star("initech/website")
    github.create_repo("initech/fresh")
    github.delete_repo("initech/attic")
    github.rename_repo("initech/empty", "full")

    assert client.get(SITE).json()["stargazers_count"] == stars
    assert client.get("/repos/initech/fresh").status_code == 404
    assert client.get("/repos/initech/attic").status_code == 200
    assert client.get("/repos/initech/empty").status_code == 200
    listed = {r["name"] for r in client.get("/orgs/initech/repos").json()}
    assert {"attic", "empty"} <= listed
    assert "fresh" not in listed

    github.advance(61)

    assert client.get(SITE).json()["stargazers_count"] == stars + 2
    assert client.get("/repos/initech/fresh").status_code == 200
    assert client.get("/repos/initech/attic").status_code == 404
    assert client.get("/repos/initech/empty").status_code == 301


def test_patch_edits_renames_and_archives(client: Client) -> None:
    body = {"name": "portal", "description": "New", "archived": True, "unknown": 1}
    answer = client.ask("PATCH", SITE, json=body)

    assert answer.status_code == 200
    found = client.get("/repos/initech/portal").json()
    assert (found["description"], found["archived"]) == ("New", True)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", SITE, {"description": "x"}),
        ("DELETE", SITE, None),
        ("PUT", f"{SITE}/topics", {"names": []}),
        ("POST", f"{SITE}/releases", {"tag_name": "v1"}),
        ("POST", "/orgs/initech/repos", {"name": "x"}),
    ],
)
def test_a_change_without_the_right_is_403(
    client: Client, method: str, path: str, body: Any
) -> None:
    answer = client.ask(method, path, json=body, token=PUBLIC_TOKEN)

    assert answer.status_code == 403
    assert "not accessible" in answer.json()["message"]


def test_topics_are_replaced(client: Client) -> None:
    answer = client.ask("PUT", f"{SITE}/topics", json={"names": ["a", "b"]})

    assert answer.json() == client.get(f"{SITE}/topics").json() == {"names": ["a", "b"]}


def test_delete_is_204(client: Client) -> None:
    assert client.ask("DELETE", SITE).status_code == 204
    assert client.get(SITE).status_code == 404


def test_a_repository_is_created_in_an_organisation(client: Client) -> None:
    answer = client.ask("POST", "/orgs/initech/repos", json={"name": "fresh", "private": True})

    assert answer.status_code == 201
    assert client.get("/repos/initech/fresh").json()["private"] is True
    assert client.get("/repos/initech/fresh", token=ALICE_TOKEN).status_code == 404


def test_a_name_that_is_taken_is_422(client: Client) -> None:
    answer = client.ask("POST", "/orgs/initech/repos", json={"name": "website"})

    assert answer.status_code == 422
    assert "already exists" in answer.json()["errors"][0]["message"]


def test_a_repository_is_created_for_a_user(client: Client) -> None:
    answer = client.ask("POST", "/user/repos", json={"name": "mine"}, token=ALICE_TOKEN)

    assert answer.json()["full_name"] == "alice/mine"
    assert client.get("/users/alice/repos").json()[0]["name"] == "mine"


def test_an_issue_is_opened_and_closed(client: Client) -> None:
    before = client.get(SITE).json()["open_issues_count"]
    made = client.ask("POST", f"{SITE}/issues", json={"title": "Odd"}, token=PUBLIC_TOKEN).json()
    assert client.get(SITE).json()["open_issues_count"] == before + 1

    path = f"{SITE}/issues/{made['number']}"
    closed = client.ask("PATCH", path, json={"state": "closed"}).json()

    assert closed["state"] == "closed"
    assert client.get(SITE).json()["open_issues_count"] == before


def test_starring_twice_is_one_star(client: Client) -> None:
    path = "/user/starred/initech/website"
    stars = client.get(SITE).json()["stargazers_count"]
    statuses = [client.ask("PUT", path).status_code for _ in range(2)]

    assert statuses == [204, 204]
    assert client.get(path).status_code == 204
    assert client.get(SITE).json()["stargazers_count"] == stars + 1
    assert client.ask("DELETE", path).status_code == 204
    assert client.get(path).status_code == 404


def test_a_transfer_is_accepted(client: Client) -> None:
    answer = client.ask("POST", f"{SITE}/transfer", json={"new_owner": "psf"})

    assert answer.status_code == 202
    assert client.get("/repos/psf/website").status_code == 200


def test_an_archived_repository_is_read_only(client: Client) -> None:
    answer = client.ask("POST", "/repos/initech/attic/issues", json={"title": "x"})

    assert answer.status_code == 403


def test_a_method_that_nobody_serves_is_404(client: Client) -> None:
    assert client.ask("POST", "/orgs/initech").status_code == 404


def test_a_body_that_is_no_json_is_400(client: Client, github: StandIn) -> None:
    answer = client.ask("PATCH", SITE, json=[1])

    assert answer.status_code == 400


def test_an_event_feed_changes_when_something_happens(client: Client, github: StandIn) -> None:
    feed = client.get("/orgs/initech/events")
    etag = feed.headers["ETag"]
    assert feed.headers["X-Poll-Interval"] == "60"
    assert client.get("/orgs/initech/events", If_None_Match=etag).status_code == 304

    github.star("initech/website")

    after = client.get("/orgs/initech/events", If_None_Match=etag)
    assert after.status_code == 200
    assert (after.json()[0]["type"], after.json()[0]["repo"]["name"]) == (
        "WatchEvent",
        "initech/website",
    )


def test_private_events_are_for_those_who_see_the_repository(
    client: Client, github: StandIn
) -> None:
    github.push("initech/payroll")

    def told(token: str) -> bool:
        events = client.get("/orgs/initech/events", token=token).json()
        return any(event["repo"]["name"] == "initech/payroll" for event in events)

    assert not told(PUBLIC_TOKEN)


def test_a_tree_can_be_larger_than_two_megabytes(client: Client) -> None:
    answer = client.get("/repos/initech/huge/git/trees/main?recursive=1")

    assert len(answer.content) > 2 * 1024 * 1024
    assert answer.json()["truncated"] is False


def test_a_readme_comes_raw(client: Client) -> None:
    answer = client.get(f"{SITE}/readme", Accept="application/vnd.github.raw+json")

    assert answer.text.startswith("# website")
    assert answer.headers["X-GitHub-Media-Type"] == "github.v3; param=raw"


def test_a_tarball_is_elsewhere(client: Client) -> None:
    answer = client.get(f"{SITE}/tarball")

    assert answer.status_code == 302
    archive = client.get(answer.headers["Location"])
    assert archive.headers["Content-Type"] == "application/x-gzip"
