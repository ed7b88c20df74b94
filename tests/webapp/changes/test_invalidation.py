"""The pause of lists that counters change, and that an event touches what it names alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import redis

from script.embedded import Postgres, Valkey
from tests.serving import Forewarm
from tests.standin.process import StandIn
from tests.webapp.delivering import SECRET, deliver, forget_deliveries, named
from tests.webapp.lasting import Applications, lasting_applications
from webapp.cache.entry import State, decode, encode
from webapp.cache.keys import JSON_MEDIA, SERVICE, Target, entry_key, tag_key
from webapp.changes.invalidation import PAUSE, READS_LAG
from webapp.github.events import Purges
from webapp.policy import match
from webapp.signals import purged

LISTS = ("repos:any", "repos:pallets")
BASE_URL = "http://127.0.0.1:8000/api/v3"
PAUSE_S, LAG_S = PAUSE.total_seconds(), READS_LAG.total_seconds()


@pytest.fixture(scope="module")
def applications(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    with lasting_applications(valkey, postgres, standin, "invalidation") as started:
        yield started


@pytest.fixture
def forewarm(applications: Applications, github: StandIn) -> Forewarm:
    applications.empty(github)
    forget_deliveries(applications.environ)
    return applications(GITHUB_WEBHOOK_SECRET=SECRET)


# The pause


class Paced:
    """Counters' events at chosen seconds, and when which lists were purged."""

    def __init__(self, *processes: Forewarm) -> None:
        self.invalidations = [each.services.invalidation for each in processes]
        self.began = time.time()
        self.now = 0.0
        self.purges: list[tuple[float, tuple[str, ...]]] = []
        for each in self.invalidations:
            vars(each)["_clock"] = lambda: self.began + self.now

    def event(self, at: float, lists: tuple[str, ...] = LISTS, process: int = 0) -> None:
        self.now = at
        self.invalidations[process].apply(Purges(lists=lists), cause="webhook", detail="push g")

    def owed(self, at: float, process: int = 0) -> None:
        self.now = at
        self.invalidations[process].owed()

    def note(self, _: object, **what: Any) -> None:
        self.purges.append((self.now, tuple(sorted(what["tags"]))))

    def times(self, tag: str = LISTS[1]) -> list[float]:
        """When the tag was purged."""
        return [at for at, tags in self.purges if tag in tags]


@pytest.fixture
def paced(forewarm: Forewarm, applications: Applications) -> Iterator[Paced]:
    forewarm.get("/repos/pallets/flask")  # it has met this Redis
    paced = Paced(forewarm, applications(GITHUB_WEBHOOK_SECRET=SECRET, HITPATH="off"))
    with purged.connected_to(paced.note):
        yield paced


def test_the_first_change_purges_the_lists_at_once(paced: Paced) -> None:
    paced.event(0)
    assert paced.purges == [(0, LISTS)]


def test_a_thousand_changes_in_a_minute_purge_the_lists_twice(paced: Paced) -> None:
    for number in range(1_000):
        paced.event(number * 0.035)
    for second in range(35, 130):
        paced.owed(second)
    assert paced.times() == [0, PAUSE_S]


def test_changes_that_never_end_purge_the_lists_once_a_minute(paced: Paced) -> None:
    for second in range(300):
        paced.event(second)
        paced.owed(second)
    assert paced.times() == [0, 60, 120, 180, 240]


def test_nothing_is_owed_before_the_pause_is_over(paced: Paced) -> None:
    paced.event(0)
    paced.event(1)
    paced.owed(PAUSE_S - 0.1)
    assert paced.times() == [0]


def test_the_purge_at_the_pauses_end_is_a_lone_changes_second_look(paced: Paced) -> None:
    paced.event(0)
    for second in (PAUSE_S, 2 * PAUSE_S, 3 * PAUSE_S):
        paced.owed(second)
    assert paced.times() == [0, PAUSE_S]


def test_a_change_too_young_for_githubs_reads_owes_another(paced: Paced) -> None:
    paced.event(0)
    paced.event(PAUSE_S - LAG_S + 1)
    for second in (PAUSE_S, 2 * PAUSE_S, 3 * PAUSE_S):
        paced.owed(second)
    assert paced.times() == [0, PAUSE_S, 2 * PAUSE_S]


def test_the_pause_holds_across_processes(paced: Paced) -> None:
    for number in range(20):
        paced.event(number, process=number % 2)
    paced.owed(PAUSE_S, process=1)
    paced.owed(PAUSE_S, process=0)
    assert paced.times() == [0, PAUSE_S]


def test_what_is_owed_outlives_the_process_that_owes_it(
    paced: Paced, applications: Applications
) -> None:
    paced.event(0)
    paced.event(1)
    restarted = Paced(applications(GITHUB_WEBHOOK_SECRET=SECRET, WEB_THREADS="8"))
    restarted.began, restarted.now = paced.began, PAUSE_S
    with purged.connected_to(restarted.note):
        restarted.owed(PAUSE_S)
    assert restarted.times() == [PAUSE_S]


def test_owners_have_pauses_of_their_own(paced: Paced) -> None:
    paced.event(0, ("repos:any", "repos:pallets"))
    paced.event(10, ("repos:any", "repos:psf"))
    assert paced.purges == [(0, LISTS), (10, ("repos:psf",))]


def test_a_purge_under_the_pause_names_its_last_cause(paced: Paced) -> None:
    seen = []

    def note(_: object, **what: Any) -> None:
        seen.append((what["cause"], what["detail"]))

    paced.event(0)
    with purged.connected_to(note):
        paced.owed(PAUSE_S)
    assert set(seen) == {("webhook", "push g")}


def test_a_change_of_a_repository_itself_needs_no_pause(paced: Paced, forewarm: Forewarm) -> None:
    paced.event(0)
    paced.now = 1
    deliver(forewarm, "repository", named(action="edited"))
    assert paced.times() == [0, 1]


# Selective

OWNERS, REPOS, PARTS = 50, 50, ("", "/languages", "/topics", "/releases?page=2")


@cache
def every_path() -> list[str]:
    """10,000 repositories' answers and the lists above them."""
    owners = [f"org-{number}" for number in range(OWNERS)]
    return [
        *("/user/repos", "/user/orgs", "/organizations"),
        *(f"/orgs/{owner}" for owner in owners),
        *(f"/orgs/{owner}/repos" for owner in owners),
        *(f"/users/{owner}/repos" for owner in owners),
        *(f"/users/member-{number}/orgs" for number in range(OWNERS)),
        *(
            f"/repos/{owner}/repo-{n}{part}"
            for owner in owners
            for n in range(REPOS)
            for part in PARTS
        ),
    ]


def tags(path: str) -> tuple[str, ...]:
    return match(path.partition("?")[0]).tags


@cache
def key(path: str) -> str:
    plain, _, query = path.partition("?")
    return entry_key(Target(plain, query, JSON_MEDIA, ""), SERVICE, BASE_URL)


@pytest.fixture
def filled(forewarm: Forewarm) -> Forewarm:
    """Every path's answer is held, fresh."""
    forewarm.get("/repos/pallets/flask")
    known = forewarm.services.store.read(key("/repos/pallets/flask"), ()).entry
    assert known
    with redis.Redis.from_url(forewarm.settings.redis_url.reveal()) as client:
        pipeline = client.pipeline(transaction=False)
        for path in every_path():
            versions = {tag_key(tag): f"h.{tag}".encode() for tag in tags(path)}
            held = encode(replace(known, versions=tuple(versions.values())))
            pipeline.mset({key(path): held, **versions})
        pipeline.execute()
    return forewarm


def touched(forewarm: Forewarm) -> dict[str, State]:
    """The paths whose answers are no longer fresh, and what they are."""
    found: dict[str, State] = {}
    with redis.Redis.from_url(forewarm.settings.redis_url.reveal()) as client:
        pipeline = client.pipeline(transaction=False)
        for path in every_path():
            pipeline.mget(key(path), *map(tag_key, tags(path)))
        for path, (raw, *versions) in zip(every_path(), pipeline.execute(), strict=True):
            entry = decode(raw)
            assert entry
            if (state := entry.state(tuple(versions), time.time())) is not State.FRESH:
                found[path] = state
    return found


def repository(full_name: str) -> list[str]:
    return [f"/repos/{full_name}{part}" for part in PARTS]


def everything_of(owner: str) -> list[str]:
    return [path for path in every_path() if f"/{owner}/" in f"{path}/"]


PERSON = {"member": {"login": "Member-7"}}
ORG = {"organization": {"login": "org-3"}}


@pytest.mark.parametrize(
    ("event", "payload", "purged_softly"),
    [
        (
            "push",
            named("org-3/repo-9"),
            [*repository("org-3/repo-9"), "/orgs/org-3/repos", "/users/org-3/repos", "/user/repos"],
        ),
        ("release", named("org-3/repo-9", action="published"), repository("org-3/repo-9")),
        (
            "organization",
            {**ORG, "action": "member_added", "membership": {"user": {"login": "Member-7"}}},
            ["/orgs/org-3", "/users/member-7/orgs", "/user/orgs", "/organizations"],
        ),
        (
            "member",
            named("org-3/repo-9", action="added", **PERSON),
            [
                *repository("org-3/repo-9"),
                *("/orgs/org-3/repos", "/users/org-3/repos", "/user/repos"),
                *("/users/member-7/orgs", "/user/orgs", "/organizations"),
            ],
        ),
    ],
    ids=["push", "release", "organization", "member"],
)
def test_an_event_touches_what_it_names_and_none_of_ten_thousand_others(
    filled: Forewarm, event: str, payload: dict[str, Any], purged_softly: Sequence[str]
) -> None:
    assert len(every_path()) > 10_000
    assert deliver(filled, event, payload).status_code == 202
    assert touched(filled) == dict.fromkeys(purged_softly, State.PURGED)
    others = sorted(set(every_path()) - set(purged_softly))[::97]
    assert {filled.get(path).headers["X-Cache"] for path in others} == {"HIT"}


def test_a_suspended_installation_ends_all_of_its_owner_and_nobody_elses(
    filled: Forewarm,
) -> None:
    deliver(
        filled,
        "installation",
        {"action": "suspend", "installation": {"account": {"login": "Org-3"}}},
    )
    lists = ["/user/repos", "/user/orgs", "/organizations"]
    assert touched(filled) == dict.fromkeys([*everything_of("org-3"), *lists], State.DEAD)
