"""What operators come for, done in a real browser on real processes: each story ends in the right
state of the system, and an act in an audit row.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
import requests
from dramatiq import Message
from playwright.sync_api import Browser, Page, expect

from script.embedded import Postgres, Valkey
from tests.serving import API_KEY, Server, serve
from tests.standin.accounts import SERVICE_TOKEN
from tests.standin.process import StandIn
from tests.standin.webhooks import signature
from tests.webapp.lasting import lasting_environ
from tests.workers.processes import WORKER, beats_since, running, wait_for
from webapp.jobs import NAMESPACE, Jobs
from webapp.secret import Secret

HOOK_SECRET = "a webhook secret for stories"
FLASK = "/repos/pallets/flask"
RULES = """
[timing]
every = 1
[worker_heartbeat]
enabled = false
[scheduler_heartbeat]
enabled = false
"""
SLOW_MS = 1_200
PATIENCE = 20_000  # milliseconds for what workers, and flushes of 5 s, bring about


@dataclass(frozen=True, slots=True)
class Stack:
    """Web and worker on their stores, and the stand-in GitHub."""

    web: Server
    github: StandIn
    database_url: str
    jobs: Jobs

    def ask(self, path: str) -> str:
        """X-Cache."""
        response = requests.get(self.web.api + path, auth=("x", API_KEY), timeout=10)
        return response.headers["X-Cache"]

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url) as conn:
            return conn.execute(statement).fetchall()

    def acts(self) -> list[tuple[str, str]]:
        """What operators did to what, the last first."""
        return [(what, target) for what, target in self.rows(
            "select what, target from audit order by id desc"
        )]  # fmt: skip

    def twin(self, path: str) -> Any:
        return requests.get(f"{self.web.url}/api{path}", timeout=10).json()

    def die(self, id_: str) -> None:
        """A job is dead, as Dramatiq leaves it."""
        message: Message[object] = Message(
            queue_name="upkeep",
            actor_name="heartbeat",
            args=(),
            kwargs={},
            options={"redis_message_id": id_, "retries": 4, "error": f"ValueError: {id_}"},
            message_id=f"job-{id_}",
        )
        with self.jobs.reached() as client:
            client.hset(f"{NAMESPACE}:upkeep.XQ.msgs", id_, message.encode())
            client.zadd(f"{NAMESPACE}:upkeep.XQ", {id_: time.time() * 1000})


@pytest.fixture(scope="module")
def stack(
    valkey: Valkey, postgres: Postgres, standin: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    folder: Path = tmp_path_factory.mktemp("stories")
    (folder / "rules.toml").write_text(RULES)
    with lasting_environ(valkey, postgres, standin, "stories") as own:
        environ = {
            **own,
            "GITHUB_WEBHOOK_SECRET": HOOK_SECRET,
            "ALERT_RULES": str(folder / "rules.toml"),
        }
        redis_url = environ.pop("REDIS_URL")
        jobs = Jobs(Secret(redis_url.removesuffix("/0") + "/1"))
        with jobs.reached() as client:
            client.flushdb()
        with (
            running(WORKER, redis_url, folder / "worker.log", **environ),
            serve({**environ, "REDIS_URL": redis_url}, folder / "web.log") as web,
        ):
            jobs.enqueue("heartbeat", "upkeep")
            wait_for(lambda: beats_since(jobs, 0), "first heartbeat")
            yield Stack(web, standin, own["DATABASE_URL"], jobs)
        jobs.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Every question is answered with yes."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    made = context.new_page()
    made.on("dialog", lambda dialog: dialog.accept())
    yield made
    context.close()


def test_a_dead_job_is_found_and_retried(page: Page, stack: Stack) -> None:
    died = time.time()
    stack.die("dead-one")
    page.goto(f"{stack.web.url}/")
    page.get_by_role("link", name="Jobs", exact=True).first.click()
    row = page.get_by_role("row").filter(has_text="ValueError: dead-one")
    row.get_by_role("checkbox").check()
    page.get_by_role("button", name="Retry the ticked").click()
    expect(page.get_by_role("status")).to_contain_text("Back in their queue")
    wait_for(lambda: beats_since(stack.jobs, died), "run of the job that was dead")
    assert stack.twin("/jobs")["dead"] == []
    assert stack.acts()[0] == ("job retried", "job-dead-one")


def test_a_warming_run_is_started_watched_paused_resumed_and_finishes(
    page: Page, stack: Stack
) -> None:
    names = [
        each["name"]
        for each in requests.get(
            f"{stack.web.api}/orgs/pallets/repos?per_page=40", auth=("x", API_KEY), timeout=10
        ).json()
    ]
    for name in names[:25]:
        stack.ask(f"/repos/pallets/{name}")
    purge = {"tags": ["owner:pallets"]}
    requests.post(f"{stack.web.url}/api/purge", json=purge, timeout=10).raise_for_status()
    wait_for(lambda: len(stack.twin("/requests")["routes"]) >= 2, "demand that is noted")
    stack.github.latency(120)
    page.goto(f"{stack.web.url}/warming")
    page.get_by_label("Organisation, user, or repository").fill("pallets")
    page.get_by_role("button", name="Warm now").click()
    expect(page.get_by_role("status")).to_contain_text("A run is begun.")
    (number,) = stack.rows("select max(id) from warming_runs")[0]
    row = page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=f"{number} by"))
    row.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("status")).to_contain_text("Paused")
    expect(row).to_contain_text("paused")
    done = stack.twin(f"/warming/{number}")["done"]
    row.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("status")).to_contain_text("Resumed")
    stack.github.latency(0)
    # Live, without a reload.
    page.evaluate("window.same = true")
    expect(row.get_by_role("cell").first).to_have_text("done", timeout=PATIENCE)
    assert page.evaluate("window.same")
    run = stack.twin(f"/warming/{number}")
    assert (run["state"], run["failures"]) == ("done", 0)
    assert run["done"] == run["total"] > done
    assert stack.ask(f"/repos/pallets/{names[0]}") == "HIT"
    assert [what for what, target in stack.acts() if target == str(number)] == [
        *("warming resumed", "warming paused", "warming begun"),
    ]


def test_a_webhook_is_replayed(page: Page, stack: Stack) -> None:
    body = orjson.dumps(
        {
            "action": "edited",
            "repository": {"full_name": "pallets/flask", "owner": {"login": "pallets"}},
        }
    )
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "repository",
        "X-GitHub-Delivery": "a-story",
        "X-Hub-Signature-256": signature(HOOK_SECRET, body),
    }
    hook = f"{stack.web.url}/webhooks/github"
    assert requests.post(hook, body, headers=headers, timeout=10).status_code == 202
    wait_for(lambda: stack.ask(FLASK) == "HIT", "hit")
    page.goto(f"{stack.web.url}/webhooks")
    page.get_by_role("button", name="Replay a-story").click()
    expect(page.get_by_role("status")).to_contain_text("Replayed")
    assert stack.acts()[0] == ("webhook replayed", "a-story")
    assert stack.ask(FLASK) == "REVALIDATED"


def test_a_slow_statement_is_found_with_its_plan(page: Page, stack: Stack) -> None:
    with psycopg.connect(stack.database_url) as blocker:
        blocker.execute("lock table repositories in access exclusive mode")
        url = f"{stack.web.url}/api/repos?q=slow"
        asking = threading.Thread(target=requests.get, args=(url,), kwargs={"timeout": 10})
        asking.start()
        waiting = "select 1 from pg_locks where not granted"
        wait_for(lambda: stack.rows(waiting), "statement that waits")
        threading.Event().wait(SLOW_MS / 1000)  # how slow it is
        blocker.rollback()
        asking.join(10)
    wait_for(lambda: slowest(stack) >= SLOW_MS / 1000, "statement's time")
    page.goto(f"{stack.web.url}/database")
    link = page.get_by_role("link", name="catalog_search", exact=True)
    row = page.get_by_role("row").filter(has=link)
    assert " s" in row.inner_text()
    link.click()
    expect(page.get_by_role("heading", name="Plan of catalog_search")).to_be_visible()
    expect(page.locator("pre").first).to_contain_text("repositories")


def slowest(stack: Stack) -> float:
    return max(
        (
            float(each["mean"])
            for each in stack.twin("/database")["statements"]
            if each["query"] == "catalog_search"
        ),
        default=0.0,
    )


def test_a_slow_request_is_followed_into_its_job(page: Page, stack: Stack) -> None:
    stack.github.latency(SLOW_MS, path=FLASK)
    patched = requests.patch(
        stack.web.api + FLASK,
        json={"description": "of a story"},
        headers={"Authorization": f"Bearer {SERVICE_TOKEN}"},
        timeout=10,
    )
    assert patched.status_code == 200
    stack.github.latency(0, path=FLASK)
    route = "PATCH /api/v3/repos/{owner}/{repo}"
    wait_for(lambda: followed(stack, route), "job of the request in its trace")
    wait_for(
        lambda: route in {each["route"] for each in stack.twin("/requests")["routes"]}, "route"
    )
    page.goto(f"{stack.web.url}/requests")
    page.get_by_role("link", name=route).click()
    page.get_by_label("At least, in ms").fill("1000")
    page.get_by_role("button", name="Find").click()
    page.get_by_role("link", name=route).click()
    steps = page.locator("table.waterfall")
    expect(steps).to_contain_text(route)
    expect(steps).to_contain_text("purge_again")


def followed(stack: Stack, route: str) -> bool:
    found = stack.twin("/traces?min_ms=1000")["traces"]
    ids = [each["trace_id"] for each in found if each["route"] == route]
    return any(row["kind"] == "job" for id_ in ids for row in stack.twin(f"/traces/{id_}")["rows"])


def test_an_alert_fires_is_silenced_and_resolves(page: Page, stack: Stack) -> None:
    stack.die("alarming")
    page.goto(f"{stack.web.url}/alerts")
    firing = page.locator("#firing")
    expect(firing).to_contain_text("dead_letters", timeout=PATIENCE)
    page.locator("select[name=rule]").select_option("dead_letters")
    page.get_by_label("Why").fill("known to the story")
    page.get_by_role("button", name="Silence", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Silenced")
    expect(firing).to_contain_text("nobody is told")
    assert stack.acts()[0] == ("alerts silenced", "dead_letters")
    page.goto(f"{stack.web.url}/jobs")
    page.get_by_role("row").filter(has_text="alarming").get_by_role("checkbox").check()
    page.get_by_role("button", name="Delete the ticked").click()
    expect(page.get_by_role("status")).to_contain_text("Deleted")
    page.goto(f"{stack.web.url}/alerts")
    expect(firing).to_contain_text("None fires.", timeout=PATIENCE)
    expect(page.locator("#history")).to_contain_text("resolved")
    page.get_by_role("button", name="End silence").click()
    expect(page.get_by_role("status")).to_contain_text("The silence is over.")
    told = stack.twin("/alerts")
    assert (told["firing"], told["silences"]) == ([], [])
    assert [what for what, _ in stack.acts()[:2]] == ["silence ended", "job deleted"]


def test_a_repository_is_found_its_miss_explained_and_its_entries_purged(
    page: Page, stack: Stack
) -> None:
    stack.ask("/orgs/psf/repos")
    wait_for(lambda: stack.twin("/repos?q=requests&org=psf")["items"], "catalog")
    page.goto(f"{stack.web.url}/repos")
    page.get_by_label("Words").fill("requests")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="psf/requests", exact=True).click()
    entries = page.locator("#entries")
    expect(entries).to_contain_text("nothing is stored for it")
    entries.get_by_role("link", name="/repos/psf/requests", exact=True).click()
    expect(page.locator(".facts")).to_contain_text("absent: nothing is stored for it")
    expect(page.locator(".facts")).to_contain_text("repo:psf/requests")
    assert stack.ask("/repos/psf/requests") in {"MISS", "REVALIDATED"}
    assert stack.ask("/repos/psf/requests") == "HIT"
    page.goto(f"{stack.web.url}/repos/psf/requests")
    expect(entries).to_contain_text("fresh")
    page.get_by_role("button", name="Purge").click()
    expect(page.get_by_role("status")).to_contain_text("Purged.")
    assert stack.acts()[0] == ("cache purged softly", "repo:psf/requests")
    page.goto(f"{stack.web.url}/repos/psf/requests")
    expect(page.locator("#purges")).to_contain_text("operator")
    assert stack.ask("/repos/psf/requests") == "REVALIDATED"
