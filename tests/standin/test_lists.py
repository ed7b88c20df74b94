"""Pagination, Link and sorting of lists."""

from __future__ import annotations

from tests.standin.accounts import ALICE_TOKEN, PUBLIC_TOKEN
from tests.standin.client import Client
from tests.standin.process import StandIn

REPOS = "/orgs/pallets/repos"


def names(client: Client, path: str, token: str | None = PUBLIC_TOKEN) -> list[str]:
    return [repo["name"] for repo in client.get(path, token=token).json()]


def test_a_page_has_thirty_items_by_default(client: Client) -> None:
    assert len(client.get(REPOS).json()) == 30


def test_a_page_has_a_hundred_items_at_most(client: Client, github: StandIn) -> None:
    github.add_repos("pallets", 100)

    assert len(client.get(f"{REPOS}?per_page=500").json()) == 100


def test_an_organisations_next_page_is_linked_by_its_id(client: Client, github: StandIn) -> None:
    link = client.get(REPOS).links

    assert link["next"]["url"] == f"{github.url}/organizations/16748505/repos?page=2"
    assert link["last"]["url"] == f"{github.url}/organizations/16748505/repos?page=2"


def test_a_users_next_page_is_linked_by_its_id(client: Client, github: StandIn) -> None:
    link = client.get("/users/mitsuhiko/repos?per_page=2").links

    assert link["next"]["url"] == f"{github.url}/user/7396/repos?per_page=2&page=2"


def test_a_repositorys_lists_are_linked_by_its_id(client: Client, github: StandIn) -> None:
    link = client.get("/repos/pallets/flask/tags?per_page=3").links

    assert link["next"]["url"] == f"{github.url}/repositories/596892/tags?per_page=3&page=2"


def test_a_later_page_links_back(client: Client) -> None:
    assert list(client.get(f"{REPOS}?page=2").links) == ["prev", "first"]


def test_a_single_page_has_no_link(client: Client) -> None:
    assert "Link" not in client.get(f"{REPOS}?per_page=100").headers


def test_following_links_sees_each_repository_once(client: Client) -> None:
    url: str | None = f"{REPOS}?per_page=7"
    seen: list[str] = []
    while url is not None:
        answer = client.get(url)
        seen += [repo["full_name"] for repo in answer.json()]
        url = answer.links.get("next", {}).get("url")

    assert len(seen) == 40
    assert len(set(seen)) == 40


def test_a_list_is_sorted_as_asked(client: Client) -> None:
    found = names(client, f"{REPOS}?sort=full_name&per_page=100")

    assert found == sorted(found)
    assert found[::-1] == names(client, f"{REPOS}?sort=full_name&direction=desc&per_page=100")


def test_a_list_is_newest_first_by_default(client: Client) -> None:
    created = [repo["created_at"] for repo in client.get(REPOS).json()]

    assert created == sorted(created, reverse=True)


def test_a_list_can_be_limited_to_forks(client: Client) -> None:
    assert names(client, "/orgs/initech/repos?type=forks") == ["flask"]


def test_a_list_holds_what_the_caller_may_see(client: Client) -> None:
    mine = set(names(client, "/orgs/initech/repos", ALICE_TOKEN))
    anyones = set(names(client, "/orgs/initech/repos"))

    assert mine - anyones == {"alice-only", "shared"}


def test_private_lists_hold_everything_the_account_was_let_into(client: Client) -> None:
    found = {r["full_name"] for r in client.get("/user/repos?per_page=100").json()}

    assert "initech/payroll" in found
    assert "initech/alice-only" not in found


def test_organisations_are_paged_by_since(client: Client) -> None:
    first = client.get("/organizations?per_page=2")
    second = client.get(first.links["next"]["url"])

    ids = [org["id"] for org in first.json() + second.json()]
    assert ids == sorted(set(ids))
    assert len(ids) == 4


def test_contributors_of_an_empty_repository_are_204(client: Client) -> None:
    answer = client.get("/repos/initech/empty/contributors")

    assert (answer.status_code, answer.content) == (204, b"")


def test_search_is_a_wrapped_collection(client: Client) -> None:
    found = client.get("/search/repositories?q=org:pallets+language:python+stars:>10000").json()

    assert found["total_count"] == len(found["items"]) == 3
    assert found["items"][0]["full_name"] == "pallets/flask"


def test_search_without_words_is_refused(client: Client) -> None:
    assert client.get("/search/repositories").status_code == 422
