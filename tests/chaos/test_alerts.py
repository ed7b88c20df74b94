"""End to end: GitHub's budget drained, GitHub slow, the worker stopped. The right alerts fire, and
are over once all is well, told once each though two web processes and a worker evaluate.

Real processes, a real receiver, signed messages. The short form has short times, by ALERT_RULES;
FOREWARM_LONG=1 has the rules as they are, with a scheduler, and takes a quarter of an hour.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis
import requests

from tests.serving import API_KEY, Server, serve
from tests.standin.process import StandIn
from tests.webapp.telemetry.alerts.receiver import AlertReceiver
from tests.workers.processes import SCHEDULER, WORKER, running, wait_for
from webapp.queues import WORKERS

LONG = bool(os.environ.get("FOREWARM_LONG"))
SHORT_RULES = """
[timing]
every = 1
group_wait = 0
group_interval = 1
[github_budget]
keep_firing_for = 0
[latency_p95]
warn = false
critical = 0.2
window = 10
for = 0
keep_firing_for = 0
minimum_samples = 20
[worker_heartbeat]
critical = 2
for = 2
keep_firing_for = 0
[scheduler_heartbeat]
enabled = false
"""
SLOW_MS = 4_000 if LONG else 300
PATIENCE = 1_200.0 if LONG else 60.0
SECRET = "signs alerts"
ACCOUNT = "forewarm-bot"
EXPECTED = {"github_budget", "latency_p95", "worker_heartbeat"}
ALSO = {"github_forecast"}
"""At the rate at which it was drained the next hour's wouldn't last either."""


class Traffic(threading.Thread):
    """Hits, and while `cold` every third is a path that GitHub is asked for."""

    def __init__(self, server: Server) -> None:
        super().__init__(name="traffic")
        self._server = server
        self._ended = threading.Event()
        self.cold = True

    def run(self) -> None:
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {API_KEY}"
            number = 0
            while not self._ended.wait(0.02 if LONG else 0.001):
                number += 1
                path = "/repos/pallets/flask"
                if self.cold and number % 3 == 0:
                    path += f"/commits?per_page=1&page={number}"
                session.get(self._server.api + path, timeout=15)

    def __enter__(self) -> Traffic:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()


@pytest.fixture
def receiver() -> Iterator[AlertReceiver]:
    with AlertReceiver() as running:
        yield running


def told(receiver: AlertReceiver, status: str) -> list[tuple[str, str, str]]:
    """Rule, severity and subject, in each message that says so."""
    return [
        (
            each["labels"]["alertname"],
            each["labels"]["severity"],
            each["labels"].get("subject", ""),
        )
        for post in list(receiver.posts)
        for each in post.json["alerts"]
        if each["status"] == status
    ]


def rules(alerts: list[tuple[str, str, str]]) -> set[str]:
    return {rule for rule, _, _ in alerts}


def test_the_right_alerts_fire_and_are_over(
    environ: dict[str, str], github: StandIn, receiver: AlertReceiver, tmp_path: Path
) -> None:
    settings = {**environ, "ALERT_WEBHOOK_URL": receiver.url, "ALERT_WEBHOOK_SECRET": SECRET}
    if not LONG:
        (tmp_path / "rules.toml").write_text(SHORT_RULES)
        settings["ALERT_RULES"] = str(tmp_path / "rules.toml")
    redis_url = settings.pop("REDIS_URL")
    broker = redis.Redis.from_url(redis_url.removesuffix("/0") + "/1")
    worker = running(WORKER, redis_url, tmp_path / "worker.log", **settings)
    with ExitStack() as stack:
        stack.enter_context(broker)
        first = stack.enter_context(worker)
        if LONG:
            log = tmp_path / "scheduler.log"
            stack.enter_context(running(SCHEDULER, redis_url, log, **settings))
        settings["REDIS_URL"] = redis_url
        server = stack.enter_context(serve(settings, tmp_path / "web.log", workers=2))
        wait_for(lambda: broker.hlen(WORKERS), "worker")
        github.use(ACCOUNT, 4_800)
        github.latency(SLOW_MS)
        traffic = stack.enter_context(Traffic(server))
        first.kill()
        wait_for(lambda: rules(told(receiver, "firing")) >= EXPECTED, "alerts", PATIENCE)

        github.advance(3_700)  # GitHub's next hour
        github.latency(0)
        wait_for(lambda: cold_read(server), "answer in the next hour")
        traffic.cold = False
        settings.pop("REDIS_URL")
        stack.enter_context(running(WORKER, redis_url, tmp_path / "again.log", **settings))
        wait_for(lambda: rules(told(receiver, "resolved")) >= EXPECTED, "their end", PATIENCE)
        now = requests.get(
            f"{server.url}/api/alerts", headers={"Authorization": f"Bearer {API_KEY}"}, timeout=5
        ).json()

    fired, over = told(receiver, "firing"), told(receiver, "resolved")
    assert rules(fired) - ALSO == EXPECTED
    ended = [each for each in over if each[0] in EXPECTED]
    assert sorted(ended) == sorted({each for each in fired if each[0] in EXPECTED})  # each once
    assert {each["rule"] for each in now["firing"]} & EXPECTED == set()
    for post in receiver.posts:
        signature = hmac.new(SECRET.encode(), post.body, hashlib.sha256).hexdigest()
        assert post.headers["x-forewarm-signature-256"] == f"sha256={signature}"
    deliveries = [post.headers["x-forewarm-delivery"] for post in receiver.posts]
    assert len(set(deliveries)) == len(deliveries)


def cold_read(server: Server) -> bool:
    """Its answer tells the ledger of the new hour."""
    url = f"{server.api}/repos/pallets/flask/branches?per_page=2"
    return requests.get(url, headers={"Authorization": f"Bearer {API_KEY}"}, timeout=15).ok
