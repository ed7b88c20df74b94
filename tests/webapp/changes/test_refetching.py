"""What was purged and is wanted is fetched before its readers come; nothing else is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from script.embedded import Postgres, Valkey
from tests.serving import Forewarm
from tests.standin.process import StandIn
from tests.webapp.lasting import Applications, lasting_applications

DETAIL, LIST = "/repos/pallets/flask", "/orgs/pallets/repos"
TAG = "repo:pallets/flask"


@pytest.fixture(scope="module")
def applications(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    with lasting_applications(valkey, postgres, standin, "refetching") as started:
        yield started


@pytest.fixture
def forewarm(applications: Applications, github: StandIn) -> Forewarm:
    applications.empty(github)
    return applications(WATCH="pallets, psf/requests")


def ask(forewarm: Forewarm, *paths: str) -> list[str]:
    """As a key holder does; their outcomes."""
    outcomes = [forewarm.get(path).headers["X-Cache"] for path in paths]
    forewarm.services.demand.flush()
    return outcomes


def refetched(forewarm: Forewarm, *tags: str) -> int:
    forewarm.services.purger.purge(tags, hard=False, cause="webhook")
    return forewarm.services.refetching.refetch(tags)


def test_what_was_asked_for_is_fetched_before_the_next_reader(
    forewarm: Forewarm, github: StandIn
) -> None:
    ask(forewarm, DETAIL)
    github.change_repo("pallets/flask", description="changed", webhook=False)
    assert refetched(forewarm, TAG) == 1
    answer = forewarm.get(DETAIL)
    assert (answer.headers["X-Cache"], answer.get_json()["description"]) == ("HIT", "changed")


def test_only_what_was_purged_is_fetched(forewarm: Forewarm, github: StandIn) -> None:
    ask(forewarm, DETAIL, LIST, "/repos/pallets/click", f"{DETAIL}/languages")
    asked = github.count("/")
    assert refetched(forewarm, TAG) == 2
    assert github.count("/") == asked + 2


def test_every_page_of_a_list_that_was_asked_for_is_fetched(forewarm: Forewarm) -> None:
    pages = [LIST, f"{LIST}?page=2", f"{LIST}?per_page=100"]
    ask(forewarm, *pages)
    assert refetched(forewarm, "repos:pallets", "repos:any") == 3
    assert ask(forewarm, *pages) == ["HIT", "HIT", "HIT"]


def test_what_nobody_watches_waits_for_its_reader(forewarm: Forewarm) -> None:
    ask(forewarm, "/repos/psf/black", "/repos/psf/requests")
    assert refetched(forewarm, "repo:psf/black", "repo:psf/requests") == 1
    assert ask(forewarm, "/repos/psf/black") == ["REVALIDATED"]


def test_what_only_a_callers_own_token_asked_for_is_never_fetched(
    forewarm: Forewarm, github: StandIn
) -> None:
    forewarm.get(DETAIL, token="ghp_" + "x" * 36)
    forewarm.services.demand.flush()
    assert refetched(forewarm, TAG) == 0


def test_what_a_reader_has_revalidated_already_is_left_alone(
    forewarm: Forewarm, github: StandIn
) -> None:
    ask(forewarm, DETAIL)
    forewarm.services.purger.purge([TAG], hard=False, cause="webhook")
    ask(forewarm, DETAIL)
    asked = github.count("/")
    assert forewarm.services.refetching.refetch([TAG]) == 0
    assert github.count("/") == asked


def test_while_github_is_down_it_is_left_to_its_readers(
    forewarm: Forewarm, github: StandIn
) -> None:
    ask(forewarm, DETAIL, f"{DETAIL}/languages")
    github.fault("status", status=503)
    assert refetched(forewarm, TAG) == 0
    assert ask(forewarm, DETAIL) == ["GRACE"]
