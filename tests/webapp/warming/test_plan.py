"""What to warm, and when: pure decisions."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from webapp.cache.entry import Entry
from webapp.cache.keys import Target, canonical_target
from webapp.demand import Asked
from webapp.warming.plan import LEAD_FROM, LEAD_TO, Lead, due, of_user, planned
from webapp.watches import Watch

BASE = "http://127.0.0.1:8000/api/v3"
NOW = 1_000_000.0
HOUR = 3600.0
V = (b"h.s",)
ENTRY = Entry(
    status=200,
    stored_at=NOW,
    fresh_until=NOW + HOUR,
    stale_until=NOW + HOUR + 300,
    grace_until=NOW + 7 * 86400,
    etag='W/"x"',
    versions=V,
)
PALLETS = Watch("pallets", "org", "api")
LIST = "per_page=100"


def asked(path: str, query: str = "", weight: float = 1.0, base: str = BASE) -> Asked:
    return Asked(canonical_target(path, query, "", ""), base, NOW, weight)


def is_due(at: float, entry: Entry | None = ENTRY, versions: tuple[bytes, ...] = V) -> bool:
    return due(entry, versions, at, lead=600.0, asked_at=0.0)


def test_what_is_not_held_is_due() -> None:
    assert is_due(NOW, None)


def test_what_is_fresh_for_long_is_not_due() -> None:
    assert not is_due(NOW + HOUR - 601)


def test_it_is_due_before_its_fresh_end() -> None:
    assert is_due(NOW + HOUR - 600)


@pytest.mark.parametrize("later", [HOUR + 1, HOUR + 301, 8 * 86400])
def test_what_is_not_fresh_any_more_is_due(later: float) -> None:
    assert is_due(NOW + later)


def test_what_was_purged_hard_is_due() -> None:
    assert is_due(NOW + 1, versions=(b"other.s",))


def test_what_was_purged_softly_waits_for_its_time() -> None:
    assert not is_due(NOW + 1, versions=(b"h.other",))


def test_what_was_purged_softly_is_due_where_it_was_asked_for_lately() -> None:
    assert due(ENTRY, (b"h.other",), NOW + 1, lead=600.0, asked_at=NOW + 1 - HOUR)


def test_a_remembered_refusal_is_not_due() -> None:
    assert not is_due(NOW + HOUR - 1, replace(ENTRY, status=404))


def test_answers_filled_together_are_refreshed_apart() -> None:
    leads = sorted(Lead().of(f"fw:e:1:service:{n}", HOUR) for n in range(1_000))
    assert leads[0] < (LEAD_FROM + 0.01) * HOUR
    assert leads[-1] > (LEAD_TO - 0.01) * HOUR
    assert max(b - a for a, b in pairwise(leads)) < 0.01 * HOUR


@pytest.mark.parametrize(("period", "least", "most"), [(600.0, 90.0, 210.0), (60.0, 54.0, 54.0)])
def test_a_lead_is_a_tick_at_least_and_never_the_whole_period(
    period: float, least: float, most: float
) -> None:
    leads = [Lead().of(str(n), period) for n in range(100)]
    assert least <= min(leads) <= max(leads) <= most


def urls(plan: list[Asked]) -> list[str]:
    return [each.target.url for each in plan]


def test_a_watched_organisation_is_its_account_and_its_list() -> None:
    plan = planned([PALLETS], [], BASE)
    assert sorted(urls(plan)) == ["/orgs/pallets", "/orgs/pallets/repos?per_page=100"]


def test_a_watched_user_is_asked_for_as_a_user() -> None:
    plan = planned([Watch("mitsuhiko", "user", "api")], [], BASE)
    assert sorted(urls(plan)) == ["/users/mitsuhiko", "/users/mitsuhiko/repos?per_page=100"]


def test_a_watched_repository_is_its_details() -> None:
    assert urls(planned([Watch("psf/requests", "repo", "api")], [], BASE)) == [
        "/repos/psf/requests"
    ]


def test_what_was_asked_for_follows_by_demand() -> None:
    wanted = [
        asked("/repos/pallets/click", weight=2),
        asked("/repos/pallets/flask", weight=9),
        asked("/repos/pallets/flask/topics", weight=5),
    ]
    assert urls(planned([PALLETS], wanted, BASE))[2:] == [
        "/repos/pallets/flask",
        "/repos/pallets/flask/topics",
        "/repos/pallets/click",
    ]


def test_what_is_always_warm_goes_first() -> None:
    plan = planned([PALLETS], [asked("/repos/pallets/flask", weight=1e6)], BASE)
    assert urls(plan)[-1] == "/repos/pallets/flask"


def test_what_is_not_watched_is_left_out() -> None:
    watches = [Watch("psf/requests", "repo", "api")]
    wanted = [
        asked("/repos/psf/black"),
        asked("/orgs/psf/repos"),
        asked("/repos/psf/requests/tags"),
    ]
    assert urls(planned(watches, wanted, BASE)) == [
        "/repos/psf/requests",
        "/repos/psf/requests/tags",
    ]


def test_pages_are_warmed_as_they_were_asked_for() -> None:
    wanted = [asked("/orgs/pallets/repos"), asked("/orgs/pallets/repos", "page=2")]
    assert urls(planned([PALLETS], wanted, BASE))[2:] == [
        "/orgs/pallets/repos",
        "/orgs/pallets/repos?page=2",
    ]


def test_pages_that_a_list_brings_with_it_are_planned_once() -> None:
    wanted = [asked("/orgs/pallets/repos", f"{LIST}&page={n}") for n in (1, 2, 3)]
    assert len(planned([PALLETS], wanted, BASE)) == 2


def test_another_representation_is_an_answer_of_its_own() -> None:
    raw = Asked(Target("/orgs/pallets/repos", LIST, "text/html", ""), BASE, NOW, 1.0)
    assert raw in planned([PALLETS], [raw], BASE)


def test_another_base_url_is_an_answer_of_its_own() -> None:
    other = "http://localhost:8000/api/v3"
    plan = planned([PALLETS], [asked("/orgs/pallets/repos", LIST, base=other)], BASE)
    assert [each.base_url for each in plan] == [BASE, BASE, other]


def test_an_owner_that_is_a_user_is_asked_for_as_one_in_the_same_place() -> None:
    watches = [Watch("mitsuhiko", "owner", "api"), PALLETS]
    before = [each.text for each in planned(watches, [], BASE)]
    after = [Asked.of(text).target.path for text in of_user(before, "mitsuhiko")]
    assert after == [
        Asked.of(text).target.path.replace("/orgs/mitsuhiko", "/users/mitsuhiko") for text in before
    ]
