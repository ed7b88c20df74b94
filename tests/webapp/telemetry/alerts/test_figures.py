"""What each rule measures, on real stores by a clock of the test's."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import psycopg
import pytest
import redis
from dramatiq import Message

from script.embedded import Postgres
from tests.standin.accounts import SERVICE_TOKEN
from tests.webapp.telemetry.alerts.store import alert_database
from tests.webapp.telemetry.measured import NOON
from tests.webapp.telemetry.measured import Measured as Metered
from webapp.github.budget import Budget
from webapp.github.credentials import Credentials
from webapp.github.limits import Lane
from webapp.jobs import NAMESPACE, SCHEDULER_HEARTBEAT, WORKER_HEARTBEAT, Jobs
from webapp.queues import HEARTBEATS, WORKERS, Queues
from webapp.secret import Secret
from webapp.settings import Settings
from webapp.telemetry.alerts.alert import Reading, Side, side
from webapp.telemetry.alerts.figures import MEASURES, Measured
from webapp.telemetry.alerts.rules import RULES, Severity, named
from webapp.warming.runs import Runs

BY_NAME = named(RULES)


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> Iterator[str]:
    with alert_database(postgres, "alert_figures") as url:
        yield url


class Sources:
    """All that is measured, and what puts something there."""

    def __init__(self, redis_url: str, url: str) -> None:
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute("truncate webhook_deliveries, warming_runs")
        self.url = url
        self.metered = Metered(redis_url, url)
        self.clock = self.metered.clock
        self.process = self.metered.process()
        broker = redis_url.removesuffix("/0") + "/1"
        settings = Settings.from_env(
            {
                "HOST": "127.0.0.1",
                "REDIS_URL": redis_url,
                "DATABASE_URL": url,
                "GITHUB_TOKEN": SERVICE_TOKEN,
                "SECRET_KEY": "a secret key for tests",
            }
        )
        self.jobs = Jobs(Secret(broker))
        self.broker = redis.Redis.from_url(broker)
        self.budget = Budget(self.metered.connection, clock=self.clock)
        self.credentials = Credentials(settings, self.metered.connection, self.clock)
        self.own, self.anonymous = self.credentials.ids()
        nobody = cast(Any, None)
        self.measured = Measured(
            metrics=self.metered.metrics,
            queues=Queues(self.jobs),
            jobs=self.jobs,
            budget=self.budget,
            credentials=self.credentials,
            redis=self.metered.connection,
            database=self.metered.database,
            warming=Runs(self.metered.database, self.jobs, nobody, nobody),
            objective=99.9,
            clock=self.clock,
        )

    def read(self, rule: str) -> dict[str, float | None]:
        """By subject."""
        found = self.measured.read(BY_NAME[rule])
        assert found is not None
        return {each.subject: each.value for each in found}

    def whole(self, rule: str) -> Reading:
        """Of a rule with one subject."""
        found = self.measured.read(BY_NAME[rule])
        assert found is not None
        (reading,) = found
        assert reading.subject == ""
        return reading

    def answers(self, outcome: str, number: int, seconds: float = 0.001) -> None:
        for _ in range(number):
            self.process.counts.observe(
                "request_duration_seconds", "repo", outcome, seconds=seconds
            )

    def later(self, seconds: float) -> None:
        """What was counted was counted now; then time passes."""
        self.process.deliver()
        self.clock.now += seconds

    def told(self, remaining: int, *, limit: int = 5_000, resource: str = "core") -> None:
        """An answer of GitHub's says what is left of this hour."""
        slot = self.budget.enter(self.own, resource, Lane.INTERACTIVE)
        headers = {
            "X-RateLimit-Limit": str(limit),
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset": str(int(NOON + 3_000)),
            "X-RateLimit-Resource": resource,
        }
        self.budget.leave(slot, status=200, headers=headers, points=1)

    def execute(self, statement: str, *values: object) -> None:
        with psycopg.connect(self.url, autocommit=True) as conn:
            conn.execute(statement, values)

    def close(self) -> None:
        self.metered.close()
        self.jobs.close()
        self.broker.close()


@pytest.fixture
def sources(redis_url: str, url: str) -> Iterator[Sources]:
    made = Sources(redis_url, url)
    yield made
    made.close()


def now_of(sources: Sources) -> datetime:
    return datetime.fromtimestamp(sources.clock.now, UTC)


def test_every_rule_has_a_measure_and_every_measure_a_rule() -> None:
    assert {rule.measure for rule in RULES} == set(MEASURES)


# Requests


def test_the_hit_rate_is_compared_with_what_it_was(sources: Sources) -> None:
    sources.answers("HIT", 900)
    sources.answers("STALE", 60)
    sources.answers("MISS", 40)
    sources.answers("BYPASS", 500)
    sources.later(3_600)
    sources.answers("NEGATIVE", 420)
    sources.answers("REVALIDATED", 180)
    sources.later(60)
    reading = sources.whole("hit_rate")
    assert reading.value == pytest.approx(26)
    assert reading.samples == 600


def test_without_a_past_a_hit_rate_says_nothing(sources: Sources) -> None:
    sources.answers("MISS", 600)
    sources.later(60)
    assert side(BY_NAME["hit_rate"], Severity.WARNING, sources.whole("hit_rate")) is Side.UNKNOWN


def test_a_better_hit_rate_is_no_drop(sources: Sources) -> None:
    sources.answers("MISS", 600)
    sources.later(3_600)
    sources.answers("HIT", 600)
    sources.later(60)
    assert sources.whole("hit_rate").value == 0


def test_latency_is_that_of_one_request_in_twenty(sources: Sources) -> None:
    sources.answers("HIT", 180)
    sources.answers("MISS", 20, seconds=2.0)
    sources.later(60)
    reading = sources.whole("latency_p95")
    assert reading.value == pytest.approx(2.0, rel=0.03)
    assert reading.samples == 200


def test_latency_long_ago_counts_no_more(sources: Sources) -> None:
    sources.answers("MISS", 200, seconds=2.0)
    sources.later(660)
    assert sources.whole("latency_p95") == Reading("", None, 0)


def failures(sources: Sources, number: int) -> None:
    sources.answers("ERROR", number)
    sources.process.counts.add("request_failures_total", "502", number=number)


def test_errors_burn_the_budget_by_their_share(sources: Sources) -> None:
    sources.answers("HIT", 980)
    failures(sources, 20)
    sources.later(60)
    assert sources.whole("error_budget_fast").value == pytest.approx(20)


def test_errors_that_are_over_burn_no_more(sources: Sources) -> None:
    sources.answers("HIT", 980)
    failures(sources, 20)
    sources.later(1_200)
    sources.answers("HIT", 1_000)
    sources.later(60)
    assert sources.whole("error_budget_fast").value == 0
    assert sources.whole("error_budget_slow").value == pytest.approx(10)


def test_a_few_errors_burn_nothing(sources: Sources) -> None:
    sources.answers("HIT", 1)
    failures(sources, 9)
    sources.later(60)
    reading = sources.whole("error_budget_fast")
    assert side(BY_NAME["error_budget_fast"], Severity.CRITICAL, reading) is Side.CLEAR


def test_refusals_of_callers_burn_nothing(sources: Sources) -> None:
    sources.answers("ERROR", 1_000)
    sources.later(60)
    assert sources.whole("error_budget_fast").value == 0


def test_without_answers_there_is_nothing_to_burn(sources: Sources) -> None:
    reading = sources.whole("error_budget_fast")
    assert side(BY_NAME["error_budget_fast"], Severity.CRITICAL, reading) is Side.UNKNOWN


COUNTED = (
    *("hit_rate", "latency_p95", "error_budget_fast", "webhook_signatures", "webhook_lag"),
    *("dead_letters_surge",),
)


@pytest.mark.parametrize("rule", COUNTED)
def test_counters_that_begin_anew_are_never_negative_and_fire_nothing(
    sources: Sources, rule: str
) -> None:
    sources.answers("HIT", 900)
    failures(sources, 100)
    sources.process.counts.add("webhooks_total", "", "refused", "signature", number=50)
    sources.process.counts.add("jobs_total", "upkeep", "x", "dead", number=50)
    sources.process.counts.observe("webhook_lag_seconds", "push", seconds=100)
    sources.later(60)
    sources.metered.connection.flushdb()
    sources.process = sources.metered.process()  # else what was delivered of late comes again
    sources.answers("HIT", 10)
    sources.later(60)
    reading = sources.whole(rule)
    assert reading.value is None or reading.value >= 0
    assert side(BY_NAME[rule], next(severities(rule)), reading) is not Side.BEYOND


def severities(rule: str) -> Iterator[Severity]:
    return (each for each in Severity if BY_NAME[rule].threshold(each) is not None)


# GitHub


def test_a_credentials_budget_is_told_by_resource(sources: Sources) -> None:
    sources.told(200)
    sources.told(4_000, resource="graphql")
    found = sources.read("github_budget")
    assert found[f"{sources.own} core"] == pytest.approx(4.0)
    assert found[f"{sources.own} graphql"] == pytest.approx(80.0)
    assert found[f"{sources.anonymous} core"] == 100


def test_a_new_hour_is_a_full_one(sources: Sources) -> None:
    sources.told(200)
    sources.clock.now += 3_001
    assert sources.read("github_budget")[f"{sources.own} core"] == 100


def test_a_budget_that_will_not_last_says_for_how_long(sources: Sources) -> None:
    for minute in range(10):
        sources.told(3_000 - 290 * minute)
        sources.clock.now += 60
    short = sources.read("github_forecast")[f"{sources.own} core"]
    assert short is not None
    assert 1_800 < short < 2_400  # empty in a minute or some, 2,400 s before the reset


def test_a_budget_that_lasts_falls_short_of_nothing(sources: Sources) -> None:
    sources.told(4_999)
    sources.clock.now += 60
    sources.told(4_998)
    assert sources.read("github_forecast")[f"{sources.own} core"] == 0


def test_what_has_no_budget_at_all_falls_short_of_none(sources: Sources) -> None:
    assert f"{sources.anonymous} core" in sources.read("github_forecast")
    assert f"{sources.anonymous} graphql" not in sources.read("github_forecast")


def test_a_pause_tells_what_is_left_of_it(sources: Sources) -> None:
    sources.budget.refused(sources.own, {"Retry-After": "120"})
    sources.clock.now += 20
    assert sources.read("github_paused") == {sources.own: 100, sources.anonymous: 0}


def test_a_refused_credential_is_told_until_it_works(sources: Sources) -> None:
    assert sources.read("credential_refused") == {}
    (credential,) = sources.credentials.candidates("service", None)
    sources.credentials.refused(credential)
    assert sources.read("credential_refused") == {sources.own: 1}
    sources.credentials.worked(credential)
    assert sources.read("credential_refused") == {}


# Jobs


def test_each_queue_tells_its_oldest_job(sources: Sources) -> None:
    sources.jobs.enqueue("heartbeat", "upkeep")
    found = sources.read("oldest_job")
    assert set(found) == {"invalidation", "warming", "upkeep"}
    assert found["warming"] == 0
    assert 0 <= (found["upkeep"] or -1) < 10


def test_each_queue_tells_its_dead_letters(sources: Sources) -> None:
    message: Message[object] = Message(
        queue_name="upkeep", actor_name="fail", args=(), kwargs={}, options={}
    )
    sources.broker.hset(f"{NAMESPACE}:upkeep.XQ.msgs", "1", message.encode())
    sources.broker.zadd(f"{NAMESPACE}:upkeep.XQ", {"1": 1_000})
    assert sources.read("dead_letters") == {"invalidation": 0, "warming": 0, "upkeep": 1}


def test_jobs_that_died_are_counted_whatever_became_of_them(sources: Sources) -> None:
    for result, number in (("done", 99), ("dead", 25)):
        sources.process.counts.add("jobs_total", "upkeep", "x", result, number=number)
    sources.later(30)
    assert sources.whole("dead_letters_surge").value == 25
    sources.clock.now += 700
    assert sources.whole("dead_letters_surge").value == 0


@pytest.mark.parametrize("rule", ["worker_heartbeat", "scheduler_heartbeat"])
def test_what_never_showed_itself_is_long_gone(sources: Sources, rule: str) -> None:
    assert sources.whole(rule).value == 180


@pytest.mark.parametrize(
    ("rule", "key"),
    [("worker_heartbeat", WORKER_HEARTBEAT), ("scheduler_heartbeat", SCHEDULER_HEARTBEAT)],
)
def test_a_heartbeat_tells_its_age(sources: Sources, rule: str, key: str) -> None:
    sources.broker.set(key, sources.clock.now - 70)
    assert sources.whole(rule).value == pytest.approx(70)


def test_a_worker_that_asks_for_jobs_is_alive_without_a_scheduler(sources: Sources) -> None:
    sources.clock.now = time.time()
    said = '{"host": "here", "pid": 1, "started": 1.0}'
    sources.broker.hset(WORKERS, "one", said)
    sources.broker.zadd(HEARTBEATS, {"one": (sources.clock.now - 3) * 1_000})
    assert sources.whole("worker_heartbeat").value == pytest.approx(3, abs=0.1)


RUN = "insert into warming_runs (names, source, state, created_at) values ('{}', %s, %s, %s)"


@pytest.mark.parametrize(
    ("runs", "overdue"),
    [
        ([], 0),
        ([("schedule", "done", 900)], 0),
        ([("schedule", "running", 900)], 900),
        ([("schedule", "done", 900), ("schedule", "queued", 300)], 300),
        ([("schedule", "failed", 900), ("schedule", "failed", 300)], 900),
        ([("schedule", "failed", 900), ("schedule", "done", 300)], 0),
        ([("schedule", "paused", 900), ("schedule", "cancelled", 300)], 0),
        ([("api", "running", 900)], 0),
    ],
)
def test_warming_is_overdue_since_its_oldest_run_that_is_not_done(
    sources: Sources, runs: Sequence[tuple[str, str, int]], overdue: float
) -> None:
    for source, state, ago in runs:
        created_at = datetime.fromtimestamp(sources.clock.now - ago, UTC)
        sources.execute(RUN, source, state, created_at)
    assert sources.whole("warming_late").value == pytest.approx(overdue)


# Webhooks


def delivered(sources: Sources, owner: str, number: int, ago: float) -> None:
    sources.execute(
        "insert into webhook_deliveries"
        " (delivery, event, owner, hard_tags, soft_tags, list_tags, received_at)"
        " select %s || n, 'push', %s, '{}', '{}', '{}', %s from generate_series(1, %s) n",
        *(owner, owner, datetime.fromtimestamp(sources.clock.now - ago, UTC), number),
    )


def test_silence_is_of_owners_who_used_to_speak(sources: Sources) -> None:
    delivered(sources, "psf", 20, 90_000)
    delivered(sources, "pallets", 19, 90_000)
    delivered(sources, "initech", 40, 5)
    assert sources.read("webhook_silence") == {"psf": 90_000, "initech": 5}


def test_who_has_not_spoken_for_a_week_is_no_longer_expected(sources: Sources) -> None:
    delivered(sources, "psf", 20, 8 * 86_400)
    assert sources.read("webhook_silence") == {}


def test_bad_signatures_are_counted_alone(sources: Sources) -> None:
    for reason, number in (("signature", 6), ("malformed", 30)):
        sources.process.counts.add("webhooks_total", "", "refused", reason, number=number)
    sources.later(30)
    assert sources.whole("webhook_signatures").value == 6


def test_lag_is_that_of_one_delivery_in_twenty(sources: Sources) -> None:
    for seconds in (1.0,) * 18 + (90.0,) * 2:
        sources.process.counts.observe("webhook_lag_seconds", "push", seconds=seconds)
    sources.later(30)
    reading = sources.whole("webhook_lag")
    assert reading.value == pytest.approx(90, rel=0.03)
    assert reading.samples == 20


# Stores


def test_each_statement_tells_its_mean(sources: Sources) -> None:
    for query, seconds in (("fast", 0.001), ("slow", 0.03), ("slow", 0.05)):
        sources.process.counts.observe("db_query_duration_seconds", query, seconds=seconds)
    sources.later(30)
    found = sources.read("statement_time")
    assert found["slow"] == pytest.approx(0.04, rel=0.03)
    assert found["fast"] == pytest.approx(0.001, rel=0.03)


def test_redis_tells_how_full_it_is(sources: Sources) -> None:
    value = sources.whole("redis_memory").value
    assert value is not None
    assert 0 < value < 50


def test_a_redis_without_a_limit_fills_its_machine(sources: Sources) -> None:
    sources.broker.config_set("maxmemory", 0)
    value = sources.whole("redis_memory").value
    assert value is not None
    assert 0 < value < 5


# Away


@pytest.fixture(scope="module")
def away() -> Iterator[Measured]:
    """Neither Redis nor PostgreSQL."""
    nowhere = "redis://127.0.0.1:1/0"
    metered = Metered(nowhere)
    jobs = Jobs(Secret(nowhere))
    nobody = cast(Any, None)
    least = {"HOST": "127.0.0.1", "REDIS_URL": nowhere, "DATABASE_URL": "postgresql://h/d"}
    yield Measured(
        metrics=metered.metrics,
        queues=Queues(jobs),
        jobs=jobs,
        budget=Budget(metered.connection),
        credentials=Credentials(Settings.from_env(least), metered.connection),
        redis=metered.connection,
        database=metered.database,
        warming=Runs(metered.database, jobs, nobody, nobody),
        objective=99.9,
    )
    metered.close()
    jobs.close()


@pytest.mark.parametrize("rule", sorted(BY_NAME))
def test_what_cannot_be_asked_is_no_data(away: Measured, rule: str) -> None:
    # The ledger and the credentials go by what this process knows.
    known = rule.startswith(("github_", "credential_"))
    assert (away.read(BY_NAME[rule]) is None) != known


def test_long_windows_are_not_read_each_time(sources: Sources) -> None:
    sources.answers("HIT", 1_000)
    failures(sources, 20)
    sources.later(60)
    rule = replace(BY_NAME["error_budget_long"], short=0.0)
    before = sources.measured.read(rule)
    failures(sources, 500)
    sources.later(60)
    assert sources.measured.read(rule) == before
    sources.clock.now += rule.window / 100
    assert sources.measured.read(rule) != before
