"""Runs of warming on real stores and the stand-in: what they warm, what they cost, how they end."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests.serving import Forewarm
from tests.standin.process import StandIn
from tests.webapp.lasting import Applications
from webapp.cache.entry import State
from webapp.cache.keys import SERVICE, canonical_target, entry_key
from webapp.db.warming_runs import Run
from webapp.errors import OutOfBudget, RequestRefused
from webapp.policy import match
from webapp.warming import runs as module
from webapp.warming.runs import Runs

BASE = "http://127.0.0.1:8000/api/v3"
LIST = "/orgs/pallets/repos?per_page=100"


def finished(runs: Runs, run: int) -> Run:
    """The run, after as many turns as it takes."""
    for _ in range(50):
        runs.turn(run)
        if (found := runs.get(run)).state != "running":
            return found
    raise AssertionError(found)


def warmed(forewarm: Forewarm, *names: str) -> Run:
    runs = forewarm.services.warming
    return finished(runs, runs.begin(names, "cli"))


def outcome(forewarm: Forewarm, path: str) -> str:
    return forewarm.get(path).headers["X-Cache"]


def ask(forewarm: Forewarm, *paths: str) -> None:
    """Demand, as a key holder makes it."""
    for path in paths:
        forewarm.get(path)
    forewarm.services.demand.flush()


def later(forewarm: Forewarm, seconds: float) -> None:
    """Entries are older by so much: what they know of time is shifted."""
    redis = forewarm.services.redis
    for key in redis.scan_iter("fw:e:*"):
        backend = forewarm.services.store.backend
        held = redis.get(key)
        assert isinstance(held, bytes)
        entry = backend.serializer.loads(held)
        names = ("stored_at", "fresh_until", "stale_until", "grace_until")
        shifted = {name: getattr(entry, name) - seconds for name in names}
        redis.set(key, backend.serializer.dumps(type(entry)(**_fields(entry) | shifted)))


def _fields(entry: object) -> dict[str, object]:
    return {name: getattr(entry, name) for name in entry.__dataclass_fields__}  # type: ignore[attr-defined]


def test_a_watched_organisations_list_is_a_hit_that_nobody_asked_for(forewarm: Forewarm) -> None:
    run = warmed(forewarm, "pallets")
    assert (run.state, run.done, run.total, run.points, run.failures) == ("done", 2, 2, 2, 0)
    assert [outcome(forewarm, path) for path in ("/orgs/pallets", LIST)] == ["HIT", "HIT"]


def test_every_page_is_followed(forewarm: Forewarm, github: StandIn) -> None:
    github.add_repos("pallets", 210)
    run = warmed(forewarm, "pallets")
    pages = github.count("/orgs/pallets/repos") + github.count("/organizations/")
    assert (run.done, run.total, run.points, pages) == (4, 4, 4, 3)
    assert outcome(forewarm, f"{LIST}&page=3") == "HIT"


def test_a_thousand_repositories_lists_cost_11_points(forewarm: Forewarm, github: StandIn) -> None:
    github.limits(secondary=False)
    github.create_org("huge")
    github.add_repos("huge", 1_000)
    run = warmed(forewarm, "huge")
    assert (run.state, run.done) == ("done", 11)
    assert github.points() == 11
    assert run.points == github.points()
    assert outcome(forewarm, "/orgs/huge/repos?per_page=100&page=10") == "HIT"


def test_all_of_a_lists_pages_are_known_once_its_first_is(
    forewarm: Forewarm, github: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    github.add_repos("pallets", 500)
    runs = forewarm.services.warming
    run = runs.begin(["pallets"], "api")
    stop_after(forewarm, monkeypatch, 2, lambda: runs.pause(run))
    runs.turn(run)
    assert (runs.get(run).done, runs.get(run).total) == (2, 7)


def test_what_is_still_fresh_costs_no_call(forewarm: Forewarm, github: StandIn) -> None:
    warmed(forewarm, "pallets")
    github.forget()
    run = warmed(forewarm, "pallets")
    assert (run.state, run.done, run.points, run.saved) == ("done", 2, 0, 0)
    assert github.count() == 0


def test_what_expires_soon_is_revalidated_for_nothing(forewarm: Forewarm, github: StandIn) -> None:
    warmed(forewarm, "pallets")
    later(forewarm, 3300)
    github.forget()
    run = warmed(forewarm, "pallets")
    assert (run.points, run.saved, github.points(), github.count()) == (0, 2, 0, 2)


def test_details_are_warmed_as_they_were_asked_for(forewarm: Forewarm, github: StandIn) -> None:
    paths = ("/repos/pallets/flask", "/orgs/pallets/repos", "/orgs/pallets/repos?page=2")
    ask(forewarm, *paths)
    later(forewarm, 20_000)
    github.forget()
    run = warmed(forewarm, "pallets")
    assert (run.state, run.saved) == ("done", 3)
    assert [outcome(forewarm, path) for path in paths] == ["HIT"] * 3


def test_a_user_is_told_from_an_organisation(forewarm: Forewarm) -> None:
    watches = forewarm.services.watches
    watches.add("mitsuhiko", "cli")
    watches.add("pallets", "cli")
    assert warmed(forewarm).state == "done"
    assert {each.name: each.kind for each in watches.all()} == {
        "mitsuhiko": "user",
        "pallets": "org",
    }
    assert outcome(forewarm, "/users/mitsuhiko/repos?per_page=100") == "HIT"


def test_what_is_not_there_fails_and_is_not_asked_for_again(
    forewarm: Forewarm, github: StandIn
) -> None:
    forewarm.services.watches.add("nobody-of-that-name", "cli")
    run = warmed(forewarm)
    assert (run.state, run.failures) == ("failed", 2)
    github.forget()
    assert forewarm.services.warming._warmer.due() == []
    assert github.count() == 0


def test_a_repository_that_is_gone_is_no_longer_wanted(forewarm: Forewarm, github: StandIn) -> None:
    ask(forewarm, "/repos/pallets/click")
    github.delete_repo("pallets/click")
    later(forewarm, 20_000)
    assert warmed(forewarm, "pallets/flask", "pallets/click").failures == 1
    assert forewarm.services.demand.asked_since(3600) == []


def test_the_schedule_warms_what_is_due_and_nothing_else(
    forewarm: Forewarm, github: StandIn
) -> None:
    runs = forewarm.services.warming
    forewarm.services.watches.add("pallets", "cli")
    runs.sweep()
    (first,) = runs.latest()
    assert (first.source, finished(runs, first.id).done) == ("schedule", 2)
    runs.sweep()
    assert len(runs.latest()) == 1
    later(forewarm, 3300)
    runs.sweep()
    assert len(runs.latest()) == 2


def test_the_schedule_has_one_run_at_a_time(forewarm: Forewarm) -> None:
    runs = forewarm.services.warming
    forewarm.services.watches.add("pallets", "cli")
    for _ in range(3):
        runs.sweep()
    assert len(runs.latest()) == 1


def test_what_was_purged_and_is_wanted_is_warm_again_after_the_sweep(
    forewarm: Forewarm, github: StandIn
) -> None:
    runs = forewarm.services.warming
    forewarm.services.watches.add("pallets/flask", "cli")
    ask(forewarm, "/repos/pallets/flask")
    forewarm.services.purger.purge(["repo:pallets/flask"], hard=False, cause="webhook")
    runs.sweep()
    finished(runs, runs.latest()[0].id)
    assert outcome(forewarm, "/repos/pallets/flask") == "HIT"


def stop_after(
    forewarm: Forewarm, monkeypatch: pytest.MonkeyPatch, count: int, act: Callable[[], object]
) -> None:
    """Have `act` done after so many answers of a turn."""
    warmer = forewarm.services.warming._warmer
    warm, seen = warmer.warm, iter(range(10_000))

    def counted(asked: object) -> object:
        result = warm(asked)  # type: ignore[arg-type]
        if next(seen) == count - 1:
            act()
        return result

    monkeypatch.setattr(warmer, "warm", counted)


@pytest.mark.parametrize(("act", "state"), [("pause", "paused"), ("cancel", "cancelled")])
def test_pausing_and_cancelling_act_before_the_next_answer(
    forewarm: Forewarm,
    github: StandIn,
    monkeypatch: pytest.MonkeyPatch,
    act: str,
    state: str,
) -> None:
    github.add_repos("pallets", 500)
    runs = forewarm.services.warming
    run = runs.begin(["pallets"], "api")
    stop_after(forewarm, monkeypatch, 3, lambda: getattr(runs, act)(run))
    runs.turn(run)
    found = runs.get(run)
    assert (found.state, found.done) == (state, 3)
    runs.turn(run)
    assert runs.get(run) == found


def test_a_paused_run_goes_on_where_it_was(
    forewarm: Forewarm, github: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    github.add_repos("pallets", 500)
    runs = forewarm.services.warming
    run = runs.begin(["pallets"], "api")
    stop_after(forewarm, monkeypatch, 3, lambda: runs.pause(run))
    runs.turn(run)
    asked = github.count()
    runs.resume(run)
    found = finished(runs, run)
    assert (found.state, found.done, found.total) == ("done", 7, 7)
    assert github.count() == found.done > asked


def test_what_has_ended_cannot_be_paused(forewarm: Forewarm) -> None:
    run = warmed(forewarm, "pallets")
    with pytest.raises(RequestRefused, match=f"Run {run.id} is done") as refusal:
        forewarm.services.warming.pause(run.id)
    assert refusal.value.status == 409


def test_a_turn_ends_in_time_and_the_next_goes_on(
    forewarm: Forewarm, github: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TURN", 0.0)
    runs = forewarm.services.warming
    run = runs.begin(["pallets"], "api")
    runs.turn(run)
    assert (runs.get(run).state, runs.get(run).done) == ("running", 1)
    runs.turn(run)
    runs.turn(run)
    assert (runs.get(run).state, github.count()) == ("done", 2)


def test_a_run_is_worked_at_by_one_worker(
    forewarm: Forewarm, applications: Applications, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = forewarm.services.warming
    run = runs.begin(["pallets"], "api")
    other = applications(NEAR_MB="1").services.warming
    seen: list[Run] = []

    def intrude() -> None:
        other.turn(run)
        seen.append(runs.get(run))

    stop_after(forewarm, monkeypatch, 1, intrude)
    runs.turn(run)
    assert (seen[0].done, runs.get(run).done) == (0, 2)


def test_a_killed_workers_run_is_taken_up_once_its_lease_is_over(
    forewarm: Forewarm, github: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    github.add_repos("pallets", 500)
    runs = forewarm.services.warming
    run = runs.begin(["pallets"], "api")

    class KilledError(BaseException):
        """As kill -9: nothing is noted, nothing given back."""

    def die() -> None:
        raise KilledError

    monkeypatch.setattr(module._Turn, "fail", lambda *_: None)
    stop_after(forewarm, monkeypatch, 4, die)
    with pytest.raises(KilledError):
        runs.turn(run)
    monkeypatch.undo()
    runs.turn(run)
    assert runs.get(run).done == 3
    with psycopg.connect(forewarm.settings.database_url.reveal(), autocommit=True) as connection:
        connection.execute("update warming_runs set leased_until = now() - interval '1 second'")
    found = finished(runs, run)
    assert (found.state, found.done, github.count()) == ("done", 7, 7)


def test_without_budget_a_run_is_put_off_to_the_reset(forewarm: Forewarm, github: StandIn) -> None:
    github.use("forewarm-bot", 4_000)
    forewarm.get("/repos/pallets/flask")  # hears how little is left
    spent = github.points()
    runs = forewarm.services.warming
    run = runs.begin(["pallets"], "api")
    with pytest.raises(OutOfBudget) as refused:
        runs.turn(run)
    assert 0 < refused.value.retry_at - time.time() <= 3601
    assert (runs.get(run).state, runs.get(run).done, github.points()) == ("running", 0, spent)
    with psycopg.connect(forewarm.settings.database_url.reveal()) as connection:
        (seconds,) = connection.execute(
            "select extract(epoch from put_off_to - now()) from warming_runs"
        ).fetchone()  # type: ignore[misc]
    assert 0 < seconds <= 3601


def test_while_github_is_down_a_run_waits(forewarm: Forewarm, github: StandIn) -> None:
    ask(forewarm, *(f"/repos/pallets/{name}" for name in ("flask", "click", "jinja")))
    later(forewarm, 20_000)
    github.fault("status", status=502)
    runs = forewarm.services.warming
    run = runs.begin(["pallets"], "api")
    runs.turn(run)
    found = runs.get(run)
    assert (found.state, found.failures) == ("running", 2)
    assert found.last_error


def test_its_keys_are_those_that_clients_use(forewarm: Forewarm) -> None:
    warmed(forewarm, "pallets/flask")
    target = canonical_target("/repos/Pallets/Flask", "", "application/json", "")
    key = entry_key(target, SERVICE, BASE)
    read = forewarm.services.store.read(key, match(target.path).tags)
    assert read.entry
    assert read.entry.state(read.versions, time.time()) is State.FRESH


def test_public_url_is_what_links_point_to(applications: Applications) -> None:
    forewarm = applications(PUBLIC_URL="https://forewarm.example.com")
    warmed(forewarm, "pallets/flask")
    target = canonical_target("/repos/pallets/flask", "", "", "")
    key = entry_key(target, SERVICE, "https://forewarm.example.com/api/v3")
    assert forewarm.services.store.read(key, match(target.path).tags).entry


def test_warming_is_counted_in_its_lane(forewarm: Forewarm) -> None:
    warmed(forewarm, "pallets")
    forewarm.services.points.flush()
    lanes = forewarm.services.points.ever().lanes
    assert lanes["core", "warming"].spent == 2


def test_a_user_that_is_not_watched_is_warmed_as_often_as_wanted(forewarm: Forewarm) -> None:
    states = [warmed(forewarm, "mitsuhiko").state for _ in range(2)]
    assert states == ["done", "done"]


def test_it_leaves_a_quarter_to_interactive_requests_while_they_drain_the_budget(
    forewarm: Forewarm, github: StandIn
) -> None:
    limit = 60
    github.limits(core=limit)
    for number in range(limit):
        github.create_repo(f"psf/warmed-{number}", webhook=False)
        github.create_repo(f"pallets/wanted-{number}", webhook=False)
    runs = forewarm.services.warming
    run = runs.begin([f"psf/warmed-{number}" for number in range(limit)], "api")
    forewarm.get("/repos/pallets/flask")  # hears of the limit
    with ThreadPoolExecutor(1) as worker:
        turns = worker.submit(finished, runs, run)
        answers = [forewarm.get(f"/repos/pallets/wanted-{number}") for number in range(limit)]
        assert isinstance(turns.exception(30), OutOfBudget)
    calls = [call for call in github.requests("/repos/") if call.status == 200]
    warming = [place for place, call in enumerate(calls) if "psf/warmed-" in call.target]
    assert warming
    assert max(warming) < limit * 3 // 4
    served = [answer for answer in answers if answer.status_code == 200]
    assert len(served) + len(warming) + 1 == limit
    assert runs.get(run).done == len(warming)


def test_a_bug_ends_its_run_and_is_not_met_again_every_minute(
    forewarm: Forewarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = forewarm.services.warming
    run = runs.begin(["pallets"], "api")
    monkeypatch.setattr(runs._warmer, "warm", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        runs.turn(run)
    assert (runs.get(run).state, "ZeroDivisionError" in (runs.get(run).last_error or "")) == (
        "failed",
        True,
    )
