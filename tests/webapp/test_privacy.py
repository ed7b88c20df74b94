"""What one caller saw never reaches another, nor the same one for long after the access is lost.

A model keeps, for every caller, which contents GitHub would have shown it and until when; every
answer, after any sequence of reads, changes, grants, purges, outages and hours, must be explained
by it. Contents are told apart by marks that a change writes into descriptions and topics.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
import redis
import time_machine
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from script.embedded import Postgres, Valkey
from tests.serving import API_KEY, Forewarm, ForewarmFactory
from tests.standin.accounts import (
    ALICE_TOKEN,
    BOB_TOKEN,
    FINE_GRAINED_TOKEN,
    PUBLIC_TOKEN,
    SERVICE_TOKEN,
)
from tests.standin.landmarks import (
    ALICE_PRIVATE,
    BOB_PRIVATE,
    PUBLIC_REPO,
    SERVICE_PRIVATE,
    SHARED_PRIVATE,
)
from tests.standin.process import StandIn
from tests.webapp.lasting import Applications, lasting_applications, recovered
from webapp.policy import DAY, HOUR, MINUTE

# Caller -> token sent, and the stand-in's account that GitHub is asked with
CALLERS = {
    "alice": (ALICE_TOKEN, "alice"),
    "bob": (BOB_TOKEN, "bob"),
    "key": (API_KEY, "service"),
    "anonymous": ("", "public"),
}
SEES = {
    "alice": {ALICE_PRIVATE, SHARED_PRIVATE},
    "bob": {BOB_PRIVATE, SHARED_PRIVATE},
    "key": {SERVICE_PRIVATE, SHARED_PRIVATE},
    "anonymous": set[str](),
}
REPOS = (ALICE_PRIVATE, SHARED_PRIVATE, SERVICE_PRIVATE, PUBLIC_REPO)
LIST = "/orgs/initech/repos?per_page=100"
LEAPS = (30.0, 61.0, 290.0, 301.0, 3_301.0, 3_901.0, 11_101.0, 2 * DAY)
"""Seconds, around the periods' ends."""
MARK = re.compile(r"\bmark(\d+)x\b")


@pytest.fixture(scope="module")
def applications(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    with lasting_applications(valkey, postgres, standin, "privacy") as made:
        yield made


@pytest.fixture
def start_forewarm(applications: Applications, standin: StandIn) -> ForewarmFactory:
    """Nothing cached, an application of these settings."""
    applications.empty(standin)
    return applications


@pytest.fixture
def forewarm(start_forewarm: ForewarmFactory) -> Forewarm:
    """Where anonymous callers have the public's eyes."""
    return start_forewarm(GITHUB_PUBLIC_TOKEN=PUBLIC_TOKEN)


@dataclass
class Shown:
    """A content that a caller could have got: until when (None: still), and at which step."""

    until: float | None = None
    step: int = 0


@dataclass
class World:
    """Drives Forewarm and GitHub alike, and judges each answer."""

    forewarm: Forewarm
    github: StandIn
    clock: time_machine.Traveller
    step: int = 0
    up: bool = True
    private: dict[str, bool] = field(default_factory=dict)
    marks: dict[str, dict[str, int]] = field(default_factory=dict)
    sees: dict[str, set[str]] = field(default_factory=dict)
    shown: dict[tuple[str, int], Shown] = field(default_factory=dict)
    appeared: dict[tuple[str, str], Shown] = field(default_factory=dict)
    purged: dict[tuple[str, bool], int] = field(default_factory=dict)
    last_mark: int = 0
    trace: list[object] = field(default_factory=list)

    def start(self) -> None:
        self.github.limits(primary=False, secondary=False)
        self.sees = {caller: set(seen) for caller, seen in SEES.items()}
        self.private = {repo: repo != PUBLIC_REPO for repo in REPOS}
        self.marks = {repo: {} for repo in REPOS}
        for repo in REPOS:
            self.edit(repo)

    # What may happen

    def edit(self, repo: str) -> None:
        first, second = self._new_mark(), self._new_mark()
        self.github.change_repo(repo, description=f"mark{first}x", topics=[f"mark{second}x"])
        self.marks[repo] = {"description": first, "topics": second}
        self._note()

    def set_private(self, repo: str, private: bool) -> None:
        self.github.change_repo(repo, private=private)
        self._turned(repo, private)
        self._note()

    def grant(self, caller: str, repo: str) -> None:
        self.github.grant(CALLERS[caller][1], repo)
        self.sees[caller].add(repo)
        self._note()

    def revoke(self, caller: str, repo: str) -> None:
        self.github.revoke(CALLERS[caller][1], repo)
        self.sees[caller].discard(repo)
        self._note()

    def purge(self, tag: str, hard: bool) -> None:
        body = {"tags": [tag], "hard": hard}
        assert self.forewarm.request("POST", "/api/purge", json=body).status_code == 200
        self.purged[tag, hard] = self.step

    def write(self, private: bool) -> None:
        """A write of alice's through Forewarm: done by GitHub, it purges what it changed."""
        mark = self._new_mark()
        answer = self.forewarm.request(
            "PATCH",
            f"/api/v3/repos/{SHARED_PRIVATE}",
            ALICE_TOKEN,
            json={"description": f"mark{mark}x", "private": private},
        )
        if answer.status_code != 200:
            return
        self.marks[SHARED_PRIVATE]["description"] = mark
        self._turned(SHARED_PRIVATE, private)
        self._note()
        for tag in (f"repo:{SHARED_PRIVATE}", "repos:initech"):
            self.purged[tag, True] = self.step

    def advance(self, seconds: float) -> None:
        self.clock.shift(seconds)

    def set_up(self, up: bool) -> None:
        self.github.clear_faults()
        recovered(self.forewarm)
        if not up:
            self.github.fault("status", status=503)
        self.up = up

    def read(self, caller: str, path: str, directive: str = "") -> None:
        headers = {"Cache_Control": directive} if directive else {}
        answer = self.forewarm.get(path, CALLERS[caller][0], **headers)
        said = (caller, path, answer.status_code, answer.headers["X-Cache"], str(self.trace))
        if answer.status_code == 200:
            self._judge_shown(caller, path, answer, directive, said)
        elif answer.status_code == 404:
            self._judge_hidden(caller, path, directive, said)
        else:
            assert answer.status_code == 502, said
            assert not self.up, said

    # What must explain it

    def visible(self, caller: str, repo: str) -> bool:
        return not self.private[repo] or repo in self.sees[caller]

    def _turned(self, repo: str, private: bool) -> None:
        """The service administers the organisation: it sees what turns private."""
        if private and not self.private[repo]:
            self.sees["key"].add(repo)
        self.private[repo] = private

    def _new_mark(self) -> int:
        self.last_mark += 1
        return self.last_mark

    def _note(self) -> None:
        """After a change: what is shown to whom from now on, and what no more."""
        self.step += 1
        now = time.time()
        current = {
            (caller, mark)
            for caller in CALLERS
            for repo in REPOS
            if self.visible(caller, repo)
            for mark in self.marks[repo].values()
        }
        for key, shown in self.shown.items():
            if shown.until is None and key not in current:
                shown.until, shown.step = now, self.step
        for key in current:
            self.shown[key] = Shown()
        for caller in CALLERS:
            for repo in REPOS:
                if not self.visible(caller, repo):
                    self.appeared.pop((caller, repo), None)
                elif (caller, repo) not in self.appeared:
                    self.appeared[caller, repo] = Shown(now, self.step)

    def _purged_since(self, path: str, step: int, *, kinds: tuple[bool, ...]) -> bool:
        own = "repos:initech" if path == LIST else f"repo:{path.split('/', 2)[2]}"
        tags = (own.removesuffix("/topics"), "owner:initech")
        return any(self.purged.get((tag, hard), -1) >= step for tag in tags for hard in kinds)

    def _judge_shown(
        self, caller: str, path: str, answer: TestResponse, directive: str, said: object
    ) -> None:
        for mark in {int(each) for each in MARK.findall(answer.text)}:
            shown = self.shown.get((caller, mark))
            assert shown is not None, ("never this caller's to see", mark, said)
            if shown.until is None:
                continue
            kinds = (True, False) if self.up else (True,)
            assert not self._purged_since(path, shown.step, kinds=kinds), ("purged", mark, said)
            assert not (self.up and directive), ("a revalidation was asked for", mark, said)
            old, limit = time.time() - shown.until, self._limit(caller, path, answer.get_json())
            assert old <= limit, ("too long", mark, old, limit, said)

    def _limit(self, caller: str, path: str, body: Any) -> float:
        """Seconds that an answer may be served after it ceased to be true."""
        rows = body if isinstance(body, list) else [body]
        proven = all(row.get("private") is False for row in rows)
        if caller in {"alice", "bob"} and not proven:
            return 5 * MINUTE if self.up else 1 * HOUR
        fresh = 1 * HOUR if path == LIST else 3 * HOUR
        return fresh + 5 * MINUTE + (0 if self.up else 7 * DAY)

    def _judge_hidden(self, caller: str, path: str, directive: str, said: object) -> None:
        assert path != LIST, said
        repo = path.removeprefix("/repos/").removesuffix("/topics")
        if not self.visible(caller, repo):
            return
        appeared = self.appeared[caller, repo]
        assert appeared.until is not None
        assert not directive, said
        assert time.time() - appeared.until <= 60, said
        assert not self._purged_since(path, appeared.step, kinds=(True, False)), said


@st.composite
def sequences(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    """Steps around few callers and repositories, so that they meet."""
    callers = draw(st.lists(st.sampled_from(sorted(CALLERS)), min_size=1, max_size=3, unique=True))
    repos = draw(st.lists(st.sampled_from(REPOS), min_size=1, max_size=2, unique=True))
    paths = [LIST, *(f"/repos/{repo}{part}" for repo in repos for part in ("", "/topics"))]
    asked = (st.sampled_from(callers), st.sampled_from(paths))
    # Whom to grant what: the public sees nothing private by definition.
    access = (
        st.sampled_from([each for each in callers if each != "anonymous"] or ["key"]),
        st.sampled_from(repos),
    )
    tags = ("owner:initech", "repos:initech", *(f"repo:{repo}" for repo in repos))
    kinds: list[st.SearchStrategy[tuple[Any, ...]]] = [
        *[st.tuples(st.just("read"), *asked)] * 5,
        st.tuples(st.just("read"), *asked, st.just("max-age=0")),
        *[st.tuples(st.just("advance"), st.sampled_from(LEAPS))] * 3,
        st.tuples(st.just("edit"), st.sampled_from(repos)),
        st.tuples(st.just("set_private"), st.sampled_from(repos), st.booleans()),
        st.tuples(st.just("grant"), *access),
        *[st.tuples(st.just("revoke"), *access)] * 2,
        st.tuples(st.just("purge"), st.sampled_from(tags), st.booleans()),
        st.tuples(st.just("write"), st.booleans()),
        st.tuples(st.just("set_up"), st.booleans()),
    ]
    return draw(st.lists(st.one_of(kinds), min_size=8, max_size=25))


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=sequences())
def test_no_sequence_of_requests_and_changes_shows_what_the_model_does_not(
    applications: Applications, standin: StandIn, steps: list[tuple[Any, ...]]
) -> None:
    applications.empty(standin)
    forewarm = applications(GITHUB_PUBLIC_TOKEN=PUBLIC_TOKEN)
    with time_machine.travel(time.time(), tick=True) as clock:
        world = World(forewarm, standin, clock)
        world.start()
        for name, *arguments in steps:
            world.trace.append((name, *arguments))
            getattr(world, name)(*arguments)
        assert_tokens_are_nowhere(applications.environ, world)


CHANGES: dict[str, list[tuple[Any, ...]]] = {
    "edited": [("edit", SHARED_PRIVATE), ("edit", PUBLIC_REPO)],
    "revoked": [("revoke", caller, SHARED_PRIVATE) for caller in ("alice", "bob", "key")],
    "privatised": [("set_private", PUBLIC_REPO, True)],
    "publicised": [("set_private", SHARED_PRIVATE, False)],
    "granted": [("grant", "bob", ALICE_PRIVATE), ("grant", "key", ALICE_PRIVATE)],
    "written": [("write", True)],
}
LATER: dict[str, list[tuple[Any, ...]]] = {
    "at once": [],
    **{f"after {leap} s": [("advance", float(leap))] for leap in (61, 301, 11_101)},
    "purged": [("purge", "owner:initech", False)],
    "purged hard": [("purge", "owner:initech", True)],
    **{
        f"down for {leap} s": [("set_up", False), ("advance", float(leap))] for leap in (301, 3_901)
    },
    "down and purged": [("set_up", False), ("purge", "owner:initech", False)],
    "down and purged hard": [("set_up", False), ("purge", "owner:initech", True)],
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("later", LATER)
def test_no_change_is_hidden_longer_than_the_model_allows(
    forewarm: Forewarm, github: StandIn, change: str, later: str
) -> None:
    reads: list[tuple[Any, ...]] = [
        ("read", caller, path)
        for caller in CALLERS
        for path in (
            f"/repos/{SHARED_PRIVATE}",
            f"/repos/{SHARED_PRIVATE}/topics",
            f"/repos/{ALICE_PRIVATE}",
            f"/repos/{PUBLIC_REPO}",
            LIST,
        )
    ]
    with time_machine.travel(time.time(), tick=True) as clock:
        world = World(forewarm, github, clock)
        world.start()
        steps: list[tuple[Any, ...]] = [*reads, *CHANGES[change], *LATER[later], *reads]
        for name, *arguments in steps:
            getattr(world, name)(*arguments)


TOKENS = (ALICE_TOKEN, BOB_TOKEN, FINE_GRAINED_TOKEN, SERVICE_TOKEN, PUBLIC_TOKEN, API_KEY)


def redis_text(url: str) -> bytes:
    """Every key and value of every kind."""
    found = []
    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter(count=1_000):
            found += [key, client.dump(key) or b""]
            if client.type(key) == b"string":
                found.append(client.get(key) or b"")
    return b"\n".join(found)


def postgres_text(url: str) -> bytes:
    """Every row of every table; bytea as it is."""
    found: list[bytes] = []
    with psycopg.connect(url, autocommit=True) as connection:
        tables = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'public'"
            " and table_name not like 'pg_stat%'"
        ).fetchall()
        assert len(tables) >= 2
        for (table,) in tables:
            for row in connection.execute(f'select * from "{table}"'.encode()):
                found += [each if isinstance(each, bytes) else str(each).encode() for each in row]
    return b"\n".join(found)


def assert_tokens_are_nowhere(environ: dict[str, str] | Any, world: World | None = None) -> None:
    stores = redis_text(environ["REDIS_URL"]), postgres_text(environ["DATABASE_URL"])
    for token in TOKENS:
        assert not any(token.encode() in text for text in stores)
    archive = stores[1]
    if world is not None:
        for mark in {int(each) for each in MARK.findall(archive.decode(errors="replace"))}:
            seen_by = {caller for caller, shown in world.shown if shown == mark}
            assert seen_by & {"key", "anonymous"}, ("a token's, archived", mark)


def test_nothing_that_a_token_saw_is_in_postgresql(forewarm: Forewarm, github: StandIn) -> None:
    github.change_repo(ALICE_PRIVATE, description="mark1x", topics=["mark2x"])
    for path in (f"/repos/{ALICE_PRIVATE}", f"/repos/{ALICE_PRIVATE}/topics", LIST, "/user"):
        for headers in ({}, {"Cache_Control": "max-age=0"}):
            assert forewarm.get(path, ALICE_TOKEN, **headers).status_code == 200
    forewarm.request(
        "POST", f"/api/v3/repos/{ALICE_PRIVATE}/issues", ALICE_TOKEN, json={"title": "mark3x"}
    )
    text = postgres_text(forewarm.settings.database_url.reveal())
    assert not MARK.findall(text.decode(errors="replace"))
    assert b"alice-only" not in re.sub(
        rb"repo:initech/alice-only|/repos/initech/alice-only", b"", text
    )


def test_no_token_is_written_anywhere(
    start_forewarm: ForewarmFactory, caplog: pytest.LogCaptureFixture
) -> None:
    forewarm = start_forewarm(GITHUB_PUBLIC_TOKEN=PUBLIC_TOKEN, ADMIN_PASSWORD="an-odd-password")
    with caplog.at_level("DEBUG"):
        for token in ("", *TOKENS, "ghp_" + "unknown".ljust(36, "0")):
            for path in ("/repos/pallets/flask", "/user", "/repos/initech/payroll", "/nope"):
                forewarm.get(path, token)
            forewarm.request("POST", "/api/v3/repos/initech/shared/issues", token, json={})
        forewarm.request("GET", "/", "an-odd-password")
    assert_tokens_are_nowhere(forewarm_environ(forewarm))
    for secret in (*TOKENS, "an-odd-password", "ghp_unknown"):
        assert secret not in caplog.text


def forewarm_environ(forewarm: Forewarm) -> dict[str, str]:
    held = forewarm.settings
    return {
        "REDIS_URL": held.redis_url.reveal(),
        "DATABASE_URL": held.database_url.reveal(),
    }


def test_access_lost_is_noticed_within_five_minutes(forewarm: Forewarm, github: StandIn) -> None:
    path = f"/repos/{ALICE_PRIVATE}"
    with time_machine.travel(time.time(), tick=True) as clock:
        assert forewarm.get(path, ALICE_TOKEN).status_code == 200
        github.revoke("alice", ALICE_PRIVATE)
        clock.shift(280)
        assert forewarm.get(path, ALICE_TOKEN).headers["X-Cache"] == "HIT"
        clock.shift(20)
        answer = forewarm.get(path, ALICE_TOKEN)
    assert (answer.status_code, answer.headers["X-Cache"]) == (404, "MISS")


def test_each_confirmation_gives_five_minutes_more(forewarm: Forewarm, github: StandIn) -> None:
    path = f"/repos/{ALICE_PRIVATE}"
    with time_machine.travel(time.time(), tick=True) as clock:
        forewarm.get(path, ALICE_TOKEN)
        clock.shift(301)
        assert forewarm.get(path, ALICE_TOKEN).headers["X-Cache"] == "REVALIDATED"
        clock.shift(280)
        assert forewarm.get(path, ALICE_TOKEN).headers["X-Cache"] == "HIT"
    assert [each.status for each in github.requests(path)] == [200, 304]


def test_a_private_answer_of_a_token_is_never_stale(forewarm: Forewarm, github: StandIn) -> None:
    path = f"/repos/{ALICE_PRIVATE}"
    with time_machine.travel(time.time(), tick=True) as clock:
        forewarm.get(path, ALICE_TOKEN)
        for _ in range(3):
            clock.shift(310)
            assert forewarm.get(path, ALICE_TOKEN).headers["X-Cache"] == "REVALIDATED"


def test_while_github_is_down_a_private_answer_of_a_token_ends_after_an_hour(
    forewarm: Forewarm, github: StandIn
) -> None:
    path = f"/repos/{ALICE_PRIVATE}"
    with time_machine.travel(time.time(), tick=True) as clock:
        forewarm.get(path, ALICE_TOKEN)
        github.fault("status", status=503)
        clock.shift(3_200)
        assert forewarm.get(path, ALICE_TOKEN).headers["X-Cache"] == "GRACE"
        clock.shift(400)
        assert forewarm.get(path, ALICE_TOKEN).status_code == 502


@pytest.mark.parametrize("kind", ["unauthorized", "forbidden"])
def test_a_refusal_ends_what_was_held_even_as_grace(
    forewarm: Forewarm, github: StandIn, kind: str
) -> None:
    for path, token in (
        (f"/repos/{ALICE_PRIVATE}", ALICE_TOKEN),
        ("/repos/initech/payroll", API_KEY),
    ):
        forewarm.get(path, token)
        fault = github.fault(kind, path=path)
        answer = forewarm.get(path, token, Cache_Control="max-age=0")
        assert answer.status_code in {401, 403}
        github.clear_faults()
        github.fault("status", status=503)
        assert forewarm.get(path, token).status_code == 502, fault
        github.clear_faults()


@pytest.mark.parametrize("status", [404, 410, 451])
def test_a_negative_answer_ends_what_was_held_even_as_grace(
    forewarm: Forewarm, github: StandIn, status: int
) -> None:
    path = "/repos/initech/payroll"
    with time_machine.travel(time.time(), tick=True) as clock:
        forewarm.get(path)
        github.fault("status", path=path, status=status)
        assert forewarm.get(path, Cache_Control="max-age=0").status_code == status
        github.clear_faults()
        github.fault("status", status=503)
        assert forewarm.get(path).headers["X-Cache"] == "NEGATIVE"
        clock.shift(61)
        assert forewarm.get(path).status_code == 502


def test_a_token_that_was_revoked_reads_no_longer_than_five_minutes(
    forewarm: Forewarm, github: StandIn
) -> None:
    path = f"/repos/{ALICE_PRIVATE}"
    with time_machine.travel(time.time(), tick=True) as clock:
        forewarm.get(path, ALICE_TOKEN)
        github.remove_token("alice")
        clock.shift(301)
        answer = forewarm.get(path, ALICE_TOKEN)
    assert answer.status_code == 401
    assert answer.get_json()["message"] == "Bad credentials"


def test_anothers_etag_confirms_nothing(forewarm: Forewarm, github: StandIn) -> None:
    path = f"/repos/{ALICE_PRIVATE}"
    etag = forewarm.get(path, ALICE_TOKEN).headers["ETag"]
    for token in (BOB_TOKEN, API_KEY, ""):
        for tried in (etag, "*"):
            assert forewarm.get(path, token, If_None_Match=tried).status_code == 404
    assert not any("if-none-match" in each.headers for each in github.requests(path))


def test_only_if_cached_does_not_tell_what_another_has_cached(forewarm: Forewarm) -> None:
    path = f"/repos/{ALICE_PRIVATE}"
    forewarm.get(path, ALICE_TOKEN)
    never = "/repos/initech/never-asked"
    for token in (BOB_TOKEN, API_KEY, ""):
        known, unknown = (
            forewarm.get(each, token, Cache_Control="only-if-cached") for each in (path, never)
        )
        assert known.status_code == unknown.status_code == 504
        assert known.data == unknown.data


def test_entries_tells_nothing_of_a_tokens_scope(forewarm: Forewarm) -> None:
    path = f"/repos/{ALICE_PRIVATE}"
    forewarm.get(path, ALICE_TOKEN)
    account = forewarm.request("GET", f"/api/entries?path={path}").get_json()
    assert {each["scope"] for each in account["entries"]} == {"service", "public"}
    assert {each["state"] for each in account["entries"]} == {"absent"}


def test_a_failed_write_purges_nothing(forewarm: Forewarm, github: StandIn) -> None:
    path = "/repos/initech/payroll"
    forewarm.get(path)
    for token in (BOB_TOKEN, "ghp_" + "unknown".ljust(36, "0")):
        answer = forewarm.request("PATCH", f"/api/v3{path}", token, json={"private": False})
        assert answer.status_code in {401, 403, 404}
    assert forewarm.get(path).headers["X-Cache"] == "HIT"


# A public token that sees more than it should (doctor refuses one; the mirror does not trust it)


@pytest.fixture
def careless(start_forewarm: ForewarmFactory) -> Forewarm:
    """Its GITHUB_PUBLIC_TOKEN sees private repositories."""
    return start_forewarm(GITHUB_PUBLIC_TOKEN=ALICE_TOKEN)


@pytest.mark.parametrize("path", [f"/repos/{ALICE_PRIVATE}", LIST, "/repos/initech/shared"])
def test_what_a_public_token_should_not_see_is_not_found(
    careless: Forewarm, github: StandIn, path: str
) -> None:
    answer = careless.get(path, token="")
    assert answer.status_code == 404
    assert answer.get_json()["message"] == "Not Found"
    assert "alice-only" not in answer.text
    again = careless.get(path, token="")
    assert (again.status_code, again.headers["X-Cache"]) == (404, "NEGATIVE")
    assert github.count("/") == 1


def test_what_a_public_token_should_not_see_is_kept_nowhere(
    careless: Forewarm, github: StandIn
) -> None:
    github.change_repo(ALICE_PRIVATE, description="mark1x")
    for headers in ({}, {"Cache_Control": "max-age=0"}):
        careless.get(f"/repos/{ALICE_PRIVATE}", token="", **headers)
        careless.get(LIST, token="", **headers)
    stores = forewarm_environ(careless)
    assert b"mark1x" not in postgres_text(stores["DATABASE_URL"])
    assert b"mark1x" not in redis_text(stores["REDIS_URL"])


def test_what_becomes_private_is_gone_for_the_public_once_github_says_so(
    careless: Forewarm, github: StandIn
) -> None:
    assert careless.get(f"/repos/{PUBLIC_REPO}", token="").status_code == 200
    github.change_repo(PUBLIC_REPO, private=True)
    github.grant("alice", PUBLIC_REPO)
    answer = careless.get(f"/repos/{PUBLIC_REPO}", token="", Cache_Control="max-age=0")
    assert answer.status_code == 404
    github.fault("status", status=503)
    answer = careless.get(f"/repos/{PUBLIC_REPO}", token="", Cache_Control="max-age=0")
    assert answer.status_code == 502


def test_anonymous_callers_are_github_anonymous_without_a_public_token(
    start_forewarm: ForewarmFactory, github: StandIn
) -> None:
    forewarm = start_forewarm()
    assert forewarm.get("/repos/pallets/flask", token="").status_code == 200
    (seen,) = github.requests()
    assert seen.token == "anonymous"
    assert "authorization" not in seen.headers


def test_no_cookie_passes_in_either_direction(forewarm: Forewarm, github: StandIn) -> None:
    github.switch(set_cookies=["session=secret-of-alice; Path=/", "logged_in=yes"])
    for path in ("/repos/pallets/flask", "/user", "/no/such/thing"):
        for token in (ALICE_TOKEN, BOB_TOKEN, API_KEY):
            answer = forewarm.get(path, token, Cookie="mine=1", Cache_Control="max-age=0")
            assert "Set-Cookie" not in answer.headers
    forewarm.request("POST", "/api/v3/repos/initech/shared/issues", BOB_TOKEN, json={"title": "x"})
    assert not any("cookie" in each.headers for each in github.requests())
    stores = forewarm_environ(forewarm)
    assert b"secret-of-alice" not in postgres_text(stores["DATABASE_URL"])
    assert b"secret-of-alice" not in redis_text(stores["REDIS_URL"])
