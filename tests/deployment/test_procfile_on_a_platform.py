"""The Procfile's four process types as Heroku starts and stops them.

FOREWARM_LONG=1 lets the scheduler's minute pass under load before it counts connections.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from script.embedded import Postgres
from tests.deployment.dynos import STOP_SECONDS
from tests.deployment.heroku import API_KEY, HOST, LIMIT, Deployment, Load, deployed
from tests.standin.process import StandIn
from tests.workers.processes import wait_for

LONG = bool(os.environ.get("FOREWARM_LONG"))


@pytest.fixture(scope="module")
def deployment(
    standin: StandIn,
    postgres: Postgres,
    store_directory: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Deployment]:
    """Stopped by the last tests but one."""
    room = tmp_path_factory.mktemp("platform")
    with deployed(standin, postgres, store_directory, room) as running:
        yield running
    standin.reset()


def test_the_release_makes_the_tables(deployment: Deployment) -> None:
    assert "0001_" in deployment.release.output


def test_the_mirror_answers_under_its_public_name(deployment: Deployment) -> None:
    answers = [deployment.ask("/api/v3/orgs/pallets/repos", key=API_KEY) for _ in range(2)]
    assert [each.headers["X-Cache"] for each in answers] == ["MISS", "HIT"]
    assert answers[1].links["next"]["url"].startswith(f"https://{HOST}/api/v3/")


def test_all_it_needs_is_reached(deployment: Deployment) -> None:
    now = {"Cache-Control": "max-age=0"}  # or what is warm would be known without GitHub
    assert deployment.ask("/api/v3/repos/psf/requests", key=API_KEY, headers=now).ok
    all_up = {"redis": "up", "postgres": "up", "github": "up", "mode": "full"}
    # What a look found is told for half a second.
    wait_for(lambda: deployment.ask("/readyz").json() == all_up, "readiness")


def test_the_dashboard_opens_with_its_password_alone(deployment: Deployment) -> None:
    password = deployment.config["ADMIN_PASSWORD"]
    asked = [deployment.ask("/"), deployment.ask("/", auth=("admin", password))]
    assert [each.status_code for each in asked] == [401, 200]


def test_a_webhook_becomes_a_job_that_the_worker_does(deployment: Deployment) -> None:
    assert deployment.push("pallets/flask").status_code == 202
    done = "look 1: repo:pallets/flask"
    wait_for(lambda: done in deployment.log_of("worker"), "second look", 10)


def test_twenty_connections_are_enough_for_every_process_under_load(
    deployment: Deployment,
) -> None:
    with Load(deployment) as load:
        warmed = deployment.ask(
            "/api/warming", "POST", json={}, key=deployment.config["ADMIN_PASSWORD"]
        )
        threading.Event().wait(75 if LONG else 2)
    with redis.Redis.from_url(deployment.valkey.url) as client:
        refused = client.info("stats")["rejected_connections"]
    print(
        f"\n{len(load.statuses)} requests; connections at the busiest moment: "
        f"Redis {deployment.redis.most}, PostgreSQL {deployment.postgres.most}"
    )
    assert warmed.status_code == 202
    # A slow machine may keep one waiting too long for what another fetches.
    assert set(load.statuses) <= {200, 503}
    assert refused == 0
    assert deployment.redis.most <= LIMIT
    assert deployment.postgres.most <= LIMIT


def test_sigterm_ends_every_process_in_time_and_no_accepted_webhook_is_lost(
    deployment: Deployment, standin: StandIn
) -> None:
    """Under load, with a slow GitHub; nothing runs after it."""
    standin.latency(1_000)
    with Load(deployment) as load:
        wait_for(lambda: len(load.accepted) >= 3, "accepted webhook")
        deployment.dynos.stop()
    took = {each.name: each.took for each in deployment.started}
    print("\nseconds from SIGTERM to the end:", {name: round(s, 2) for name, s in took.items()})
    assert max(took.values()) < STOP_SECONDS
    codes = {each.name: each.popen.returncode for each in deployment.started}
    assert codes == {"web": 0, "worker": 0, "scheduler": 0}
    with psycopg.connect(deployment.database_url) as conn:
        journal = conn.execute(
            "SELECT delivery FROM webhook_deliveries "
            "WHERE next_look_at IS NOT NULL OR looks_done >= 2"
        ).fetchall()
    assert set(load.accepted) <= {delivery for (delivery,) in journal}


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
