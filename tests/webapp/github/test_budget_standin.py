"""The budget against the stand-in's secondary limits, with nothing but `requests` between them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.queues import SimpleQueue

import pytest
import requests

from tests.standin.accounts import SERVICE_TOKEN
from tests.standin.process import StandIn
from tests.webapp.github.budgets import CHILDREN, CREDENTIAL, Caller, Clock
from webapp.cache.connection import Connection
from webapp.errors import OutOfBudget
from webapp.github.budget import Lane, Slot
from webapp.secret import Secret

PROCESSES = 8
WARMING = 675  # points a minute
FLASK = "/repos/pallets/flask"


class _Ahead(Clock):
    """The time of day, and so many seconds: as the stand-in's after `advance`."""

    def __call__(self) -> float:
        return time.time() + self.now


def ask(session: requests.Session, url: str, caller: Caller, slot: Slot, etag: str = "") -> int:
    """One call for a slot; its status."""
    answer = session.get(
        url + FLASK,
        headers={"Authorization": f"Bearer {SERVICE_TOKEN}", "If-None-Match": etag},
        timeout=10,
    )
    free = answer.status_code == 304
    caller.leave(slot, answer.headers, status=answer.status_code, points=int(not free))
    return answer.status_code


def _flat_out(
    redis_url: str, url: str, etag: str, ahead: float, lane: Lane, out: SimpleQueue[Counter[int]]
) -> None:
    """Call until the minute is spent; how many calls were answered how."""
    connection = Connection(Secret(redis_url), size=1)
    caller = Caller(connection, _Ahead(ahead))
    statuses: Counter[int] = Counter()
    with requests.Session() as session:
        while True:
            try:
                slot = caller.enter(lane)
            except OutOfBudget as refused:
                if refused.reason == "minute":
                    break
                time.sleep(0.005)
                continue
            statuses[ask(session, url, caller, slot, etag)] += 1
    connection.close()
    out.put(statuses)


def flat_out(redis_url: str, url: str, etag: str, ahead: float, lane: Lane) -> Counter[int]:
    """As many processes as PROCESSES; what all of them were answered."""
    out: SimpleQueue[Counter[int]] = CHILDREN.SimpleQueue()
    args = (redis_url, url, etag, ahead, lane, out)
    processes = [CHILDREN.Process(target=_flat_out, args=args) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    total: Counter[int] = Counter()
    for process in processes:
        total += out.get()
        process.join()
    return total


@pytest.fixture
def caller(redis_url: str) -> Iterator[Caller]:
    connection = Connection(Secret(redis_url), size=2)
    yield Caller(connection, None)
    connection.close()


def test_warming_flat_out_meets_no_secondary_limit(redis_url: str, github: StandIn) -> None:
    """The second minute is of 304s: free of the hour, counted in the minute."""
    authorization = {"Authorization": f"Bearer {SERVICE_TOKEN}"}
    etag = requests.get(github.url + FLASK, headers=authorization, timeout=10).headers["ETag"]
    github.limits(points_per_minute=900)
    minutes: list[Counter[int]] = []
    for asked in ("", etag):
        github.advance(61)
        minutes.append(flat_out(redis_url, github.url, asked, 61.0 * len(minutes), Lane.WARMING))
    print(f"each minute's answers: {[dict(one) for one in minutes]}")

    assert [set(statuses) for statuses in minutes] == [{200}, {304}]
    assert all(0.85 * WARMING <= statuses.total() <= WARMING for statuses in minutes)


def test_all_lanes_together_meet_no_secondary_limit(redis_url: str, github: StandIn) -> None:
    warming = flat_out(redis_url, github.url, "", 0.0, Lane.WARMING)
    interactive = flat_out(redis_url, github.url, "", 0.0, Lane.INTERACTIVE)

    assert warming.total() + interactive.total() == 900
    assert set(warming | interactive) == {200}


def test_what_the_budget_says_is_what_github_says(github: StandIn, caller: Caller) -> None:
    with requests.Session() as session:
        for _ in range(5):
            ask(session, github.url, caller, caller.enter())
        told = session.get(
            github.url + "/rate_limit",
            headers={"Authorization": f"Bearer {SERVICE_TOKEN}"},
            timeout=10,
        ).json()["resources"]["core"]

    found = caller.budget.limits(CREDENTIAL, "core")

    assert (found.limit, found.remaining, found.used, found.reset) == (
        *(told["limit"], told["remaining"], told["used"], told["reset"]),
    )


def test_github_is_not_asked_beyond_the_hour(github: StandIn, caller: Caller) -> None:
    github.use("service", 4990)
    with requests.Session() as session:
        statuses = [ask(session, github.url, caller, caller.enter()) for _ in range(10)]
    refused = caller.refusal()

    assert statuses == [200] * 10
    assert refused
    assert refused.reason == "hour"
