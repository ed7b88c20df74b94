"""The next release runs while this one still does, on the same stores: with another entry schema,
with a migration that adds a column to every table, and with a job that this one doesn't know.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
import redis
import requests

from script.embedded import Postgres, Valkey
from tests.chaos.history import NEAR, NOISE
from tests.scaling.host import Host, release, running
from tests.serving import ADMIN_PASSWORD, API_KEY, SECRET_KEY
from tests.standin.accounts import SERVICE_TOKEN
from tests.standin.process import StandIn
from tests.stores import migrated_database
from tests.workers.processes import wait_for
from webapp.jobs import Jobs
from webapp.secret import Secret

DETAIL, LIST, PART = "/repos/pallets/flask", "/orgs/pallets/repos", "/repos/pallets/click/topics"
PAGES = ("/", "/requests", "/cache", "/jobs", "/webhooks", "/database", "/repos", "/traces")
KEY = {"Authorization": f"Bearer {API_KEY}"}
ADMIN = ("admin", ADMIN_PASSWORD)
SCHEMA, NEXT_SCHEMA = "SCHEMA = 1\n", "SCHEMA = 2\n"
MIGRATION = """
do $$
declare
    each regclass;
begin
    for each in
        select c.oid from pg_class c
        where c.relkind in ('r', 'p') and not c.relispartition
            and c.relnamespace = current_schema()::regnamespace
            and c.relname <> 'schema_migrations'
    loop
        execute format('alter table %s add column of_the_next_release integer default 1', each);
    end loop;
end
$$;
"""
ACTOR = """

def _of_the_next_release(broker: JobBroker) -> None:
    @dramatiq.actor(queue_name=QUEUE, broker=broker)
    def of_the_next_release() -> None:
        broker.client.set("done:of_the_next_release", 1)
"""
UNKNOWN_AGAIN, UNKNOWN_SOON = "UNKNOWN_AGAIN_MS = 10_000\n", "UNKNOWN_AGAIN_MS = 500\n"
PREPARED = 6  # times that psycopg sees a statement until the server keeps its plan


def next_release(code: Path) -> None:
    """What differs."""
    changed(code / "webapp/cache/keys.py", SCHEMA, NEXT_SCHEMA)
    migrations = code / "webapp/db/migrations"
    number = len(list(migrations.glob("*.sql"))) + 1
    (migrations / f"{number:04}_columns_everywhere.sql").write_text(MIGRATION)
    upkeep = code / "workers/upkeep.py"
    register = "def register(broker: JobBroker) -> None:\n"
    document = '    """Declare this module\'s actors on a broker."""\n'
    changed(upkeep, register + document, f"{register}{document}    _of_the_next_release(broker)\n")
    upkeep.write_text(upkeep.read_text() + ACTOR)


def changed(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, path
    path.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def settings(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[dict[str, str]]:
    valkey.resume()
    valkey.start()
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    standin.reset()
    with migrated_database(postgres, "two_releases") as url:
        yield {
            "HOST": "127.0.0.1",
            "REDIS_URL": valkey.url,
            "DATABASE_URL": url,
            "GITHUB_API_URL": standin.url,
            "GITHUB_TOKEN": SERVICE_TOKEN,
            "API_KEYS": f"tests:{API_KEY}",
            "ADMIN_PASSWORD": ADMIN_PASSWORD,
            "SECRET_KEY": SECRET_KEY,
            "PUBLIC_URL": "http://127.0.0.1:8000",
            "WATCH": "pallets",
            "HIT_SAMPLE": "0",
            "DATABASE_POOL": "1",  # whose plans are kept
        }


@pytest.fixture(scope="module")
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def old(
    settings: dict[str, str], stack: ExitStack, tmp_path_factory: pytest.TempPathFactory
) -> Host:
    """This release, with worker and scheduler, and everything asked for often."""
    directory = tmp_path_factory.mktemp("old")
    code = release(directory / "app")
    changed(code / "workers/again.py", UNKNOWN_AGAIN, UNKNOWN_SOON)
    found = stack.enter_context(running(directory, settings, code=code))
    found.web.wait_ready()
    for _ in range(PREPARED):
        assert everything(found) == {200}
    return found


@pytest.fixture(scope="module")
def new(
    old: Host,
    settings: dict[str, str],
    stack: ExitStack,
    standin: StandIn,
    tmp_path_factory: pytest.TempPathFactory,
) -> Host:
    """The next release on the same stores; its release phase runs while the old one is in use."""
    directory = tmp_path_factory.mktemp("new")
    code = release(directory / "app")
    next_release(code)
    statuses: set[int] = set()
    stop = threading.Event()

    def use() -> None:
        while not stop.is_set():
            statuses.update(everything(old))

    using = threading.Thread(target=use)
    using.start()
    upgraded = flask(code, settings, "db", "upgrade")
    time.sleep(0.3)
    stop.set()
    using.join()
    assert "columns_everywhere" in upgraded
    assert statuses == {200}
    found = stack.enter_context(running(directory, settings, background=False, code=code))
    found.web.wait_ready()
    standin.forget()
    return found


def flask(code: Path, settings: dict[str, str], *arguments: str) -> str:
    """Run a command of a release; what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *arguments],
        cwd=code,
        env={"PATH": os.environ["PATH"], **settings},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def everything(host: Host) -> set[int]:
    """Statuses of all kinds of requests, writes to the database among them."""
    with requests.Session() as session:
        session.auth = ADMIN
        url, found = host.web.url, set()
        for page in PAGES:
            found.add(session.get(url + page, timeout=15).status_code)
        for path in ("/api/repos?q=flask", "/api/overview", "/api/watches", "/metrics"):
            found.add(session.get(url + path, timeout=15).status_code)
        order = {"tags": ["repo:pallets/click"], "hard": True}
        found.add(session.post(f"{url}/api/purge", json=order, timeout=15).status_code)
        for path in (PART, DETAIL, LIST):
            found.add(read(host, path).status_code)
    return found


def read(host: Host, path: str) -> requests.Response:
    return requests.get(host.web.api + path, headers=KEY, timeout=15)


def test_the_old_release_runs_on_the_next_ones_tables(old: Host, new: Host) -> None:
    del new
    assert everything(old) == {200}
    assert requests.get(f"{old.web.url}/readyz", timeout=10).json()["mode"] == "full"


def test_each_release_has_entries_of_its_own_and_the_next_ones_cost_no_point(
    old: Host, new: Host, standin: StandIn
) -> None:
    assert read(old, DETAIL).headers["X-Cache"] == "HIT"
    standin.forget()
    said = [read(each, DETAIL) for each in (new, old, new, old)]
    assert [each.headers["X-Cache"] for each in said] == ["REVALIDATED", "HIT", "HIT", "HIT"]
    assert len({each.content for each in said}) == 1
    assert standin.points() == 0


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("by", ["old", "new"])
def test_a_purge_by_either_ends_what_both_hold(
    by: str, hard: bool, old: Host, new: Host, standin: StandIn
) -> None:
    for each in (old, new, old, new):
        assert read(each, DETAIL).ok
    standin.change_repo("pallets/flask", description=f"by {by}, {hard}", webhook=False)
    order = {"paths": [DETAIL], "hard": hard}
    purging = {"old": old, "new": new}[by].web.url
    assert requests.post(f"{purging}/api/purge", json=order, auth=ADMIN, timeout=10).ok
    for each in (old, new):
        wait_for(
            lambda one=each: read(one, DETAIL).json()["description"] == f"by {by}, {hard}",  # type: ignore[misc]
            f"end of the old answer at {each.web.url}",
            NEAR + NOISE,
        )


def test_a_job_of_the_next_release_waits_for_a_worker_that_knows_it(
    old: Host, new: Host, settings: dict[str, str]
) -> None:
    broker = Secret(settings["REDIS_URL"].removesuffix("/0") + "/1")
    jobs = Jobs(broker)
    jobs.enqueue("of_the_next_release", "upkeep")
    worker = old.background["worker"]
    refused = re.compile("of_the_next_release .*: put_off, attempt 1")
    wait_for(lambda: refused.search(worker.output()), "the old worker's refusal", 10)
    assert worker.process.terminate() == 0
    new.start_background("worker")
    with redis.Redis.from_url(broker.reveal()) as store:
        wait_for(lambda: store.get("done:of_the_next_release"), "the job, done", 30)
    jobs.close()


def test_neither_release_has_failed_anywhere(
    old: Host, new: Host, settings: dict[str, str]
) -> None:
    for each in (old, new):
        assert "Traceback" not in each.output()
        assert "cached plan" not in each.output()
    with psycopg.connect(settings["DATABASE_URL"]) as conn:
        rows = conn.execute("select of_the_next_release from purges limit 1").fetchall()
    assert rows == [(1,)]
