"""Two machines that share nothing but Redis and PostgreSQL are one Forewarm."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack

import pytest
import redis
import requests

from script.embedded import Postgres, Valkey
from tests.chaos.history import NEAR, NOISE
from tests.load.callers import all_at_once, outcomes
from tests.scaling.host import SHIPPED, Host, running
from tests.serving import ADMIN_PASSWORD, API_KEY, SECRET_KEY
from tests.standin.apps import APP_ID
from tests.standin.process import StandIn
from tests.stores import migrated_database
from tests.webapp.github.app.installed import minted, private_pem, public_pem
from tests.workers.processes import wait_for
from tests.workers.test_many import expected
from workers.upkeep import TICK

OWNER, LATENCY_MS, CALLERS = "initech", 150, 60
KEY = {"Authorization": f"Bearer {API_KEY}"}


@pytest.fixture(scope="module")
def hosts(
    valkey: Valkey, postgres: Postgres, standin: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Host]]:
    """Two, each with web, worker and scheduler; GitHub is asked as an App."""
    valkey.resume()
    valkey.start()
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    standin.reset()
    standin.app(public_pem())
    standin.install(OWNER)
    with ExitStack() as stack:
        url = stack.enter_context(migrated_database(postgres, "hosts"))
        settings = {
            "HOST": "127.0.0.1",
            "REDIS_URL": valkey.url,
            "DATABASE_URL": url,
            "GITHUB_API_URL": standin.url,
            "GITHUB_APP_ID": str(APP_ID),
            "GITHUB_APP_PRIVATE_KEY": private_pem(),
            "API_KEYS": f"tests:{API_KEY}",
            "ADMIN_PASSWORD": ADMIN_PASSWORD,
            "SECRET_KEY": SECRET_KEY,
            "PUBLIC_URL": "http://127.0.0.1:8000",
            "WATCH": OWNER,
            "HIT_SAMPLE": "0",
        }
        # Ticks of one minute: the next would be owed more.
        wait_for(lambda: time.time() % 60 < 40, "a minute with time in it", 21)
        directories = [tmp_path_factory.mktemp(f"host-{n}") for n in (1, 2)]
        found = [stack.enter_context(running(each, settings)) for each in directories]
        for each in found:
            each.web.wait_ready()
        yield found
        assert "Traceback" not in "".join(each.output() for each in found)


@pytest.fixture(scope="module")
def store(valkey: Valkey) -> Iterator[redis.Redis]:
    """What lies in the queues' database."""
    url = valkey.url.removesuffix("/0") + "/1"
    with redis.Redis.from_url(url, decode_responses=True) as client:
        yield client


@pytest.fixture(scope="module", autouse=True)
def first_tick(hosts: list[Host], store: redis.Redis) -> int:
    """The minute in which they began."""
    del hosts
    wait_for(lambda: store.get(TICK), "first tick", 30)
    return int(str(store.get(TICK)))


def counted(host: Host, wanted: Mapping[str, int]) -> dict[str, int]:
    """What /metrics of a host says of these samples, once all are at least as high as wanted."""
    ends = time.monotonic() + 30
    while True:
        answer = requests.get(f"{host.web.url}/metrics", headers=KEY, timeout=10)
        assert answer.ok, answer.text
        found = {each: total(answer.text, each) for each in wanted}
        if all(found[each] >= wanted[each] for each in wanted) or time.monotonic() > ends:
            return found
        time.sleep(0.5)  # it is limited


def total(text: str, pattern: str) -> int:
    """The sum of all samples that match."""
    return sum(int(float(each)) for each in re.findall(rf"^{pattern} (\S+)$", text, re.MULTILINE))


def test_one_cold_key_costs_one_call_over_all(hosts: list[Host], standin: StandIn) -> None:
    path = f"/repos/{OWNER}/website/languages"
    standin.latency(LATENCY_MS)
    urls = [f"{each.web.api}{path}" for each in hosts] * (CALLERS // 2)
    answers = all_at_once(urls, f"Authorization: Bearer {API_KEY}\r\n")
    standin.latency(0)
    print(f"\n{CALLERS} callers of two hosts: {dict(outcomes(answers))}")
    assert {each.status for each in answers} == {200}
    assert len({each.body for each in answers}) == 1
    assert standin.count(path) == 1


def test_a_purge_on_one_ends_what_the_other_holds_near(hosts: list[Host], standin: StandIn) -> None:
    one, two = (each.web for each in hosts)
    path, lags = f"/repos/{OWNER}/website", []
    with requests.Session() as session:
        session.headers.update(KEY)

        def shown() -> tuple[str, str]:
            answer = session.get(two.api + path, timeout=10)
            return answer.json()["description"], answer.headers["Cache-Status"]

        for number in range(6):
            wait_for(lambda: "detail=near" in shown()[1], "hit from near", 5)
            standin.change_repo(f"{OWNER}/website", description=f"v{number}", webhook=False)
            order = {"paths": [path], "hard": number % 2 == 0}
            auth = ("admin", ADMIN_PASSWORD)
            answer = requests.post(f"{one.url}/api/purge", json=order, auth=auth, timeout=10)
            assert answer.status_code == 200
            at = time.monotonic()
            last = 0.0
            while (began := time.monotonic()) - at < 5 and shown()[0] != f"v{number}":
                last = began - at
            lags.append(last)
    print(f"\nold on the other host: worst {max(lags) * 1000:.1f} ms of {len(lags)}")
    assert sorted(lags)[len(lags) // 2] <= 0.1
    assert max(lags) <= NEAR + NOISE


def test_what_each_host_served_adds_up_on_both(hosts: list[Host]) -> None:
    path, requested = f"/orgs/{OWNER}", (7, 12)
    answers = r'forewarm_requests_total\{outcome="\w+",resource="org"\}'
    for each, times in zip(hosts, requested, strict=True):
        for _ in range(times):
            assert requests.get(each.web.api + path, headers=KEY, timeout=10).ok
    for each in hosts:
        assert counted(each, {answers: sum(requested)}) == {answers: sum(requested)}


def test_two_schedulers_and_two_workers_do_a_minutes_jobs_once(
    hosts: list[Host], store: redis.Redis, first_tick: int
) -> None:
    last = int(str(store.get(TICK)))
    wanted = {
        rf'forewarm_jobs_total\{{actor="{actor}",queue="\w+",result="done"\}}': times
        for actor, times in expected(first_tick - 1, last).items()
    }
    assert counted(hosts[1], wanted) == wanted


def test_the_apps_token_was_minted_once_for_all_processes(
    hosts: list[Host], standin: StandIn
) -> None:
    for each in hosts:
        path = f"/repos/{OWNER}/payroll"
        assert requests.get(each.web.api + path, headers=KEY, timeout=10).ok
    workers = [seen for seen in standin.requests(f"/orgs/{OWNER}") if seen.token != "anonymous"]
    assert workers
    assert minted(standin) == 1


def test_a_host_keeps_nothing_on_its_disk(hosts: list[Host]) -> None:
    for each in hosts:
        kept = [*(each.directory / "home").rglob("*"), *(each.directory / "tmp").rglob("*")]
        code = {path.name for path in (each.directory / "app").iterdir()}
        assert kept == []
        assert code - {"__pycache__"} == {*SHIPPED, "wsgi.py"}
