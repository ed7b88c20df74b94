"""One trace through web, GitHub, queue and worker, all of them real; and no secret in any of it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
import requests

from script.embedded import Postgres, Valkey
from tests.serving import ADMIN_PASSWORD, API_KEY, SECRET_KEY, serve
from tests.standin.accounts import ALICE_TOKEN, BOB_TOKEN, PUBLIC_TOKEN, SERVICE_TOKEN
from tests.standin.landmarks import HUGE_REPO, SHARED_PRIVATE
from tests.standin.process import StandIn
from tests.webapp.lasting import lasting_environ
from tests.webapp.telemetry.intake import Intake, faults
from tests.workers.processes import running, wait_for
from webapp.jobs import Jobs
from webapp.secret import Secret

WORKER = (
    *("dramatiq", "workers.main", "tests.workers.calling", "--processes", "1", "--threads", "2"),
)
PLANTED = "planted-0123456789-abcdef"
WEBHOOK_SECRET = f"webhook-{PLANTED}"
APM_TOKEN = f"apm-{PLANTED}"
SIGNATURE = hmac.new(b"another", b"{}", hashlib.sha256).hexdigest()
SECRETS = (
    *(SERVICE_TOKEN, PUBLIC_TOKEN, ALICE_TOKEN, BOB_TOKEN, API_KEY, ADMIN_PASSWORD, SECRET_KEY),
    *(PLANTED, SIGNATURE, base64.b64encode(f"x:{ALICE_TOKEN}".encode()).decode()),
)
STREAMED = f"/repos/{HUGE_REPO}/git/trees/main?recursive=1"
ORG, OTHER = "GET /api/v3/orgs/{owner}", "GET /api/v3/repos/{owner}/{repo}/**"
TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"


@dataclass(frozen=True, slots=True)
class Run:
    """What a run left behind."""

    intake: Intake
    database_url: str
    logs: tuple[Path, Path]
    seen_by_github: list[Any]
    api: list[dict[str, Any]]
    waterfall: dict[str, Any]

    def transaction(self, name: str, trace_id: str = TRACE) -> dict[str, Any]:
        """The one of that name."""
        (found,) = self.intake.of("transaction", trace_id=trace_id, name=name)
        return found

    def spans(self, transaction: dict[str, Any], **fields: object) -> list[dict[str, Any]]:
        return self.intake.of("span", transaction_id=transaction["id"], **fields)


def plant(url: str, github: StandIn) -> None:
    """Secrets in every place of a request that could be recorded."""

    def ask(method: str, path: str, **more: Any) -> None:
        requests.request(method, f"{url}{path}", timeout=10, **more)

    basic = base64.b64encode(f"x:{ALICE_TOKEN}".encode()).decode()
    for authorization in (
        f"Bearer {API_KEY}",
        f"token {ALICE_TOKEN}",
        f"Basic {basic}",
        f"Bearer fwk_{PLANTED}",
        f"Bearer ghp_{PLANTED}",
        f"Bearer {ADMIN_PASSWORD}",
    ):
        headers = {
            "Authorization": authorization,
            "Cookie": f"session={PLANTED}",
            "X-Token": PLANTED,
            "User-Agent": f"tool/{ALICE_TOKEN}",
            "If-None-Match": f'"{BOB_TOKEN}"',
            "tracestate": f"other={PLANTED}",
            "traceparent": f"00-{PLANTED}-{CALLER}-01",
        }
        for path in (
            f"/api/v3/repos/{SHARED_PRIVATE}?access_token={PLANTED}&a={PLANTED}&{PLANTED}=1",
            f"/api/v3/repos/{SHARED_PRIVATE}/issues?since={PLANTED}",
            f"/api/v3/repos/a/{ALICE_TOKEN}",
            f"/nowhere/{BOB_TOKEN}?q={PLANTED}",
            f"/api/repos?q=ghp_{PLANTED}",
            f"/api/traces?route={ALICE_TOKEN}",
        ):
            ask("GET", path, headers=headers)
    ask("POST", "/api/purge", data=f'{{"token": "{PLANTED}"', headers={"Cookie": PLANTED})
    ask("POST", "/api/graphql", json={"query": PLANTED}, auth=("x", ALICE_TOKEN))
    ask(
        "POST",
        "/webhooks/github",
        data=b"{}",
        headers={"X-Hub-Signature-256": f"sha256={SIGNATURE}", "X-GitHub-Event": "push"},
    )
    for fault in ("reset", "invalid_json", "html"):
        github.fault(fault, count=3)
        ask("GET", f"/api/v3/orgs/psf?x={fault}", auth=("x", ALICE_TOKEN))
    github.clear_faults()


@pytest.fixture(scope="module")
def run(
    valkey: Valkey, postgres: Postgres, standin: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("end_to_end")
    logs = folder / "web.log", folder / "worker.log"
    with Intake() as intake, lasting_environ(valkey, postgres, standin, "end_to_end") as own:
        environ = {
            **own,
            "ADMIN_PASSWORD": ADMIN_PASSWORD,
            "GITHUB_PUBLIC_TOKEN": PUBLIC_TOKEN,
            "GITHUB_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "HIT_SAMPLE": "1",
            "LOG_LEVEL": "DEBUG",
            "ELASTIC_APM_SERVER_URL": intake.url,
            "ELASTIC_APM_SECRET_TOKEN": APM_TOKEN,
            "ELASTIC_APM_API_REQUEST_TIME": "1s",
            "ELASTIC_APM_METRICS_INTERVAL": "1s",
        }
        redis_url = environ.pop("REDIS_URL")
        with (
            running(WORKER, redis_url, logs[1], **environ),
            serve({**environ, "REDIS_URL": redis_url}, logs[0]) as web,
        ):
            standin.forget()
            written = requests.patch(
                f"{web.api}/repos/pallets/flask",
                json={"description": PLANTED},
                headers={
                    "Authorization": f"Bearer {SERVICE_TOKEN}",
                    "traceparent": f"00-{TRACE}-{CALLER}-01",
                    "tracestate": "es=s:0.5,other=x",
                },
                timeout=10,
            )
            assert written.status_code == 200
            jobs = Jobs(Secret(redis_url.removesuffix("/0") + "/1"))
            jobs.enqueue("chain", "upkeep", f"ghp_{PLANTED}")
            plant(web.url, standin)
            wait_for(lambda: outcome(f"{web.api}/orgs/pallets") == "HIT", "hit")
            assert outcome(f"{web.api}{STREAMED}") == "BYPASS"
            intake.wait(lambda: intake.of("transaction", name="purge_again"), "second look")
            intake.wait(lambda: len(intake.of("transaction", name="child")) == 2, "children")
            intake.wait(lambda: intake.of("metricset"), "metrics")
            intake.wait(lambda: hits(intake), "hit")
            intake.wait(lambda: "/git/trees/main" in str(intake.of("transaction")), "stream")

            def kept() -> bool:
                rows = answered(web.url, f"/api/traces/{TRACE}").get("rows", ())
                return "purge_again" in {row["name"] for row in rows}

            wait_for(kept, "trace in PostgreSQL")
            listed = answered(web.url, "/api/traces?limit=500")["traces"]
            tree = answered(web.url, f"/api/traces/{TRACE}")
            seen = standin.requests()
            jobs.close()
        yield Run(intake, environ["DATABASE_URL"], logs, seen, listed, tree)


def outcome(url: str) -> str:
    return requests.get(url, auth=("x", API_KEY), timeout=10).headers["X-Cache"]


def hits(intake: Intake) -> list[dict[str, Any]]:
    return [
        each
        for each in intake.of("transaction", name=ORG)
        if each["context"]["tags"]["outcome"] == "HIT"
    ]


def answered(url: str, path: str) -> dict[str, Any]:
    response = requests.get(f"{url}{path}", auth=("admin", ADMIN_PASSWORD), timeout=10)
    found: dict[str, Any] = response.json()
    return found


# One trace


def test_every_event_is_one_that_an_apm_server_takes(run: Run) -> None:
    kinds = {kind for kind, _ in run.intake.events}
    assert kinds == {"metadata", "transaction", "span", "error", "metricset"}
    assert [each for kind, event in run.intake.events for each in faults(kind, event)] == []


def test_events_are_posted_with_the_agents_own_credentials(run: Run) -> None:
    posts = [headers for method, path, headers in run.intake.asked if path == "/intake/v2/events"]
    assert {each["Authorization"] for each in posts} == {f"Bearer {APM_TOKEN}"}
    assert {path for method, path, _ in run.intake.asked if method == "GET"} == {"/"}


def test_a_request_hangs_below_its_callers_span(run: Run) -> None:
    (written,) = run.intake.of("transaction", trace_id=TRACE, parent_id=CALLER)
    assert written["type"] == "request"
    assert written["name"].startswith("PATCH /api/v3")
    assert written["sample_rate"] == 0.5


def test_its_call_to_github_hangs_below_the_request(run: Run) -> None:
    (written,) = run.intake.of("transaction", trace_id=TRACE, parent_id=CALLER)
    (call,) = run.spans(written, subtype="github")
    assert call["parent_id"] == written["id"]
    assert call["name"] == "GitHub repo"
    assert call["context"]["tags"]["resource"] == "repo"
    assert call["context"]["tags"]["lane"] == "interactive"
    assert call["context"]["tags"]["outcome"] == "MISS"
    (wire,) = run.spans(written, parent_id=call["id"], subtype="http")
    assert wire["context"]["http"]["status_code"] == 200


def test_the_job_hangs_below_the_request_that_enqueued_it(run: Run) -> None:
    (written,) = run.intake.of("transaction", trace_id=TRACE, parent_id=CALLER)
    job = run.transaction("purge_again")
    assert job["type"] == "messaging"
    assert job["parent_id"] == written["id"]
    assert job["result"] == "done"
    assert job["timestamp"] > written["timestamp"] + 1_500_000


def test_the_jobs_call_to_github_hangs_below_the_job(run: Run) -> None:
    job = run.transaction("purge_again")
    (call,) = run.spans(job, subtype="github")
    assert call["parent_id"] == job["id"]
    assert call["context"]["tags"]["lane"] == "webhook"
    statements = {each["name"] for each in run.spans(job, subtype="postgresql")}
    assert "archive_get" in statements
    assert run.spans(job, subtype="redis")


def test_a_retry_and_children_stay_in_the_trace_of_the_first_try(run: Run) -> None:
    tries = sorted(run.intake.of("transaction", name="chain"), key=lambda each: each["timestamp"])
    assert [each["result"] for each in tries] == ["retried", "done"]
    assert [each["outcome"] for each in tries] == ["failure", "success"]
    (error,) = run.intake.of("error", transaction_id=tries[0]["id"])
    assert error["exception"]["type"] == "ValueError"
    children = run.intake.of("transaction", name="child", trace_id=tries[1]["trace_id"])
    assert [each["parent_id"] for each in children] == [tries[1]["id"]] * 2


def test_a_hit_that_falls_through_is_traced(run: Run) -> None:
    assert {span["name"] for span in run.spans(hits(run.intake)[0], subtype="redis")} == {"MGET"}


def test_a_streamed_answers_transaction_ends_with_the_stream(run: Run) -> None:
    (streamed,) = [
        each
        for each in run.intake.of("transaction", name=OTHER)
        if each["context"]["request"]["url"]["pathname"].endswith("/git/trees/main")
    ]
    assert streamed["context"]["tags"]["outcome"] == "BYPASS"
    assert streamed["context"]["request"]["url"]["search"] == "?recursive=1"


def test_unmatched_routes_share_a_name(run: Run) -> None:
    assert run.intake.of("transaction", name="unmatched")
    assert not [each for each in run.intake.of("transaction") if not each["name"].split()[0]]


def test_an_answer_of_5xx_is_a_failure(run: Run) -> None:
    failed = run.intake.of("transaction", outcome="failure", result="HTTP 5xx")
    assert {each["context"]["tags"]["outcome"] for each in failed} == {"ERROR"}


def test_github_is_told_nothing_of_traces(run: Run) -> None:
    assert run.seen_by_github
    told = {name.lower() for each in run.seen_by_github for name in each.headers}
    assert told.isdisjoint({"traceparent", "tracestate", "elastic-apm-traceparent"})


# In PostgreSQL


def test_the_waterfall_goes_from_request_to_job(run: Run) -> None:
    rows = run.waterfall["rows"]
    request, job = (
        next(row for row in rows if row["name"].startswith(name))
        for name in ("PATCH", "purge_again")
    )
    assert (request["depth"], request["kind"]) == (0, "request")
    assert (job["depth"], job["kind"], job["parent_id"]) == (1, "job", request["id"])
    calls = [row for row in rows if row["name"] == "GitHub repo"]
    assert [(call["depth"], call["parent_id"]) for call in calls] == [
        (1, request["id"]),
        (2, job["id"]),
    ]
    assert job["at_ms"] > 1_500
    assert run.waterfall["ms"] >= job["at_ms"] + job["ms"] - 0.01


def test_a_failed_jobs_error_is_in_its_row(run: Run) -> None:
    failed = next(row for row in run.api if row["route"] == "chain" and row["failed"])
    assert (failed["kind"], failed["outcome"], failed["kept"]) == ("job", "retried", "failed")


def test_every_transaction_of_a_quiet_minute_is_kept(run: Run) -> None:
    kept = {row["transaction_id"] for row in run.api}
    assert {each["id"] for each in run.intake.of("transaction", trace_id=TRACE)} <= kept


# Secrets


def test_no_secret_is_in_anything_sent(run: Run) -> None:
    sent = b"\n".join(run.intake.raw).decode()
    assert [each for each in SECRETS if each in sent] == []
    assert "wsgi" not in sent
    assert "REDIS_URL" not in sent


def test_no_secret_is_in_anything_kept(run: Run) -> None:
    with psycopg.connect(run.database_url) as conn:
        rows = conn.execute("select traces::text from traces").fetchall()
        rows += conn.execute("select trace_details::text from trace_details").fetchall()
    kept = "\n".join(row[0] for row in rows)
    assert len(rows) > 20
    assert [each for each in SECRETS if each in kept] == []


def test_no_secret_is_in_anything_shown(run: Run) -> None:
    shown = orjson.dumps([run.api, run.waterfall]).decode()
    assert [each for each in SECRETS if each in shown] == []


@pytest.mark.parametrize("process", ["web", "worker"])
def test_no_secret_is_in_any_line_logged(run: Run, process: str) -> None:
    lines = run.logs[("web", "worker").index(process)].read_text()
    assert len(lines.splitlines()) > 5
    assert [each for each in SECRETS if each in lines] == []
    if process == "worker":
        assert "chain tries with" in lines
        assert "no luck with" in lines
