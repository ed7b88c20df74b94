"""Look-ups by name: what they cost, whom they believe, and what is left when something is away."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from script.embedded import Valkey
from tests.serving import Forewarm
from tests.standin import landmarks
from tests.standin.accounts import ALICE_TOKEN
from tests.standin.process import StandIn
from tests.webapp.catalog.conftest import Api, statements
from tests.webapp.delivering import SECRET
from tests.webapp.lasting import Applications
from tests.webapp.listed import names_of

FLASK, CLICK = "pallets/flask", "pallets/click"
GRAPHQL = "/graphql"


def full_names(looked: dict[str, list[dict[str, object]]]) -> list[object]:
    return [item["full_name"] for item in looked["items"]]


def test_250_names_cost_three_calls_cold_and_none_warm(api: Api, github: StandIn) -> None:
    github.create_org("many", repos=250)
    names = names_of(github, "many")
    assert full_names(api.look_up(names)) == names
    assert github.count() == 3
    assert full_names(api.look_up(names)) == names
    assert github.count() == 3


def test_what_is_current_costs_one_catalog_query(api: Api) -> None:
    api.look_up([FLASK, CLICK])
    with statements() as ran:
        api.look_up([FLASK, CLICK])
    assert ran == ["catalog_lookup"]


def test_what_a_list_showed_needs_no_call(api: Api, forewarm: Forewarm, github: StandIn) -> None:
    forewarm.get("/orgs/pallets/repos?per_page=100")
    api.settle()
    github.forget()
    assert full_names(api.look_up([FLASK, CLICK])) == [FLASK, CLICK]
    assert github.count() == 0


def test_an_item_has_githubs_names_and_values(api: Api, forewarm: Forewarm) -> None:
    (item,) = api.look_up([FLASK])["items"]
    rest = forewarm.get("/repos/pallets/flask").get_json()
    seen_at, owner = item.pop("seen_at"), item.pop("owner")
    assert owner == {"login": "pallets"}
    assert item == {name: rest[name] for name in item}
    assert list(item)[:3] == ["id", "full_name", "name"]
    assert abs(datetime.fromisoformat(seen_at).timestamp() - datetime.now(UTC).timestamp()) < 60
    # The same from the catalog.
    (again,) = api.look_up([FLASK])["items"]
    assert again == {**item, "owner": owner, "seen_at": seen_at}


def test_order_is_kept_and_case_and_repetition_dont_count(api: Api) -> None:
    looked = api.look_up(["PALLETS/Click", FLASK, CLICK, "Pallets/FLASK"])
    assert looked == {"items": looked["items"], "missing": []}
    assert full_names(looked) == [CLICK, FLASK]


def test_no_names_are_no_items(api: Api, github: StandIn) -> None:
    assert api.look_up([]) == {"items": [], "missing": []}
    assert github.count() == 0


def test_missing_names_are_told_as_asked_and_remembered(api: Api, github: StandIn) -> None:
    asked = ["Pallets/Nothing", FLASK, landmarks.ALICE_PRIVATE]
    for _ in range(2):
        assert api.look_up(asked)["missing"] == [asked[0], asked[2]]
    assert github.count() == 1


def test_a_missing_name_is_asked_for_again_after_a_webhook(api: Api, github: StandIn) -> None:
    assert api.look_up(["psf/new"])["missing"] == ["psf/new"]
    github.create_repo("psf/new")
    api.deliver("repository", "psf/new", action="created")
    assert full_names(api.look_up(["psf/new"])) == ["psf/new"]


def test_a_renamed_one_is_told_by_its_present_name(api: Api, github: StandIn) -> None:
    for _ in range(2):
        looked = api.look_up([landmarks.OLD_NAME, landmarks.RENAMED_REPO])
        assert full_names(looked) == [landmarks.RENAMED_REPO]
        assert looked["renamed"] == {landmarks.OLD_NAME: landmarks.RENAMED_REPO}
    assert github.count() == 1


def test_one_that_takes_anothers_old_name_is_itself(api: Api, github: StandIn) -> None:
    first = api.look_up([CLICK])["items"][0]
    github.rename_repo(CLICK, "clack")
    api.deliver("repository", CLICK, action="renamed")
    assert full_names(api.look_up([CLICK])) == ["pallets/clack"]
    github.create_repo(CLICK, description="another")
    api.deliver("repository", CLICK, action="created")
    looked = api.look_up([CLICK, "pallets/clack"])
    assert full_names(looked) == [CLICK, "pallets/clack"]
    assert [item["id"] == first["id"] for item in looked["items"]] == [False, True]
    assert api.get(f"/repos/{CLICK}").get_json()["description"] == "another"
    assert api.get("/repos/pallets/clack").get_json()["id"] == first["id"]


def test_a_former_name_is_confirmed_each_minute(
    api: Api, forewarm: Forewarm, github: StandIn
) -> None:
    """No webhook says that another has taken it."""
    api.look_up([CLICK])
    github.rename_repo(CLICK, "clack")
    api.look_up(["pallets/clack"])
    github.create_repo(CLICK, description="another")
    assert full_names(api.look_up([CLICK])) == [CLICK]


def test_a_row_of_three_hours_is_asked_for_again(api: Api, github: StandIn) -> None:
    api.look_up([FLASK])
    api.age("2 hours 59 minutes")
    api.look_up([FLASK])
    assert github.count() == 1
    github.change_repo(FLASK, stargazers_count=7)
    api.age("2 minutes")
    assert api.look_up([FLASK])["items"][0]["stargazers_count"] == 7
    assert github.count() == 2


@pytest.mark.parametrize("tag", ["repo:pallets/flask", "owner:pallets", "all"])
@pytest.mark.parametrize("hard", [False, True])
def test_a_purge_by_another_process_is_heeded(
    api: Api, applications: Applications, github: StandIn, tag: str, hard: bool
) -> None:
    api.look_up([FLASK])
    other = applications(GITHUB_WEBHOOK_SECRET=SECRET, HIT_SAMPLE="7")
    other.services.purger.purge([tag], hard=hard, cause="operator")
    assert other.services.harvest.flush()
    github.change_repo(FLASK, webhook=False, stargazers_count=8)
    assert api.look_up([FLASK])["items"][0]["stargazers_count"] == 8
    api.look_up([FLASK])
    assert github.count() == 2


def test_a_deleted_one_is_missing_at_once(api: Api, github: StandIn) -> None:
    api.look_up([CLICK])
    github.delete_repo(CLICK)
    api.deliver("repository", CLICK, action="deleted")
    assert api.look_up([CLICK]) == {"items": [], "missing": [CLICK]}


def test_what_a_callers_own_token_saw_never_appears(
    api: Api, forewarm: Forewarm, github: StandIn
) -> None:
    seen = forewarm.get(f"/repos/{landmarks.ALICE_PRIVATE}", token=ALICE_TOKEN)
    forewarm.get("/orgs/initech/repos", token=ALICE_TOKEN)
    api.settle()
    assert seen.status_code == 200
    assert api.look_up([landmarks.ALICE_PRIVATE])["missing"] == [landmarks.ALICE_PRIVATE]
    assert api.get(f"/repos/{landmarks.ALICE_PRIVATE}").status_code == 404
    assert api.get("/repos?q=alice").get_json()["items"] == []
    assert api.get("/repos?org=initech").get_json()["items"] == []


# GitHub away


def test_without_github_what_is_held_is_given(api: Api, github: StandIn) -> None:
    api.look_up([FLASK])
    api.age("1 day")
    github.fault("status", status=503)
    looked = api.look_up([FLASK, CLICK])
    assert (full_names(looked), looked["unresolved"]) == ([FLASK], [CLICK])


def test_without_github_and_with_nothing_held_it_is_an_error(api: Api, github: StandIn) -> None:
    github.fault("status", status=503)
    assert api.post_lookup({"names": [FLASK]}).status_code == 502
    assert api.get(f"/repos/{FLASK}").status_code == 502


@pytest.mark.parametrize(("hard", "given"), [(False, [FLASK]), (True, [])])
def test_without_github_what_was_purged_hard_is_given_to_nobody(
    api: Api, forewarm: Forewarm, github: StandIn, hard: bool, given: list[str]
) -> None:
    api.look_up([FLASK, "psf/requests"])
    forewarm.services.purger.purge(["repo:pallets/flask"], hard=hard, cause="operator")
    api.settle()
    github.fault("status", status=503)
    assert full_names(api.look_up([FLASK, "psf/requests"])) == [*given, "psf/requests"]


def test_a_row_past_its_grace_is_given_to_nobody(api: Api, github: StandIn) -> None:
    api.look_up([FLASK])
    api.age("8 days")
    github.fault("status", status=503)
    assert api.post_lookup({"names": [FLASK]}).status_code == 502


def test_without_budget_it_is_githubs_limit_answer(api: Api, github: StandIn) -> None:
    github.fault("primary")
    answer = api.post_lookup({"names": [FLASK]})
    assert answer.status_code == 403
    assert "API rate limit exceeded" in answer.get_json()["message"]
    assert answer.headers["X-RateLimit-Remaining"] == "0"
    assert int(answer.headers["Retry-After"]) > 0


# Other ways to GitHub


def test_without_a_token_details_come_by_rest(
    api: Api, applications: Applications, github: StandIn
) -> None:
    other = Api(applications(GITHUB_TOKEN="", GITHUB_WEBHOOK_SECRET=SECRET))
    looked = other.look_up([FLASK, landmarks.OLD_NAME, "pallets/nothing", "psf/requests"])
    assert full_names(looked) == [FLASK, landmarks.RENAMED_REPO, "psf/requests"]
    assert looked["missing"] == ["pallets/nothing"]
    assert looked["renamed"] == {landmarks.OLD_NAME: landmarks.RENAMED_REPO}
    assert github.count(GRAPHQL) == 0


@pytest.mark.parametrize("kind", ["graphql_error", "graphql_limit", "forbidden", "html"])
def test_where_graphql_fails_details_come_by_rest(api: Api, github: StandIn, kind: str) -> None:
    github.fault(kind, GRAPHQL)
    looked = api.look_up([FLASK, CLICK, "pallets/nothing"])
    assert (full_names(looked), looked["missing"]) == ([FLASK, CLICK], ["pallets/nothing"])


# Redis away


def test_without_redis_it_is_right_all_the_same(api: Api, github: StandIn, valkey: Valkey) -> None:
    api.look_up([FLASK])
    valkey.pause()
    try:
        looked = api.look_up([FLASK, CLICK, "pallets/nothing"])
    finally:
        valkey.resume()
    assert (full_names(looked), looked["missing"]) == ([FLASK, CLICK], ["pallets/nothing"])
