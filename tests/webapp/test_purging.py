"""Purges: on every shelf, in the journal, and after every way that Redis can be away."""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg
import pytest
import redis

from script.embedded import Postgres, Valkey
from tests.serving import Forewarm, ForewarmFactory
from tests.standin.process import StandIn
from webapp.db import queries
from webapp.errors import StoreUnavailable
from webapp.purging import RUN_KEY

DETAIL = "/repos/pallets/flask"
TAG = "repo:pallets/flask"


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"no {what} within {seconds} s"
        time.sleep(0.02)


def outcome(forewarm: Forewarm, path: str = DETAIL) -> str:
    return forewarm.get(path).headers["X-Cache"]


def journal(environ: dict[str, str]) -> list[tuple[list[str], bool, str, bool]]:
    with psycopg.connect(environ["DATABASE_URL"]) as conn:
        return conn.execute(
            "select tags, hard, cause, applied_at is not null from purges order by id"
        ).fetchall()


def archived(environ: dict[str, str]) -> int:
    with psycopg.connect(environ["DATABASE_URL"]) as conn:
        row = conn.execute("select count(*) from upstream_responses").fetchone()
    assert row
    return int(row[0])


def away(forewarm: Forewarm, valkey: Valkey) -> None:
    """Redis is gone, and this process has noticed."""
    valkey.kill()
    assert outcome(forewarm) in {"REVALIDATED", "MISS"}


def back(forewarm: Forewarm, valkey: Valkey) -> None:
    valkey.start()
    wait_for(lambda: not forewarm.services.redis.breaker.open, "return of Redis")


def test_a_soft_purge_makes_the_next_read_revalidate_for_free(
    forewarm: Forewarm, github: StandIn
) -> None:
    outcome(forewarm)
    points = github.points()
    forewarm.services.purger.purge([TAG], hard=False, cause="operator")
    assert [outcome(forewarm), outcome(forewarm)] == ["REVALIDATED", "HIT"]
    assert github.points() == points


def test_a_hard_purge_reaches_the_archive(forewarm: Forewarm, environ: dict[str, str]) -> None:
    outcome(forewarm)
    assert archived(environ) == 1
    forewarm.services.purger.purge([TAG], hard=True, cause="operator")
    assert archived(environ) == 0
    assert outcome(forewarm) == "MISS"
    assert journal(environ) == [([TAG], True, "operator", True)]


def test_a_soft_purge_with_everything_up_needs_no_journal(
    forewarm: Forewarm, environ: dict[str, str]
) -> None:
    forewarm.services.purger.purge([TAG], hard=False, cause="operator")
    assert journal(environ) == []


def test_a_purge_while_redis_is_away_is_done_before_it_is_trusted_again(
    forewarm: Forewarm, environ: dict[str, str], github: StandIn, valkey: Valkey
) -> None:
    outcome(forewarm)
    away(forewarm, valkey)
    github.change_repo("pallets/flask", description="changed meanwhile", webhook=False)
    assert forewarm.services.purger.purge([TAG], hard=False, cause="webhook") == 1
    assert journal(environ) == [([TAG], False, "webhook", False)]
    back(forewarm, valkey)
    answer = forewarm.get(DETAIL)
    assert answer.headers["X-Cache"] != "HIT"
    assert answer.get_json()["description"] == "changed meanwhile"
    assert journal(environ) == [([TAG], False, "webhook", True)]


def test_another_process_replays_what_one_could_only_note(
    start_forewarm: ForewarmFactory, environ: dict[str, str], valkey: Valkey
) -> None:
    one = start_forewarm()
    outcome(one)
    away(one, valkey)
    one.services.purger.purge([TAG], hard=False, cause="webhook")
    one.services.redis.breaker._every = 3600  # this one never looks again
    valkey.start()
    another = start_forewarm()
    assert outcome(another) != "HIT"
    assert journal(environ) == [([TAG], False, "webhook", True)]


def test_however_many_purges_an_outage_piled_up_all_are_done_before_redis_is_trusted(
    start_forewarm: ForewarmFactory, environ: dict[str, str]
) -> None:
    outcome(start_forewarm())
    with psycopg.connect(environ["DATABASE_URL"]) as conn:
        conn.execute(
            "insert into purges (tags, hard, cause, detail)"
            " select array[case when n = 2_100 then %s else 'repo:psf/' || n end], false,"
            " 'webhook', '' from generate_series(1, 2_100) as n",
            [TAG],
        )
    assert outcome(start_forewarm()) != "HIT"
    assert all(applied for _, _, _, applied in journal(environ))


def test_with_nowhere_to_note_it_a_purge_fails_loudly(
    forewarm: Forewarm, valkey: Valkey, postgres: Postgres
) -> None:
    outcome(forewarm)
    away(forewarm, valkey)
    postgres.kill()
    with pytest.raises(StoreUnavailable):
        forewarm.services.purger.purge([TAG], hard=True, cause="operator")


def test_what_could_be_noted_nowhere_is_still_done_when_redis_is_back(
    forewarm: Forewarm, github: StandIn, valkey: Valkey, postgres: Postgres
) -> None:
    outcome(forewarm)
    away(forewarm, valkey)
    postgres.kill()
    with pytest.raises(StoreUnavailable):
        forewarm.services.purger.purge([TAG], hard=False, cause="operator")
    github.change_repo("pallets/flask", description="changed meanwhile", webhook=False)
    back(forewarm, valkey)
    assert forewarm.get(DETAIL).get_json()["description"] == "changed meanwhile"


def test_a_hard_purge_without_postgresql_reaches_the_archive_when_it_is_back(
    forewarm: Forewarm, environ: dict[str, str], postgres: Postgres
) -> None:
    outcome(forewarm)
    postgres.kill()
    assert forewarm.services.purger.purge([TAG], hard=True, cause="operator") == 1
    postgres.start()
    wait_for(lambda: archived(environ) == 0, "deletion from the archive")


def test_another_server_is_caught_up_once_by_whoever_meets_it_first(
    start_forewarm: ForewarmFactory, redis_url: str
) -> None:
    one, two = start_forewarm(), start_forewarm()
    outcome(one)
    with redis.Redis.from_url(redis_url) as plain:
        first = plain.get(RUN_KEY)
        assert first == str(plain.info("server")["run_id"]).encode()
    assert [outcome(one), outcome(two), outcome(two)] == ["HIT", "HIT", "HIT"]


def test_a_restarted_server_serves_nothing_before_it_is_asked_again(
    forewarm: Forewarm, github: StandIn, valkey: Valkey
) -> None:
    outcome(forewarm)
    away(forewarm, valkey)
    points = github.points()
    back(forewarm, valkey)
    assert outcome(forewarm) == "REVALIDATED"
    assert github.points() == points


def test_a_second_look_is_put_into_the_queue(forewarm: Forewarm, redis_url: str) -> None:
    forewarm.services.purger.again([TAG], cause="mutation", detail=DETAIL)
    with redis.Redis.from_url(redis_url.removesuffix("/0") + "/1") as broker:
        assert broker.hlen("forewarm-jobs:invalidation.DQ.msgs") == 1


def test_what_a_process_noted_and_ended_before_it_could_do_is_done_by_another(
    forewarm: Forewarm, environ: dict[str, str]
) -> None:
    assert [outcome(forewarm), outcome(forewarm)] == ["MISS", "HIT"]
    with forewarm.services.database.connection() as conn:
        queries.purge_note(conn, [TAG], hard=True, cause="operator", detail="")
        queries.archive_delete_tags(conn, [TAG])
    assert forewarm.services.purger.replay() == 1
    assert journal(environ) == [([TAG], True, "operator", True)]
    assert outcome(forewarm) == "MISS"
    assert forewarm.services.purger.replay() == 0
