"""A Redis that restarts may have forgotten purges, and must not serve what they ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import redis

from script.embedded import Postgres, Valkey
from tests.chaos.disk import keep, kill_and_forget
from tests.serving import Forewarm, ForewarmFactory
from tests.standin.process import StandIn
from webapp.purging import LOCK_KEY, RUN_KEY

REPO = "psf/requests"
DETAIL, TAG = f"/repos/{REPO}", f"repo:{REPO}"


def wait_for(condition: Callable[[], object], what: str, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"no {what} within {seconds} s"
        time.sleep(0.01)


def seen(forewarm: Forewarm) -> tuple[str, str]:
    """X-Cache, and the version that the answer shows."""
    answer = forewarm.get(DETAIL)
    assert answer.status_code == 200, answer.data
    return answer.headers["X-Cache"], answer.get_json()["description"]


def trusted(forewarm: Forewarm) -> None:
    """Redis is back for this process."""
    wait_for(lambda: not forewarm.services.redis.breaker.open, "return of Redis")


@pytest.fixture
def version(github: StandIn) -> Callable[[str], None]:
    """Makes GitHub show a version."""

    def change(number: str) -> None:
        github.change_repo(REPO, description=number, webhook=False)

    change("1")
    return change


@pytest.mark.parametrize("hard", [False, True])
def test_a_purge_that_redis_forgot_is_not_undone_by_its_restart(
    forewarm: Forewarm,
    version: Callable[[str], None],
    valkey: Valkey,
    tmp_path: Path,
    hard: bool,
) -> None:
    seen(forewarm)
    assert seen(forewarm) == ("HIT", "1")
    keep(valkey, tmp_path / "kept")
    version("2")
    forewarm.services.purger.purge([TAG], hard=hard, cause="operator")
    kill_and_forget(valkey, tmp_path / "kept")
    answers = [seen(forewarm)]
    trusted(forewarm)
    answers += [seen(forewarm) for _ in range(3)]
    assert {shown for _, shown in answers} == {"2"}
    assert answers[-1] == ("HIT", "2")


def test_what_was_purged_hard_is_not_even_grace_after_a_forgetful_restart(
    forewarm: Forewarm,
    version: Callable[[str], None],
    valkey: Valkey,
    github: StandIn,
    tmp_path: Path,
) -> None:
    seen(forewarm)
    keep(valkey, tmp_path / "kept")
    forewarm.services.purger.purge([TAG], hard=True, cause="operator")
    kill_and_forget(valkey, tmp_path / "kept")
    github.fault("status", path=DETAIL, status=503)
    statuses = [forewarm.get(DETAIL).status_code]
    trusted(forewarm)
    statuses += [forewarm.get(DETAIL).status_code for _ in range(3)]
    assert statuses == [502] * 4


def test_without_postgresql_nobody_knows_what_must_stay_dead_so_everything_does(
    start_forewarm: ForewarmFactory,
    version: Callable[[str], None],
    valkey: Valkey,
    postgres: Postgres,
    github: StandIn,
    tmp_path: Path,
) -> None:
    forewarm = start_forewarm()
    seen(forewarm)
    keep(valkey, tmp_path / "kept")
    forewarm.services.purger.purge([TAG], hard=True, cause="operator")
    postgres.pause()
    kill_and_forget(valkey, tmp_path / "kept")
    github.fault("status", path=DETAIL, status=503)
    answers = [forewarm.get(DETAIL)]
    trusted(forewarm)
    answers += [forewarm.get(DETAIL) for _ in range(3)]
    postgres.resume()
    assert {each.status_code for each in answers} == {502}


def test_a_purge_while_redis_hangs_is_replayed_before_it_is_trusted_again(
    forewarm: Forewarm,
    version: Callable[[str], None],
    valkey: Valkey,
    environ: dict[str, str],
) -> None:
    seen(forewarm)
    valkey.pause()
    seen(forewarm)  # from now on nothing is sent to it
    version("2")
    forewarm.services.purger.purge([TAG], hard=False, cause="operator")
    assert pending(environ) == 1
    assert seen(forewarm)[1] == "2"
    valkey.resume()
    trusted(forewarm)
    assert pending(environ) == 0
    assert [seen(forewarm)[1] for _ in range(2)] == ["2", "2"]


def pending(environ: dict[str, str]) -> int:
    with psycopg.connect(environ["DATABASE_URL"]) as conn:
        row = conn.execute("select count(*) from purges where applied_at is null").fetchone()
    assert row
    return int(row[0])


def test_another_process_replays_what_the_one_that_purged_cannot(
    start_forewarm: ForewarmFactory,
    version: Callable[[str], None],
    valkey: Valkey,
) -> None:
    purging, reading = start_forewarm(), start_forewarm()
    purging.services.redis.breaker._every = 60.0  # it doesn't look again in this test
    seen(purging)
    seen(reading)
    valkey.pause()
    seen(purging)
    seen(reading)
    version("2")
    purging.services.purger.purge([TAG], hard=False, cause="operator")
    valkey.resume()
    trusted(reading)
    assert [seen(reading)[1] for _ in range(3)] == ["2"] * 3


def test_one_process_does_the_catching_up_and_the_others_wait_for_it(
    start_forewarm: ForewarmFactory, valkey: Valkey, github: StandIn
) -> None:
    seen(start_forewarm())
    valkey.kill()
    valkey.start()
    several = [start_forewarm() for _ in range(6)]
    github.forget()
    with redis.Redis.from_url(valkey.url) as client:
        threads = [threading.Thread(target=seen, args=(each,)) for each in several]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        run_id = client.info("server")["run_id"]
        assert client.get(RUN_KEY) == run_id.encode()
        # One message since it started, to purge everything; nobody went to GitHub without Redis.
        assert client.info("commandstats")["cmdstat_publish"]["calls"] == 1
    assert github.count(DETAIL) == 1


def test_a_lock_that_a_killed_server_had_on_its_disk_binds_nobody(
    forewarm: Forewarm, valkey: Valkey
) -> None:
    seen(forewarm)
    with redis.Redis.from_url(valkey.url) as client:
        run_id = client.info("server")["run_id"]
        for lock in (LOCK_KEY, LOCK_KEY + run_id):
            client.set(lock, "held", px=10_000)
    valkey.kill()
    valkey.start()
    seen(forewarm)
    wait_for(lambda: not forewarm.services.redis.breaker.open, "trust", 2)


def test_a_flush_is_a_miss_and_costs_no_points(
    forewarm: Forewarm, valkey: Valkey, github: StandIn
) -> None:
    seen(forewarm)
    points = github.points()
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    assert [seen(forewarm)[0] for _ in range(2)] == ["REVALIDATED", "HIT"]
    assert github.points() == points
