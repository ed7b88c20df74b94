"""What of searches and lists is kept, and until when; owners."""

from __future__ import annotations

import pytest

from tests.serving import Forewarm
from tests.standin.process import StandIn
from tests.webapp.catalog.conftest import Api, everything, filled_with_lists, statements


@pytest.fixture
def filled(api: Api) -> Api:
    return filled_with_lists(api)


@pytest.mark.parametrize("query", ["org=pallets", "q=flask"])
def test_a_webhook_for_its_owner_makes_the_next_one_run_again(filled: Api, query: str) -> None:
    filled.get(f"/repos?{query}")
    filled.deliver("star", "pallets/click", action="created")
    with statements() as ran:
        filled.get(f"/repos?{query}")
    assert "catalog_search" in ran


@pytest.mark.parametrize("query", ["org=pallets", "q=flask"])
def test_a_harvest_for_its_owner_makes_the_next_one_run_again(
    filled: Api, forewarm: Forewarm, github: StandIn, query: str
) -> None:
    everything(filled, query)
    github.change_repo("pallets/flask", webhook=False, stargazers_count=1)
    forewarm.get("/repos/pallets/flask")
    filled.settle()
    by_name = {item["full_name"]: item for item in everything(filled, query)}
    assert by_name["pallets/flask"]["stargazers_count"] == 1


def test_another_owners_webhook_leaves_an_owners_search(filled: Api) -> None:
    filled.get("/repos?org=pallets")
    filled.deliver("star", "psf/requests", action="created")
    with statements() as ran:
        filled.get("/repos?org=pallets")
    assert ran == []


def test_a_harvest_that_changes_nothing_leaves_searches(filled: Api, forewarm: Forewarm) -> None:
    forewarm.get("/repos/pallets/flask")
    filled.settle()
    filled.get("/repos?org=pallets")
    filled.look_up(["pallets/flask"])
    filled.settle()
    with statements() as ran:
        filled.get("/repos?org=pallets")
    assert ran == []


# Owners


def test_owners_that_were_seen_or_are_watched_are_listed(filled: Api, forewarm: Forewarm) -> None:
    forewarm.services.watches.add("mitsuhiko", "api")
    try:
        page = filled.get("/orgs").get_json()
        by_login = {item["login"]: item for item in page["items"]}
        assert list(by_login) == ["mitsuhiko", "pallets", "psf"]
        assert (page["next"], by_login["mitsuhiko"]["watched"]) == (None, True)
        assert by_login["mitsuhiko"]["seen_at"] is by_login["mitsuhiko"]["fresh_until"] is None
        assert by_login["pallets"]["watched"] is False
        assert by_login["pallets"]["repositories"] == len(everything(filled, "org=pallets"))
        assert by_login["pallets"]["fresh_until"] > by_login["pallets"]["seen_at"]
        assert filled.get("/orgs/Mitsuhiko").get_json() == by_login["mitsuhiko"]
    finally:
        forewarm.services.watches.remove("mitsuhiko")


def test_owners_come_page_by_page(filled: Api) -> None:
    first = filled.get("/orgs?limit=1").get_json()
    second = filled.get(f"/orgs?limit=1&cursor={first['next']}").get_json()
    assert [page["items"][0]["login"] for page in (first, second)] == ["pallets", "psf"]
    assert second["next"] is None


def test_lists_of_owners_are_kept_till_one_changes(filled: Api, forewarm: Forewarm) -> None:
    forewarm.services.watches.all()
    first = filled.get("/orgs").data
    filled.get("/orgs/psf")
    with statements() as ran:
        assert filled.get("/orgs").data == first
        filled.get("/orgs/psf")
    assert ran == []
    forewarm.get("/orgs/psf")
    filled.settle()
    assert filled.get("/orgs/psf").get_json()["public_repos"] is not None


def test_nobody_has_seen_this_owner(filled: Api) -> None:
    assert filled.get("/orgs/nobody").status_code == 404
