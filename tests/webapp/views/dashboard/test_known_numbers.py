"""A scripted scenario of known traffic: each page and its JSON twin show exactly its numbers."""

from __future__ import annotations

import html
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from dramatiq import Message

from script.embedded import Postgres, Valkey
from tests.serving import Forewarm
from tests.standin.process import StandIn
from tests.webapp import delivering
from tests.webapp.lasting import lasting_applications
from webapp import signals
from webapp.db.audit import audit_prune
from webapp.jobs import NAMESPACE, SCHEDULER_HEARTBEAT, WORKER_HEARTBEAT

HITS, NEGATIVES, REVALIDATED, FAILURES = 17, 2, 3, 4
MISSED = ("/repos/pallets/flask", "/repos/pallets/click", "/repos/psf/requests", "/repos/no/such")
PURGED_SOFT, PURGED_HARD = 3, 2
DONE, RETRIED, DEAD, WAITING = 6, 2, 1, 2
STATEMENTS = 5
DETAIL = "GET /api/v3/repos/{owner}/{repo}"
LISTS = "GET /api/v3/orgs/{owner}/repos"


@pytest.fixture(scope="module")
def forewarm(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Forewarm]:
    """The scenario has happened, and is told."""
    with lasting_applications(valkey, postgres, standin, "known") as applications:
        forewarm = applications(
            HIT_SAMPLE="0",
            CACHE_FRESH_REPO_LIST="1",
            GITHUB_WEBHOOK_SECRET=delivering.SECRET,
        )
        with forewarm.services.jobs.reached() as client:
            client.flushdb()
        ask(forewarm, standin)
        purge(forewarm)
        deliver(forewarm)
        work(forewarm)
        warm(forewarm)
        fire(forewarm)
        forewarm.services.harvest.flush()
        forewarm.services.recorder.flush()
        forewarm.services.points.flush()
        assert forewarm.services.traces is not None
        forewarm.services.traces.flush()
        yield forewarm


def ask(forewarm: Forewarm, github: StandIn) -> None:
    """Misses, hits, revalidations, a stale answer whose refresh costs nothing, and failures."""
    for path in MISSED:
        assert outcome(forewarm, path) == "MISS"
    for _ in range(HITS):
        assert outcome(forewarm, MISSED[0]) == "HIT"
    for _ in range(NEGATIVES):
        assert outcome(forewarm, MISSED[3]) == "NEGATIVE"
    for _ in range(REVALIDATED):
        assert outcome(forewarm, MISSED[1], Cache_Control="max-age=0") == "REVALIDATED"
    assert outcome(forewarm, "/orgs/pallets/repos") == "MISS"
    until(lambda: state_of(forewarm, "/orgs/pallets/repos") == "stale")
    assert outcome(forewarm, "/orgs/pallets/repos") == "STALE"
    until(lambda: github.count("/orgs/pallets/repos") == 2)
    for _ in range(FAILURES):
        assert forewarm.get("/orgs/psf/repos", "fwk_that-nobody-has-given").status_code == 401


def outcome(forewarm: Forewarm, path: str, **headers: str) -> str:
    return forewarm.get(path, **headers).headers["X-Cache"]


def state_of(forewarm: Forewarm, path: str) -> str:
    found = forewarm.request("GET", f"/api/entries?path={path}").get_json()
    return next(str(each["state"]) for each in found["entries"] if each["scope"] == "service")


def until(holds: Any) -> None:
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline
        threading.Event().wait(0.01)


def purge(forewarm: Forewarm) -> None:
    for number in range(PURGED_SOFT + PURGED_HARD):
        body = {"tags": [f"repo:o/r{number}"], "hard": number >= PURGED_SOFT}
        assert forewarm.request("POST", "/api/purge", json=body).status_code == 200


def deliver(forewarm: Forewarm) -> None:
    """Two accepted, one of them twice, one without anything to purge, three refused."""
    renamed = delivering.named("pallets/jinja", action="edited")
    assert delivering.deliver(forewarm, "repository", renamed, "one").status_code == 202
    assert delivering.deliver(forewarm, "repository", renamed, "one").status_code == 202
    assert delivering.deliver(forewarm, "release", renamed, "two").status_code == 202
    assert delivering.deliver(forewarm, "ping", {"zen": "."}, "three").status_code == 202
    for _ in range(3):
        answer = delivering.post(forewarm, b"{}", X_Hub_Signature_256="sha256=0")
        assert answer.status_code == 401


def work(forewarm: Forewarm) -> None:
    """Runs as workers tell of them, a dead letter as Dramatiq leaves it, two jobs that wait."""
    for result, number in (("done", DONE), ("retried", RETRIED), ("dead", DEAD)):
        for _ in range(number):
            signals.job_ran.send(
                *(None,), queue="upkeep", actor="fail", result=result, seconds=0.5, attempt=1
            )
    letter: Message[object] = Message(
        queue_name="upkeep",
        actor_name="fail",
        args=("pallets",),
        kwargs={},
        options={"redis_message_id": "one", "retries": 4, "error": "ValueError: always"},
        message_id="job-one",
    )
    with forewarm.services.jobs.reached() as client:
        client.hset(f"{NAMESPACE}:upkeep.XQ.msgs", "one", letter.encode())
        client.zadd(f"{NAMESPACE}:upkeep.XQ", {"one": 1_000})
        for beat in (WORKER_HEARTBEAT, SCHEDULER_HEARTBEAT):
            client.set(beat, time.time())
    for number in range(WAITING):
        forewarm.services.jobs.enqueue("nobody", "upkeep", number)
    with forewarm.services.database.connection() as conn:
        for _ in range(STATEMENTS):
            audit_prune(conn, before=forewarm.services.alerting.present().evaluated_at)


def warm(forewarm: Forewarm) -> None:
    """Two names watched, and a run that is half done."""
    for name in ("pallets", "psf/requests"):
        forewarm.services.watches.add(name, "api")
    run = forewarm.services.warming.begin(["pallets"], "api")
    with forewarm.services.database.connection() as conn:
        conn.execute(
            "update warming_runs set state = 'paused', done = 12, total = 48, points = 7,"
            " saved = 5, failures = 3 where id = %s",
            (run,),
        )


def fire(forewarm: Forewarm) -> None:
    """Rules are evaluated, once and no more; then one fires."""
    forewarm.services.alerting.stop()
    forewarm.services.alerting.evaluate()
    with forewarm.services.database.connection() as conn:
        conn.execute("truncate alerts, alert_changes")
        conn.execute(
            "insert into alerts values ('github_budget', 'critical', 'abc core', 'firing', now(),"
            " 3.5, now(), null, null, 1)"
        )
        conn.execute(
            "insert into alert_changes (at, rule, severity, subject, was, became, value)"
            " values (now(), 'github_budget', 'critical', 'abc core', 'pending', 'firing', 3.5)"
        )


# What is shown


def page(forewarm: Forewarm, path: str) -> str:
    response = forewarm.request("GET", path, Accept="text/html")
    assert response.status_code == 200, path
    return response.get_data(as_text=True)


def twin(forewarm: Forewarm, path: str) -> Any:
    response = forewarm.request("GET", f"/api{path}")
    assert response.status_code == 200, path
    return response.get_json()


def text(markup: str) -> str:
    return " ".join(html.unescape(re.sub("<[^>]+>", " ", markup)).split())


def table(shown: str, labelled: str) -> dict[str, list[str]]:
    """Row header -> the other cells, of the table that a heading or a label names."""
    found = re.search(rf'aria-label(?:ledby)?="{labelled}".*?<tbody>(.*?)</tbody>', shown, re.S)
    assert found, labelled
    rows = {}
    for row in re.findall(r"<tr>(.*?)</tr>", found[1], re.S):
        head = re.search(r"<th[^>]*>(.*?)</th>", row, re.S)
        assert head
        cells = re.findall(r"<td[^>]*>(.*?)</td>", row, re.S)
        rows[text(head[1])] = [text(each) for each in cells]
    return rows


def tiles(shown: str) -> dict[str, str]:
    return {
        text(name): text(value)
        for name, value in re.findall(
            r'<div class="tile">\s*<dt>(.*?)</dt>\s*<dd>(.*?)</dd>', shown, re.S
        )
    }


def verdict(shown: str, name: str) -> str:
    lines = re.findall(r'<li class="verdict-line.*?</li>', shown, re.S)
    (line,) = [text(each) for each in lines if re.search(rf'class="name">(<a[^>]*>)?{name}<', each)]
    return line


ANSWERS = len(MISSED) + HITS + NEGATIVES + REVALIDATED + 2 + FAILURES
WITHOUT_GITHUB = HITS + NEGATIVES + 1
READS = ANSWERS  # no write passed through
SPENT = len(MISSED) + 1
SAVED = REVALIDATED + 1


def test_the_overview(forewarm: Forewarm) -> None:
    shown, told = page(forewarm, "/"), twin(forewarm, "/overview")
    assert told["requests"] == ANSWERS == 32
    assert told["hit_rate"] == pytest.approx(WITHOUT_GITHUB / READS)
    assert told["points"]["spent"] == SPENT
    assert f"{WITHOUT_GITHUB / READS * 100:.3g} %" in tiles(shown)["Answered from a shelf"]
    assert tiles(shown)["GitHub points spent"].startswith(f"{SPENT} ")
    assert f"{FAILURES} of {ANSWERS} answers" in verdict(shown, "Errors")
    assert f"over {ANSWERS} answers" in verdict(shown, "Latency")
    assert "2 watched; run 1 is paused, 12 of 48 done" in verdict(shown, "Warming")
    assert "1 failed for good" in verdict(shown, "Jobs")
    assert "1 firing: github_budget" in verdict(shown, "Alerts")
    assert [each["reason"] for each in told["verdicts"] if each["name"] == "Errors"] == [
        f"{FAILURES} of {ANSWERS} answers, {FAILURES / ANSWERS * 100:.3g} %."
    ]


def test_requests(forewarm: Forewarm) -> None:
    shown, told = page(forewarm, "/requests"), twin(forewarm, "/requests")
    routes = {each["route"]: each for each in told["routes"]}
    details = len(MISSED) + HITS + NEGATIVES + REVALIDATED
    assert (told["count"], told["errors"]) == (ANSWERS, FAILURES)
    assert (routes[DETAIL]["count"], routes[DETAIL]["errors"]) == (details, 0)
    assert (routes[LISTS]["count"], routes[LISTS]["errors"]) == (2 + FAILURES, FAILURES)
    rows = table(shown, "by-route")
    assert rows[DETAIL][1:3] == [str(details), "0"]
    assert rows[LISTS][1:3] == [str(2 + FAILURES), str(FAILURES)]
    assert rows["POST /webhooks/github"][1] == "7"


def test_a_routes_link_leads_to_its_traces(forewarm: Forewarm) -> None:
    shown = page(forewarm, "/requests")
    link = re.search(r'<a href="(/traces\?[^"]*)"><code>GET /api/v3/repos/', shown)
    assert link
    found = page(forewarm, html.unescape(link[1]))
    assert f"of the newest {len(MISSED) + REVALIDATED}" in verdict(found, "Traces")


def test_the_cache(forewarm: Forewarm) -> None:
    shown, told = page(forewarm, "/cache"), twin(forewarm, "/cache")
    assert told["outcomes"] == {
        "repo.HIT": HITS,
        "repo.MISS": len(MISSED),
        "repo.NEGATIVE": NEGATIVES,
        "repo.REVALIDATED": REVALIDATED,
        "repo_list.ERROR": FAILURES,
        "repo_list.MISS": 1,
        "repo_list.STALE": 1,
    }
    heads = re.findall(r'<th scope="col" class="number">([A-Z]+)</th>', shown)
    repo = dict(zip(heads, table(shown, "by-resource")["repo"], strict=True))
    assert {name: number for name, number in repo.items() if number != "0"} == {
        "HIT": str(HITS),
        "MISS": str(len(MISSED)),
        "NEGATIVE": str(NEGATIVES),
        "REVALIDATED": str(REVALIDATED),
    }
    by_hand = [each for each in told["purges"] if each["cause"] == "operator"]
    assert by_hand == [
        {"kind": "hard", "cause": "operator", "count": PURGED_HARD},
        {"kind": "soft", "cause": "operator", "count": PURGED_SOFT},
    ]
    (webhooks,) = [each for each in told["purges"] if each["cause"] == "webhook"]
    assert webhooks == {"kind": "soft", "cause": "webhook", "count": 3}
    # A server that this process meets for the first time is purged by "restart".
    restarts = sum(each["count"] for each in told["purges"] if each["cause"] == "restart")
    assert tiles(shown)["Purges"] == str(PURGED_HARD + PURGED_SOFT + 3 + restarts)
    assert told["points"] == {"spent": SPENT, "saved": told["points"]["saved"]}
    assert tiles(shown)["Points saved"] == f"{told['points']['saved']} {SPENT} spent"
    shelf = HITS + NEGATIVES + 1
    assert (told["shelves"]["redis"]["count"], table(shown, "shelves")["redis"][0]) == (
        shelf,
        str(shelf),
    )


def test_github(forewarm: Forewarm, standin: StandIn) -> None:
    shown, told = page(forewarm, "/github"), twin(forewarm, "/github")
    calls = sum(each["count"] for each in told["calls"])
    assert calls == standin.count()
    assert (told["points"]["spent"], standin.points()) == (SPENT, SPENT)
    rows = table(shown, "upstream")
    assert rows["repo"][:5] == [str(len(MISSED) + REVALIDATED), "3", str(REVALIDATED), "0", "1"]
    assert rows["repo_list"][:3] == ["2", "1", "1"]
    assert told["refused"] == told["paused"] == {}
    assert "GitHub answered no call with 403 or 429" in shown
    (budget,) = [
        each
        for each in told["budgets"]
        if each["resource"] == "core" and each["credential"] != "anonymous"
    ]
    assert budget["limit"] - budget["remaining"] == SPENT
    assert f"{budget['remaining']:,} of {budget['limit']:,}" in shown
    slowest = {each["path"]: each["calls"] for each in told["slowest"]}
    assert slowest["/repos/pallets/click"] == 1 + REVALIDATED
    assert table(shown, "slowest-title")["/repos/pallets/click"][0] == str(1 + REVALIDATED)


def test_jobs(forewarm: Forewarm) -> None:
    shown, told = page(forewarm, "/jobs"), twin(forewarm, "/jobs")
    queues = {each["queue"]: each for each in told["queues"]}
    assert queues["upkeep"]["dead"] == 1
    assert queues["upkeep"]["waiting"] == WAITING
    assert table(shown, "queues-title")["upkeep"][0] == str(WAITING)
    assert table(shown, "queues-title")["upkeep"][-1] == "1"
    assert [each["results"] for each in told["runtimes"]] == [
        {"done": DONE, "retried": RETRIED, "dead": DEAD}
    ]
    assert table(shown, "runtimes-title")["fail"][:5] == [
        *(str(DONE), str(RETRIED), "0", "0", str(DEAD)),
    ]
    assert "ValueError: always" in table(shown, "dead-title")["fail ['pallets']"][2]


def test_warming(forewarm: Forewarm) -> None:
    shown, told = page(forewarm, "/warming"), twin(forewarm, "/warming")
    (run,) = told["items"]
    counted = {"done": 12, "total": 48, "points": 7, "saved": 5, "failures": 3}
    assert run == {"run": 1, "state": "paused", **counted}
    (row,) = table(shown, "runs-title").values()
    assert row[:5] == ["paused", "12 of 48", "7", "5", "3"]
    assert set(table(shown, "watches-title")) == {"pallets", "psf/requests"}
    assert [each["name"] for each in twin(forewarm, "/watches")["items"]] == [
        *("pallets", "psf/requests"),
    ]


def test_webhooks(forewarm: Forewarm) -> None:
    shown, told = page(forewarm, "/webhooks"), twin(forewarm, "/webhooks")
    expected = {"accepted": 2, "duplicate": 1, "ignored": 1, "refused": 3}
    assert told["results"] == expected
    assert {name.lower(): int(value) for name, value in tiles(shown).items()} == expected
    assert [each["name"] for each in told["verdicts"]] == ["Webhooks"]
    rows = table(shown, "events-title")
    assert rows["repository edited"][:3] == ["1", "1", "0"]
    assert rows["ping"][:3] == ["1", "0", "1"]
    assert len(told["deliveries"]) == 3


def test_the_database(forewarm: Forewarm) -> None:
    shown, told = page(forewarm, "/database"), twin(forewarm, "/database")
    (statement,) = [each for each in told["statements"] if each["query"] == "audit_prune"]
    assert statement["calls"] == STATEMENTS
    assert table(shown, "statements-title")["audit_prune"][0] == str(STATEMENTS)


def test_traces(forewarm: Forewarm) -> None:
    found = twin(forewarm, "/traces?outcome=REVALIDATED")["traces"]
    # A refresh behind has a trace of its own, which a minute's sample may leave out.
    assert sum(each["kind"] == "request" for each in found) == REVALIDATED
    shown = page(forewarm, "/traces?outcome=REVALIDATED")
    assert f"0 failed and 0 slow of the newest {len(found)}" in verdict(shown, "Traces")
    assert len(twin(forewarm, f"/traces?route={DETAIL}")["traces"]) == len(MISSED) + REVALIDATED


def test_alerts(forewarm: Forewarm) -> None:
    shown, told = page(forewarm, "/alerts"), twin(forewarm, "/alerts")
    assert [(each["rule"], each["value"]) for each in told["firing"]] == [("github_budget", 3.5)]
    assert len(told["history"]) == 1
    assert "1 firing: github_budget" in verdict(shown, "Alerts")
    row = table(shown, "history-title")["github_budget abc core"]
    assert row[1:] == ["critical", "pending", "firing", "3.5"]
