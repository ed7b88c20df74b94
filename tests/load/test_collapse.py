"""1,000 callers at once over four web processes ask GitHub once, for a cold key or a stale one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from tests.load.callers import Said, all_at_once, figures, outcomes
from tests.serving import Server, serve
from tests.standin.process import StandIn

CALLERS = 1_000
LIST, DETAIL = "/orgs/pallets/repos", "/repos/pallets/flask"
PART = "/repos/pallets/flask/languages"
LATENCY_MS = 150


@pytest.fixture
def four(
    request: pytest.FixtureRequest, environ: dict[str, str], tmp_path: Path
) -> Iterator[Server]:
    """Four web processes on one port, HITPATH as the test says; parts are fresh for a second,
    details for three."""
    settings = {
        **environ,
        "ANONYMOUS_SCOPE": "service",
        "CACHE_FRESH_REPO": "3",
        "CACHE_FRESH_REPO_PART": "1",
        "HITPATH": request.param,
        "LOG_LEVEL": "WARNING",
    }
    with serve(settings, tmp_path / "server.log", workers=4) as running:
        yield running


def report(name: str, answers: list[Said]) -> None:
    print(f"\n{figures(name, [each.seconds for each in answers])} {dict(outcomes(answers))}")


@pytest.mark.parametrize("four", ["on", "off"], indirect=True)
def test_a_thousand_askers_for_a_cold_key_cost_one_call(four: Server, github: StandIn) -> None:
    assert len(psutil.Process(four.process.pid).children()) == 4
    github.latency(LATENCY_MS)
    answers = all_at_once([f"{four.api}{LIST}"] * CALLERS)
    report("cold", answers)
    assert {each.status for each in answers} == {200}
    assert len({each.body for each in answers}) == 1
    assert github.count(LIST) == 1


@pytest.mark.parametrize("four", ["on"], indirect=True)
def test_a_thousand_askers_for_an_expired_key_wait_for_nobody_and_cost_one_call(
    four: Server, github: StandIn
) -> None:
    url = f"{four.api}{DETAIL}"
    requests.get(url, timeout=10)
    time.sleep(3.05)  # its fresh period
    github.forget()
    github.latency(2_000)  # longer than all the answering takes: whoever waited would show
    answers = all_at_once([url] * CALLERS)
    report("expired", answers)
    assert outcomes(answers) == {(200, "STALE"): CALLERS}
    done = time.monotonic() + 10
    while requests.get(url, timeout=10).headers["X-Cache"] == "STALE":
        assert time.monotonic() < done, "the refresh never came"
        time.sleep(0.01)
    assert github.count(DETAIL) == 1


@pytest.mark.parametrize("four", ["on"], indirect=True)
def test_an_expired_key_that_is_asked_for_all_the_time_costs_one_call_a_period(
    four: Server, github: StandIn
) -> None:
    """Refreshes queue up in each process while one runs: none of them may ask again."""
    url = f"{four.api}{PART}"
    requests.get(url, timeout=10)
    github.forget()
    github.latency(40)
    fresh = 0.95  # of a second at least: the period less its jitter
    began = time.monotonic()
    answers: list[Said] = []
    while time.monotonic() - began < 3:
        answers += all_at_once([url] * 60)
    spent = time.monotonic() - began
    report("asked for all the time", answers)
    calls = github.count(PART)
    print(f"{calls} calls in {spent:.1f} s")
    assert {each.status for each in answers} == {200}
    assert calls <= spent / fresh + 1
