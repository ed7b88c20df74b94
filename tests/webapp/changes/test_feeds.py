"""Event feeds, polled from the stand-in: what happened there is purged here, for no point."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest

from script.embedded import Postgres, Valkey
from tests.serving import Forewarm
from tests.standin.process import StandIn
from tests.webapp.lasting import Applications, lasting_applications, recovered
from webapp.changes.feeds import MISSING_FOR, Feeds
from webapp.errors import GitHubUnavailable, OutOfBudget
from webapp.signals import purged
from webapp.watches import Watches

FEED = "/orgs/pallets/events"
DETAIL, OTHER, LIST = "/repos/pallets/flask", "/repos/pallets/jinja", "/orgs/pallets/repos"


@pytest.fixture(scope="module")
def applications(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    with lasting_applications(valkey, postgres, standin, "feeds") as made:
        yield made


@pytest.fixture
def forewarm(applications: Applications, standin: StandIn) -> Forewarm:
    applications.empty(standin)
    return applications(WATCH="pallets")


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def feeds_of(forewarm: Forewarm, clock: Clock) -> Feeds:
    services = forewarm.services
    return Feeds(services.watches, services.client, services.redis, services.invalidation, clock)


@pytest.fixture
def feeds(forewarm: Forewarm, clock: Clock) -> Feeds:
    """Their first round is over: everything is remembered."""
    feeds = feeds_of(forewarm, clock)
    assert feeds.poll() == ()
    clock.now += 61
    return feeds


def outcome(forewarm: Forewarm, path: str) -> str:
    return forewarm.get(path).headers["X-Cache"]


def test_a_feed_that_is_new_purges_nothing(
    forewarm: Forewarm, clock: Clock, github: StandIn
) -> None:
    github.star("pallets/flask")
    outcome(forewarm, DETAIL)
    assert feeds_of(forewarm, clock).poll() == ()
    assert outcome(forewarm, DETAIL) == "HIT"


def test_what_happened_is_purged_and_nothing_else(
    forewarm: Forewarm, feeds: Feeds, github: StandIn
) -> None:
    for path in (DETAIL, OTHER, LIST):
        outcome(forewarm, path)
    github.star("pallets/flask")
    assert feeds.poll() == ("repo:pallets/flask",)
    assert outcome(forewarm, OTHER) == "HIT"
    assert outcome(forewarm, DETAIL) != "HIT"
    assert outcome(forewarm, LIST) != "HIT"


def test_a_purge_says_that_a_feed_caused_it(
    forewarm: Forewarm, feeds: Feeds, github: StandIn
) -> None:
    told: list[tuple[str, str]] = []

    def hear(_: object, *, cause: str, detail: str, **__: object) -> None:
        told.append((cause, detail))

    github.push("pallets/flask")
    with purged.connected_to(hear):
        feeds.poll()
    assert set(told) == {("feed", FEED)}


def test_rounds_in_which_nothing_happens_cost_no_point(
    feeds: Feeds, clock: Clock, github: StandIn
) -> None:
    github.forget()
    for _ in range(5):
        feeds.poll()
        clock.now += 61
    assert (github.count(FEED), github.points()) == (5, 0)


def test_what_was_told_once_is_not_purged_again(
    feeds: Feeds, clock: Clock, github: StandIn
) -> None:
    github.star("pallets/flask")
    assert feeds.poll()
    clock.now += 61
    assert feeds.poll() == ()


def test_a_feed_is_not_polled_sooner_than_github_allows(
    feeds: Feeds, clock: Clock, github: StandIn
) -> None:
    feeds.poll()
    github.forget()
    clock.now += 50
    feeds.poll()
    assert github.count(FEED) == 0
    clock.now += 10
    feeds.poll()
    assert github.count(FEED) == 1


def test_more_than_a_page_of_news_purges_everything_of_the_owner(
    forewarm: Forewarm, feeds: Feeds, github: StandIn
) -> None:
    outcome(forewarm, OTHER)
    for _ in range(101):
        github.star("pallets/flask")
    assert feeds.poll() == ("owner:pallets",)
    assert outcome(forewarm, OTHER) == "REVALIDATED"


def test_a_user_is_found_out_to_be_one(
    applications: Applications, clock: Clock, github: StandIn
) -> None:
    applications.empty(github)
    forewarm = applications(WATCH="mitsuhiko")
    feeds = feeds_of(forewarm, clock)
    feeds.poll()
    assert (github.count("/orgs/mitsuhiko/events"), github.count("/users/mitsuhiko/events")) == (
        *(1, 1),
    )


def test_a_single_repository_has_a_feed_of_its_own(
    applications: Applications, clock: Clock, github: StandIn
) -> None:
    applications.empty(github)
    forewarm = applications(WATCH="pallets/flask")
    feeds = feeds_of(forewarm, clock)
    feeds.poll()
    clock.now += 61
    github.star("pallets/jinja")
    github.star("pallets/flask")
    assert feeds.poll() == ("repo:pallets/flask",)


def test_a_feed_that_isnt_there_is_left_alone_for_an_hour(
    applications: Applications, clock: Clock, github: StandIn
) -> None:
    applications.empty(github)
    feeds = feeds_of(applications(WATCH="nobody/nothing"), clock)
    for _ in range(5):
        feeds.poll()
        clock.now += 61
    assert github.count("/repos/nobody/nothing/events") == 1
    clock.now += MISSING_FOR
    feeds.poll()
    assert github.count("/repos/nobody/nothing/events") == 2


def test_without_budget_the_round_is_put_off_and_tells_the_news_later(
    forewarm: Forewarm, feeds: Feeds, github: StandIn
) -> None:
    github.star("pallets/flask")
    github.fault("secondary", path="/orgs/*", retry_after=30, count=1)
    with pytest.raises(OutOfBudget) as refused:
        feeds.poll()
    assert refused.value.retry_at > 1_800_000_000.0
    forewarm.services.redis.delete(*forewarm.services.redis.keys("fw:b:*"))
    recovered(forewarm)
    assert feeds.poll() == ("repo:pallets/flask",)


def test_a_feed_that_github_cannot_give_keeps_none_of_the_others_from_its_turn(
    applications: Applications, clock: Clock, github: StandIn
) -> None:
    applications.empty(github)
    feeds = feeds_of(applications(WATCH="pallets/flask,psf/requests"), clock)
    github.fault("status", path="/repos/pallets/flask/events", status=500)
    for _ in range(2):
        with suppress(GitHubUnavailable):
            feeds.poll()
        clock.now += 61
    assert github.count("/repos/psf/requests/events") >= 1


def test_a_repository_of_a_watched_organisation_needs_no_feed_of_its_own(
    applications: Applications, clock: Clock, github: StandIn
) -> None:
    applications.empty(github)
    forewarm = applications(WATCH="pallets,pallets/flask")
    forewarm.services.watches.seed()
    forewarm.services.watches.learn("pallets", "org")
    feeds_of(forewarm, clock).poll()
    assert (github.count(FEED), github.count("/repos/pallets/flask/events")) == (1, 0)


def test_a_round_is_no_longer_than_a_minutes_calls_allow(
    forewarm: Forewarm, clock: Clock, github: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.changes.feeds.MOST", 2)
    names = ("pallets/flask", "pallets/jinja", "pallets/click")
    services = forewarm.services
    watches = Watches(names, services.database)
    feeds = Feeds(watches, services.client, services.redis, services.invalidation, clock)
    for _ in range(3):
        feeds.poll()
        clock.now += 61
    counts = [github.count(f"/repos/{name}/events") for name in names]
    assert (sum(counts), min(counts)) == (6, 1)
