"""What a feed's page says: what is new on it, and the tags of it, as webhooks have them."""

from __future__ import annotations

from typing import Any

import pytest

from webapp.github.events import Facts, Purges, purges
from webapp.github.feed_events import PAGE, TYPES, facts_of_entry, news, purges_of_entries
from webapp.policy import RESOURCES


def entry(kind: str, id_: int = 1, repo: str = "Pallets/Flask", **payload: Any) -> dict[str, Any]:
    return {"id": str(id_), "type": kind, "repo": {"name": repo}, "payload": payload}


@pytest.mark.parametrize(
    ("told", "facts"),
    [
        (entry("WatchEvent", action="started"), Facts("star", "created", ("Pallets/Flask",))),
        (entry("PushEvent", ref="refs/heads/main"), Facts("push", "", ("Pallets/Flask",))),
        (entry("IssuesEvent", action="closed"), Facts("issues", "closed", ("Pallets/Flask",))),
        (
            entry("PullRequestEvent", action="opened"),
            Facts("pull_request", "opened", ("Pallets/Flask",)),
        ),
        (
            entry("ReleaseEvent", action="published"),
            Facts("release", "published", ("Pallets/Flask",)),
        ),
        (entry("DeleteEvent", ref_type="branch"), Facts("delete", "", ("Pallets/Flask",))),
        (
            entry("MemberEvent", action="added", member={"login": "Ann"}),
            Facts("member", "added", ("Pallets/Flask",), members=("Ann",)),
        ),
    ],
    ids=lambda each: each["type"] if isinstance(each, dict) else "",
)
def test_an_entry_says_what_a_webhook_would(told: dict[str, Any], facts: Facts) -> None:
    assert list(facts_of_entry(told)) == [facts]


def test_a_fork_is_a_counter_there_and_a_repository_here() -> None:
    made = entry("ForkEvent", action="forked", forkee={"full_name": "ann/flask"})
    assert list(facts_of_entry(made)) == [
        Facts("fork", "", ("Pallets/Flask",)),
        Facts("repository", "created", ("ann/flask",)),
    ]


def test_a_new_repository_changes_its_owners_lists_at_once() -> None:
    made = entry("CreateEvent", ref_type="repository", repo="pallets/new")
    assert "repos:pallets" in purges_of_entries([made]).soft


def test_what_became_public_changes_what_the_webhooks_change() -> None:
    found = purges_of_entries([entry("PublicEvent")])
    public = purges(Facts("public", "", ("pallets/flask",)))
    publicized = purges(Facts("repository", "publicized", ("pallets/flask",)))
    assert set(found.soft) == {*public.soft, *publicized.soft}


def test_each_tag_is_purged_once_and_a_list_either_at_once_or_under_its_pause() -> None:
    found = purges_of_entries(
        [entry("WatchEvent"), entry("PushEvent"), entry("CreateEvent", ref_type="repository")]
    )
    assert len(found.soft) == len(set(found.soft))
    assert not set(found.soft) & set(found.lists)


@pytest.mark.parametrize(
    "odd",
    [
        entry("GollumEvent"),
        entry("Sponsored"),
        {},
        {"type": None, "repo": None, "payload": None},
        {"type": ["PushEvent"], "repo": [], "payload": []},
        {"type": "PushEvent", "repo": {"name": None}},
        {"type": "IssuesEvent", "repo": {"name": "o/r"}, "payload": {"action": 3}},
    ],
)
def test_what_names_nothing_that_is_kept_purges_nothing_of_a_repository(odd: Any) -> None:
    assert not purges_of_entries([odd]).soft


def test_every_type_is_an_event_of_the_policy_table() -> None:
    known = {event for row in RESOURCES for event in row.purged_by}
    assert {event for each in TYPES.values() for event, _ in each} <= known


def test_news_are_what_the_last_page_hadnt() -> None:
    page = [entry("PushEvent", number) for number in (5, 4, 3)]
    found = news(page, ("4", "2"))
    assert ([each["id"] for each in found.entries], found.gap) == (["5", "3"], False)
    assert found.ids == ("5", "4", "3")


@pytest.mark.parametrize(
    ("ids", "seen", "gap"),
    [
        ((), (), False),
        ((2, 1), (), False),
        ((2, 1), ("1",), False),
        ((4, 3), ("2", "1"), True),
        (tuple(range(PAGE)), (), True),
        ((), ("2",), False),
    ],
)
def test_a_gap_is_a_page_that_doesnt_reach_back_to_the_last(
    ids: tuple[int, ...], seen: tuple[str, ...], gap: bool
) -> None:
    assert news([entry("PushEvent", id_ + 1000 * (not seen)) for id_ in ids], seen).gap is gap


@pytest.mark.parametrize("page", [{"message": "no"}, None, [1], "x"])
def test_what_is_no_page_is_refused(page: object) -> None:
    with pytest.raises(ValueError, match="not a feed"):
        news(page, ())


def test_an_empty_page_purges_nothing() -> None:
    assert purges_of_entries([]) == Purges()
