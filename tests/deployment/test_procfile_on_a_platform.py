"""The Procfile's four process types as Heroku starts and stops them, on stores of its kind.

TLS with a certificate nobody signed, twenty connections each, `postgres://`, one REDIS_URL for all.

FOREWARM_LONG=1 lets the scheduler's minute pass under load before it counts connections.
"""

from __future__ import annotations

import os
import shutil
import threading
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import psycopg
import pytest
import redis
import requests

from script.embedded import Postgres, Valkey
from script.ports import free_port
from tests.deployment.dynos import STOP_SECONDS, Dyno, Dynos, config_vars, slug
from tests.deployment.tls import TlsFront, postgresql_first, redis_first, self_signed
from tests.standin.accounts import SERVICE_TOKEN
from tests.standin.process import StandIn
from tests.standin.webhooks import signature
from tests.stores import database
from tests.workers.processes import wait_for

LONG = bool(os.environ.get("FOREWARM_LONG"))
HOST = "forewarm.example.com"
API_KEY = "fwk_a-key-of-the-deployment"
LIMIT = 20
"""Connections that the smallest plans of Redis and of PostgreSQL allow."""
CALLERS = 12
NAMES = ("flask", "click", "jinja", "werkzeug", "quart", "markupsafe", "itsdangerous")
PATHS = [
    f"/api/v3/repos/pallets/{name}{part}"
    for name in NAMES
    for part in ("", "/languages", "/topics", "/releases", "/tags", "/contributors")
]
PAGES = ("/", "/requests", "/cache", "/jobs", "/database", "/repos", "/api/github", "/metrics")


@dataclass
class Deployment:
    """A running app, reached as its platform's router reaches it."""

    dynos: Dynos
    config: dict[str, str]
    slug: Path
    valkey: Valkey
    redis: TlsFront
    postgres: TlsFront
    release: Dyno
    url: str
    started: list[Dyno] = field(default_factory=list)

    def ask(self, path: str, method: str = "GET", **options: object) -> requests.Response:
        """Any request, as the router passes it on; without Authorization unless `key` is said."""
        headers: dict[str, str] = {
            "Host": HOST,
            "X-Forwarded-For": "203.0.113.9",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Port": "443",
            "Via": "1.1 vegur",
        }
        if key := options.pop("key", None):
            headers["Authorization"] = f"Bearer {key}"
        headers.update(options.pop("headers", {}))  # type: ignore[call-overload]
        return requests.request(
            method, f"{self.url}{path}", headers=headers, timeout=15,
            allow_redirects=False, **options,  # type: ignore[arg-type]
        )  # fmt: skip

    def deliver(self, event: str, payload: object) -> requests.Response:
        """A webhook as GitHub signs it."""
        body = orjson.dumps(payload)
        signed = signature(self.config["GITHUB_WEBHOOK_SECRET"], body)
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-Hub-Signature-256": signed,
        }
        return self.ask("/webhooks/github", "POST", data=body, headers=headers)

    def log_of(self, name: str) -> str:
        return next(each.output for each in self.started if each.name == name)


@pytest.fixture(scope="module")
def deployment(
    standin: StandIn,
    postgres: Postgres,
    store_directory: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployment]:
    """Released and started; stopped after the module's last test."""
    standin.reset()
    room = tmp_path_factory.mktemp("platform")
    pem = self_signed(room)
    with ExitStack() as stack:
        valkey = Valkey(store_directory / "platform-valkey", maxmemory="25mb")
        valkey.start()
        stack.callback(valkey.stop)
        with redis.Redis.from_url(valkey.url) as client:
            client.config_set("maxclients", LIMIT)
        url = stack.enter_context(database(postgres, "platform"))
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(f"ALTER DATABASE platform CONNECTION LIMIT {LIMIT}".encode())
        redis_tls = stack.enter_context(TlsFront(valkey.port, redis_first, pem))
        postgres_tls = stack.enter_context(TlsFront(postgres.port, postgresql_first, pem))
        config = config_vars(
            PUBLIC_URL=f"https://{HOST}",
            GITHUB_TOKEN=SERVICE_TOKEN,
            API_KEYS=f"tests:{API_KEY}",
            WATCH="pallets",
            REDIS_URL=f"rediss://:{valkey.password}@127.0.0.1:{redis_tls.port}",
            DATABASE_URL=url.replace("postgresql://", "postgres://").replace(
                f":{postgres.port}/", f":{postgres_tls.port}/"
            ),
            GITHUB_API_URL=standin.url,
            LOG_FORMAT="json",
        )
        place = slug(room / "app")
        stack.callback(shutil.rmtree, place, ignore_errors=True)
        dynos = Dynos(place, config, room)
        stack.callback(dynos.stop)
        release = dynos.run("release")
        port = free_port()
        deployed = Deployment(
            dynos,
            config,
            place,
            valkey,
            redis_tls,
            postgres_tls,
            release,
            f"http://127.0.0.1:{port}",
        )
        deployed.started = [
            dynos.start("web", PORT=str(port)), dynos.start("worker"), dynos.start("scheduler")
        ]  # fmt: skip
        wait_for(lambda: _ready(deployed), "answer of the web process", 30)
        yield deployed


def _ready(deployed: Deployment) -> bool:
    for dyno in deployed.started:
        assert dyno.popen.poll() is None, dyno.output
    try:
        return deployed.ask("/readyz").ok
    except requests.ConnectionError:
        return False


def test_the_release_makes_the_tables(deployment: Deployment) -> None:
    assert "0001_" in deployment.release.output


def test_the_mirror_answers_under_its_public_name(deployment: Deployment) -> None:
    answers = [deployment.ask("/api/v3/orgs/pallets/repos", key=API_KEY) for _ in range(2)]
    assert [each.headers["X-Cache"] for each in answers] == ["MISS", "HIT"]
    assert answers[1].links["next"]["url"].startswith(f"https://{HOST}/api/v3/")


def test_all_it_needs_is_reached(deployment: Deployment) -> None:
    deployment.ask("/api/v3/orgs/pallets", key=API_KEY)
    assert deployment.ask("/readyz").json() == {
        "redis": "up", "postgres": "up", "github": "up", "mode": "full",
    }  # fmt: skip


def test_the_dashboard_opens_with_its_password_alone(deployment: Deployment) -> None:
    password = deployment.config["ADMIN_PASSWORD"]
    asked = [deployment.ask("/"), deployment.ask("/", auth=("admin", password))]
    assert [each.status_code for each in asked] == [401, 200]


def test_a_webhook_becomes_a_job_that_the_worker_does(deployment: Deployment) -> None:
    repository = {"full_name": "pallets/flask", "owner": {"login": "pallets"}}
    assert deployment.deliver("push", {"repository": repository}).status_code == 202
    done = "look 1: repo:pallets/flask"
    wait_for(lambda: done in deployment.log_of("worker"), "second look", 10)


def test_twenty_connections_are_enough_for_every_process_under_load(
    deployment: Deployment,
) -> None:
    stop = threading.Event()
    statuses: list[int] = []

    def call(turn: int) -> None:
        password = deployment.config["ADMIN_PASSWORD"]
        while not stop.is_set():
            turn += 1
            statuses.append(
                deployment.ask(PATHS[turn % len(PATHS)], key=API_KEY).status_code
                if turn % 5
                else deployment.ask(PAGES[turn // 5 % len(PAGES)], key=password).status_code
            )

    callers = [threading.Thread(target=call, args=(turn * 7,)) for turn in range(CALLERS)]
    for each in callers:
        each.start()
    try:
        for number in range(20):
            repository = {
                "full_name": f"pallets/{NAMES[number % 7]}",
                "owner": {"login": "pallets"},
            }
            assert deployment.deliver("push", {"repository": repository}).status_code == 202
        warmed = deployment.ask(
            "/api/warming", "POST", json={}, key=deployment.config["ADMIN_PASSWORD"]
        )
        assert warmed.status_code == 202, warmed.text
        stop.wait(75 if LONG else 3)
    finally:
        stop.set()
        for each in callers:
            each.join()
    with redis.Redis.from_url(deployment.valkey.url) as client:
        refused = client.info("stats")["rejected_connections"]
    print(
        f"\n{len(statuses)} requests; connections at the busiest moment: "
        f"Redis {deployment.redis.most}, PostgreSQL {deployment.postgres.most}"
    )
    assert set(statuses) == {200}
    assert refused == 0
    assert deployment.redis.most <= LIMIT
    assert deployment.postgres.most <= LIMIT


def test_sigterm_ends_every_process_within_heroku_s_thirty_seconds(deployment: Deployment) -> None:
    """The last but one, for nothing runs after it; what it was doing goes on till it is stopped."""
    deployment.deliver("push", {"repository": {"full_name": "a/b", "owner": {"login": "a"}}})
    deployment.dynos.stop()
    took = {each.name: each.took for each in deployment.started}
    print("\nseconds from SIGTERM to the end:", {name: round(s, 2) for name, s in took.items()})
    assert max(took.values()) < STOP_SECONDS
    codes = {each.name: each.popen.returncode for each in deployment.started}
    assert codes == {"web": 0, "worker": 0, "scheduler": 0}


def test_nothing_is_left_on_the_disk(deployment: Deployment) -> None:
    """After the others; byte code isn't data."""
    kept = {
        str(each.relative_to(deployment.slug))
        for each in deployment.slug.rglob("*")
        if "__pycache__" not in each.parts
    }
    assert "var" not in kept
    assert kept == {
        str(each.relative_to(deployment.slug))
        for each in deployment.slug.rglob("*")
        if "__pycache__" not in each.parts and each.stat().st_mode & 0o222 == 0
    }


def test_every_line_is_json_and_shows_no_secret(deployment: Deployment) -> None:
    outputs = {each.name: each.output for each in deployment.started}
    secrets = [
        deployment.config[name]
        for name in ("SECRET_KEY", "ADMIN_PASSWORD", "GITHUB_WEBHOOK_SECRET", "GITHUB_TOKEN")
    ]
    secrets += [API_KEY, deployment.valkey.password]
    assert [name for name, said in outputs.items() for each in secrets if each in said] == []
    plain = [
        line
        for said in outputs.values()
        for line in said.splitlines()
        if not line.startswith("{") and "Starting Periodiq" not in line  # before it is told how
    ]
    assert plain == []
