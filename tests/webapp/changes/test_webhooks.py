"""Deliveries: what each makes untrue, whatever is away, however often and late it comes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from script.embedded import Postgres, Valkey
from tests.serving import Forewarm
from tests.standin.process import StandIn
from tests.webapp.delivering import SECRET, deliver, forget_deliveries, named, post, rows
from tests.webapp.lasting import Applications, lasting_applications
from webapp.changes import webhooks
from webapp.signals import purged, webhook_received

DETAIL = "/repos/pallets/flask"
LIST = "/orgs/pallets/repos"
OTHER = "/repos/psf/requests"


class Clock:
    """Seconds since 1970 that move when told."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def applications(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    with lasting_applications(valkey, postgres, standin, "webhooks") as started:
        yield started


@pytest.fixture
def environ(applications: Applications) -> dict[str, str]:
    return dict(applications.environ)


@pytest.fixture
def forewarm(applications: Applications, github: StandIn, valkey: Valkey) -> Forewarm:
    applications.empty(github)
    forget_deliveries(applications.environ)
    return applications(GITHUB_WEBHOOK_SECRET=SECRET)


@pytest.fixture
def clock(forewarm: Forewarm, monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(forewarm.services.webhooks, "_clock", clock)
    monkeypatch.setattr(forewarm.services.invalidation, "_clock", clock)
    return clock


def outcome(forewarm: Forewarm, path: str = DETAIL) -> str:
    return forewarm.get(path).headers["X-Cache"]


def outcomes(forewarm: Forewarm) -> list[str]:
    return [outcome(forewarm, path) for path in (DETAIL, LIST, OTHER)]


def journal(environ: dict[str, str]) -> list[tuple[Any, ...]]:
    return rows(
        environ,
        "select delivery, event, action, duplicates, purged_at is not null, looks_done"
        " from webhook_deliveries order by id",
    )


def test_a_delivery_purges_its_repository_and_its_owners_lists_at_once(
    forewarm: Forewarm,
) -> None:
    outcomes(forewarm)
    answer = deliver(forewarm, "push", named(), "guid-1")
    assert (answer.status_code, answer.get_json()) == (
        202,
        {"delivery": "guid-1", "result": "accepted"},
    )
    assert outcomes(forewarm) == ["REVALIDATED", "REVALIDATED", "HIT"]


def test_a_forms_delivery_purges_too(forewarm: Forewarm) -> None:
    outcomes(forewarm)
    assert deliver(forewarm, "push", named(), form=True).status_code == 202
    assert outcome(forewarm) == "REVALIDATED"


def test_a_hard_delivery_reaches_the_archive_before_it_is_answered(
    forewarm: Forewarm, environ: dict[str, str]
) -> None:
    outcomes(forewarm)
    deliver(forewarm, "repository", named(action="privatized"))
    left = rows(environ, "select path from upstream_responses")
    assert left == [(OTHER,)]


def test_a_delivery_is_journalled_with_what_it_purged_and_no_more(
    forewarm: Forewarm, environ: dict[str, str]
) -> None:
    deliver(forewarm, "issues", named(action="opened", issue={"body": "nobody's business"}), "g-1")
    assert rows(
        environ,
        "select delivery, event, action, owner, repo, hard_tags, soft_tags, list_tags"
        " from webhook_deliveries",
    ) == [
        (
            *("g-1", "issues", "opened", "pallets", "flask"),
            *([], ["repo:pallets/flask"], ["repos:pallets", "repos:any"]),
        )
    ]
    assert "nobody" not in str(rows(environ, "select * from webhook_deliveries"))


def test_each_purge_names_its_event_and_delivery(forewarm: Forewarm) -> None:
    seen = []

    def note(_: object, **what: Any) -> None:
        seen.append((what["cause"], what["detail"]))

    forewarm.get(DETAIL)  # it has met this Redis
    with purged.connected_to(note):
        deliver(forewarm, "issues", named(action="opened"), "g-1")
    assert seen == [("webhook", "issues.opened g-1")]


@pytest.mark.parametrize("event", ["ping", "workflow_run", "an_event_of_tomorrow"])
def test_what_purges_nothing_is_accepted_and_noted(
    forewarm: Forewarm, environ: dict[str, str], event: str
) -> None:
    outcomes(forewarm)
    answer = deliver(forewarm, event, named(action="completed"))
    assert (answer.status_code, answer.get_json()["result"]) == (202, "ignored")
    assert outcomes(forewarm) == ["HIT", "HIT", "HIT"]
    assert [row[1] for row in journal(environ)] == [event]


def test_a_delivery_that_comes_twice_is_purged_again_and_counted(
    forewarm: Forewarm, environ: dict[str, str]
) -> None:
    deliver(forewarm, "push", named(), "g-1")
    outcomes(forewarm)
    answer = deliver(forewarm, "push", named(), "g-1")
    assert (answer.status_code, answer.get_json()["result"]) == (202, "duplicate")
    assert outcome(forewarm) == "REVALIDATED"
    assert journal(environ) == [("g-1", "push", "", 1, True, 0)]


def test_deliveries_out_of_order_leave_github_the_last_word(
    forewarm: Forewarm, github: StandIn
) -> None:
    outcome(forewarm)
    github.change_repo("pallets/flask", description="second", webhook=False)
    for description in ("second", "first"):  # the later change's delivery comes first
        deliver(forewarm, "repository", named(action="edited", description=description))
    assert forewarm.get(DETAIL).get_json()["description"] == "second"


def test_a_late_delivery_purges_and_says_how_late(
    forewarm: Forewarm, environ: dict[str, str], clock: Clock
) -> None:
    outcome(forewarm)
    payload = named()
    payload["repository"]["pushed_at"] = int(clock.now) - 2_400
    deliver(forewarm, "push", payload)
    assert outcome(forewarm) == "REVALIDATED"
    assert rows(environ, "select lag from webhook_deliveries")[0][0] == pytest.approx(2_400, abs=1)


def test_every_result_is_announced(forewarm: Forewarm) -> None:
    seen = []

    def note(_: object, **what: Any) -> None:
        seen.append((what["event"], what["result"], what["reason"], what["owner"]))

    with webhook_received.connected_to(note):
        deliver(forewarm, "push", named(), "g-1")
        deliver(forewarm, "push", named(), "g-1")
        deliver(forewarm, "ping", {})
        post(forewarm, b"{}", X_Hub_Signature_256="")
        post(forewarm, b"[]")
    assert seen == [
        ("push", "accepted", "", "pallets"),
        ("push", "duplicate", "", "pallets"),
        ("ping", "ignored", "", ""),
        ("", "refused", "signature", ""),
        ("", "refused", "malformed", ""),
    ]


@pytest.mark.parametrize("action", ["created", "deleted", "suspend"])
def test_a_changed_installation_is_learnt_anew_before_anything_is_fetched(
    forewarm: Forewarm, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    happened: list[str] = []
    monkeypatch.setattr(forewarm.services.invalidation, "_installed", happened.append)

    def note(_: object, **what: Any) -> None:
        happened.extend([what["detail"]] if what["cause"] == "webhook" else [])

    payload = {"action": action, "installation": {"account": {"login": "Pallets"}}}
    with purged.connected_to(note):
        deliver(forewarm, "installation", payload, "g-1")
    assert happened == ["pallets", f"installation.{action} g-1"]


# Looks


def test_looks_are_enqueued_for_2_and_20_seconds_later(
    forewarm: Forewarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueued: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        forewarm.services.jobs,
        "enqueue",
        lambda *job, delay_ms: enqueued.append((*job, delay_ms)),
    )
    deliver(forewarm, "release", named(action="published"), "g-1")
    job = ("look", "invalidation", "g-1")
    told = (["repo:pallets/flask"], "release.published g-1")
    assert enqueued == [(*job, 1, *told, 2_000), (*job, 2, *told, 20_000)]


def test_a_look_corrects_what_a_lagging_read_brought_back(
    forewarm: Forewarm, github: StandIn
) -> None:
    outcome(forewarm)
    github.lag(60_000)
    github.change_repo("pallets/flask", description="changed", webhook=False)
    deliver(forewarm, "repository", named(action="edited"), "g-1")
    assert forewarm.get(DETAIL).get_json()["description"] != "changed"
    github.lag(0)
    assert outcome(forewarm) == "HIT"
    forewarm.services.webhooks.look("g-1", 1, ["repo:pallets/flask"], "repository.edited g-1")
    assert forewarm.get(DETAIL).get_json()["description"] == "changed"


def test_the_sweep_does_looks_that_no_job_did(
    forewarm: Forewarm, environ: dict[str, str], clock: Clock
) -> None:
    deliver(forewarm, "push", named(), "g-1")
    outcome(forewarm)
    sweep = forewarm.services.webhooks.sweep
    assert sweep() == []
    clock.now += webhooks.LOOKS[0] + webhooks.PATIENCE.total_seconds()
    assert sweep() == ["repo:pallets/flask"]
    assert outcome(forewarm) == "REVALIDATED"
    assert journal(environ)[0][-1] == 1
    clock.now += 60
    assert sweep() == ["repo:pallets/flask"]
    assert sweep() == []
    assert journal(environ)[0][-1] == 2


@pytest.mark.parametrize(
    ("later", "looks"), [(named(), False), (named("pallets/click"), True)], ids=["same", "another"]
)
def test_of_a_burst_only_the_last_delivery_looks(
    forewarm: Forewarm, clock: Clock, later: dict[str, Any], looks: bool
) -> None:
    deliver(forewarm, "push", named(), "g-1")
    clock.now += 1
    deliver(forewarm, "push", later, "g-2")
    look = forewarm.services.webhooks.look
    assert look("g-1", 1, ["repo:pallets/flask"], "push g-1") is looks
    assert look("g-2", 1, ["repo:pallets/flask"], "push g-2")
    assert look("g-1", 2, ["repo:pallets/flask"], "push g-1") is looks


def test_a_later_delivery_that_has_looked_already_excuses_nobody(
    forewarm: Forewarm, clock: Clock
) -> None:
    deliver(forewarm, "push", named(), "g-1")
    clock.now += 1
    deliver(forewarm, "push", named(), "g-2")
    for number in (1, 2):
        forewarm.services.webhooks.look("g-2", number, ["repo:pallets/flask"], "push g-2")
    assert forewarm.services.webhooks.look("g-1", 2, ["repo:pallets/flask"], "push g-1")


def test_a_look_that_was_done_is_not_swept(forewarm: Forewarm, clock: Clock) -> None:
    deliver(forewarm, "push", named(), "g-1")
    for number in (1, 2):
        forewarm.services.webhooks.look("g-1", number, ["repo:pallets/flask"], "push g-1")
    clock.now += 120
    assert forewarm.services.webhooks.sweep() == []


def test_a_delivery_cut_short_between_journal_and_purge_is_purged_by_the_sweep(
    forewarm: Forewarm, environ: dict[str, str], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcomes(forewarm)

    class Killed(BaseException):
        pass

    def kill(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(forewarm.services.invalidation, "apply", kill)
        with pytest.raises(Killed):
            deliver(forewarm, "repository", named(action="deleted"), "g-1")
    assert outcomes(forewarm) == ["HIT", "HIT", "HIT"]
    clock.now += 60
    forewarm.services.webhooks.sweep()
    assert [row[0] for row in rows(environ, "select path from upstream_responses")] == [OTHER]
    assert outcomes(forewarm) == ["MISS", "MISS", "HIT"]
    assert journal(environ) == [("g-1", "repository", "deleted", 0, True, 2)]


# Replay


def test_a_replay_purges_what_the_delivery_purged(forewarm: Forewarm) -> None:
    deliver(forewarm, "push", named(), "g-1")
    outcomes(forewarm)
    answer = forewarm.request("POST", "/api/webhooks/g-1/replay", json={})
    assert (answer.status_code, answer.get_json()) == (200, {"purged": 3})
    assert outcomes(forewarm) == ["REVALIDATED", "REVALIDATED", "HIT"]


def test_a_replay_of_an_unknown_delivery_is_a_404(forewarm: Forewarm) -> None:
    assert forewarm.request("POST", "/api/webhooks/g-9/replay", json={}).status_code == 404
    assert forewarm.services.webhooks.replay("g-9") is None


def test_operators_see_what_came(forewarm: Forewarm) -> None:
    for guid in ("g-1", "g-2", "g-2"):
        deliver(forewarm, "push", named(), guid)
    deliver(forewarm, "ping", {})
    report = forewarm.request("GET", "/api/webhooks?period=15m").get_json()
    assert [(row["event"], row["deliveries"], row["duplicates"]) for row in report["events"]] == [
        ("push", 2, 1),
        ("ping", 1, 0),
    ]
    assert [row["delivery"] for row in report["deliveries"]][1:] == ["g-2", "g-1"]
    assert report["period"] == "15m"
