"""Random schedules of changes, rotated tokens, purges, requests and faults, against a model.

The model knows which version of a repository GitHub had when. Every answer must be one of them, no
older than allowed: unless it is GRACE, nothing from before the last purge, nor from before GitHub
was last asked for that scope; after a hard purge not even as GRACE.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator

import pytest
import redis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from script.embedded import Postgres, Valkey
from tests.serving import API_KEY, Forewarm
from tests.standin.accounts import ALICE_TOKEN, SERVICE_TOKEN, SERVICE_TOKEN_2
from tests.standin.landmarks import SERVICE_PRIVATE
from tests.standin.process import StandIn
from tests.webapp.lasting import Applications, emptied, lasting_environ, recovered
from webapp.github import session
from webapp.github.tries import Tries

SCHEDULES, SHORT = 500, 100
TOKENS = (SERVICE_TOKEN, SERVICE_TOKEN_2)
SERVED = {"HIT", "MISS", "REVALIDATED", "STALE", "COALESCED"}
FAULTS = ("status", "reset", "truncated", "invalid_json", "secondary", "primary", "too_many")
ASKED = ("request", "service")

steps = st.lists(
    st.one_of(
        st.just(("change", "")),
        st.just(("rotate", "")),
        st.tuples(st.just("purge"), st.sampled_from(["soft", "hard"])),
        *(st.tuples(st.just("request"), st.sampled_from(["service", "alice"])) for _ in range(4)),
        st.tuples(st.just("fault"), st.sampled_from(FAULTS)),
        st.just(("mend", "")),
    ),
    min_size=10,
    max_size=24,
)


@pytest.fixture(scope="module")
def lasting(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[dict[str, str]]:
    patch = pytest.MonkeyPatch()
    patch.setattr(session, "Tries", lambda: Tries(sleep=lambda _: None))
    with lasting_environ(valkey, postgres, standin, "schedules") as environ:
        yield environ
    patch.undo()


class World:
    """GitHub's versions of one repository, and the least that each scope may still be given."""

    def __init__(self, applications: Applications, github: StandIn, repo: str) -> None:
        self.applications, self.github, self.repo = applications, github, repo
        self.version = 0
        self.token = 0
        self.floor = {"service": 0, "alice": 0}
        self.hard_floor = 0
        self.outcomes: Counter[str] = Counter()
        self.change("")

    def app(self) -> Forewarm:
        return self.applications(GITHUB_TOKEN=TOKENS[self.token])

    def change(self, _: str) -> None:
        self.version += 1
        self.github.change_repo(self.repo, description=f"v{self.version}.", webhook=False)

    def rotate(self, _: str) -> None:
        self.token = 1 - self.token

    def purge(self, kind: str) -> None:
        tag = f"repo:{self.repo}"
        self.app().services.purger.purge([tag], hard=kind == "hard", cause="operator")
        self.floor = dict.fromkeys(self.floor, self.version)
        if kind == "hard":
            self.hard_floor = self.version

    def fault(self, kind: str) -> None:
        status = {"status": 503} if kind == "status" else {}
        self.github.fault(kind, path=f"/repos/{self.repo}*", **status)

    def mend(self, _: str) -> None:
        """GitHub works again, and the hour is over: nobody pauses any more."""
        self.github.clear_faults()
        for token in TOKENS:
            recovered(self.applications(GITHUB_TOKEN=token))
        with redis.Redis.from_url(self.applications.environ["REDIS_URL"]) as client:
            for key in client.scan_iter("fw:b:*"):
                client.delete(key)

    def request(self, who: str) -> None:
        caller = API_KEY if who == "service" else ALICE_TOKEN
        answer = self.app().get(f"/repos/{self.repo}", caller)
        outcome = answer.headers["X-Cache"]
        self.outcomes[outcome] += 1
        if answer.status_code != 200:
            assert answer.status_code in {403, 404, 502}, answer.data
            if who == "alice" and self.repo == SERVICE_PRIVATE:
                assert answer.status_code != 200
            return
        assert who == "service" or self.repo != SERVICE_PRIVATE, "a body that isn't alice's to see"
        found = re.match(r"v(\d+)\.", answer.get_json()["description"])
        assert found
        given = int(found[1])
        assert given <= self.version
        assert given >= self.hard_floor, "older than a hard purge"
        if outcome in SERVED:
            assert given >= self.floor[who], f"{outcome} older than a purge or the last fetch"
        else:
            assert outcome == "GRACE"
        if outcome in {"MISS", "REVALIDATED"}:
            assert given == self.version, f"{outcome} isn't what GitHub has"
            self.floor[who] = self.version


@pytest.mark.parametrize("repo", ["pallets/flask", SERVICE_PRIVATE])
def test_no_schedule_gives_an_answer_older_than_allowed_or_another_scopes(
    lasting: dict[str, str], standin: StandIn, repo: str
) -> None:
    outcomes: Counter[str] = Counter()
    applications = Applications(lasting)

    @settings(
        max_examples=(SCHEDULES if os.environ.get("FOREWARM_LONG") else SHORT) // 2,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(steps)
    # Chance seldom brings these two about.
    @example([ASKED, ("purge", "soft"), ASKED])
    @example([ASKED, ("purge", "soft"), ("fault", "status"), ASKED])
    def run(schedule: list[tuple[str, str]]) -> None:
        emptied(lasting, standin)
        world = World(applications, standin, repo)
        world.mend("")
        for step, how in schedule:
            getattr(world, step)(how)
        outcomes.update(world.outcomes)

    run()
    applications.close()
    assert set(outcomes) >= {"HIT", "MISS", "REVALIDATED", "GRACE", "ERROR"}
    assert outcomes["ERROR"] < sum(outcomes.values()) / 2, outcomes
