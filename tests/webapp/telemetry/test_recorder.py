"""The recorder: exact counts under threads, a line each where it matters, none where it is off."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.serving import API_KEY, Forewarm, ForewarmFactory
from tests.standin.accounts import ALICE_TOKEN
from tests.standin.landmarks import SHARED_PRIVATE
from tests.standin.process import StandIn
from webapp.cache.keys import SERVICE, canonical_target, entry_key
from webapp.hitpath import Hit
from webapp.signals import served
from webapp.telemetry.recorder import Recorder

LOGGER = "webapp.telemetry.recorder"
LIST = "/orgs/pallets/repos"
DETAIL = "/repos/pallets/flask"
KEY = entry_key(canonical_target(DETAIL, "", "", ""), SERVICE, "http://127.0.0.1:8000/api/v3")


class Sender:
    """Somebody who serves."""


def hit(resource: str = "repo", outcome: str = "HIT") -> Hit:
    return (resource, outcome, DETAIL, "service", "near"), 0.00012


def told(caplog: pytest.LogCaptureFixture, level: int = logging.INFO) -> list[str]:
    return [
        each.getMessage()
        for each in caplog.records
        if each.name == LOGGER and each.levelno == level
    ]


def counted(caplog: pytest.LogCaptureFixture) -> Counter[str]:
    """Of the lines that count: how many of each outcome and resource."""
    counts: Counter[str] = Counter()
    for line in told(caplog):
        what, mark, number = line.partition(" count=")
        if mark:
            counts[what] += int(number)
    return counts


def test_hits_that_nothing_flushes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webapp.telemetry.recorder.HITS_MOST", 3)
    recorder = Recorder()
    recorder.hits.extend([hit()] * 5)
    recorder.flush()
    recorder.hits.extend([hit()] * 5)
    assert len(recorder.hits) == 3


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.INFO):
        yield caplog


# Hits


def test_hits_are_a_line_per_resource_and_outcome(log: pytest.LogCaptureFixture) -> None:
    recorder = Recorder()
    recorder.hits.extend([hit(), hit("org"), hit(), hit("repo", "NEGATIVE")])
    recorder.flush()
    assert told(log) == ["HIT org count=1", "HIT repo count=2", "NEGATIVE repo count=1"]


def test_what_was_said_is_not_said_again(log: pytest.LogCaptureFixture) -> None:
    recorder = Recorder()
    recorder.hits.append(hit())
    recorder.flush()
    recorder.flush()
    assert told(log) == ["HIT repo count=1"]


def test_at_debug_each_hit_is_a_line_too(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder()
    recorder.hits.extend([hit(), hit()])
    with caplog.at_level(logging.DEBUG):
        recorder.flush()
    line = f"HIT repo {DETAIL} scope=service shelf=near 0.120 ms"
    assert told(caplog, logging.DEBUG) == [line, line]
    assert told(caplog) == ["HIT repo count=2"]


def test_counts_are_exact_under_threads(log: pytest.LogCaptureFixture) -> None:
    recorder, sender = Recorder(every=0.001), Sender()
    recorder.start(sender)
    start = threading.Barrier(9)

    def work(number: int) -> None:
        start.wait()
        for _ in range(2_000):
            recorder.hits.append(hit(f"resource{number % 2}"))

    def flush() -> None:
        start.wait()
        for _ in range(200):
            recorder.flush()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    threads += [threading.Thread(target=flush) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    recorder.stop(sender)
    assert counted(log) == {"HIT resource0": 6_000, "HIT resource1": 6_000}


def test_it_flushes_by_itself(log: pytest.LogCaptureFixture) -> None:
    recorder, sender = Recorder(every=0.01), Sender()
    recorder.start(sender)
    recorder.hits.append(hit())
    deadline = time.monotonic() + 5
    while not told(log):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    recorder.stop(sender)


def test_stopping_says_what_is_left_and_hears_nothing_more(log: pytest.LogCaptureFixture) -> None:
    recorder, sender = Recorder(), Sender()
    recorder.start(sender)
    recorder.hits.append(hit())
    recorder.stop(sender)
    assert told(log) == ["HIT repo count=1"]
    served.send(sender, **event("MISS"))
    assert told(log) == ["HIT repo count=1"]


def test_a_forked_child_says_only_its_own_hits() -> None:
    recorder, sender = Recorder(every=0.01), Sender()
    recorder.hits.extend([hit()] * 5)
    recorder.start(sender)
    recorder._every = 60.0
    recorder.hits.extend([hit()] * 5)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        flushing = any(each.name == "recorder" for each in threading.enumerate())
        os.write(writing, b"%d %d" % (len(recorder.hits), flushing))
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading, "rb") as said:
        assert said.read() == b"0 1"
    recorder.stop(sender)


# What Flask served


def event(outcome: str, **changed: Any) -> dict[str, Any]:
    return {
        "resource": "repo",
        "outcome": outcome,
        "path": DETAIL,
        "key": "fw:e:1:service:abc",
        "scope": "service",
        "shelf": "redis",
        "cause": "fwd=miss; fwd-status=200; stored",
        "seconds": 0.0123,
    } | changed


@pytest.mark.parametrize(
    "outcome", ["STALE", "GRACE", "REVALIDATED", "MISS", "COALESCED", "BYPASS", "ERROR"]
)
def test_what_is_no_hit_is_a_line_with_key_resource_scope_and_cause(
    log: pytest.LogCaptureFixture, outcome: str
) -> None:
    recorder, sender = Recorder(), Sender()
    recorder.start(sender)
    served.send(sender, **event(outcome))
    (line,) = told(log)
    assert line == (
        f"{outcome} repo {DETAIL} key=fw:e:1:service:abc scope=service"
        " cause=fwd=miss; fwd-status=200; stored 12.3 ms"
    )
    recorder.stop(sender)


@pytest.mark.parametrize("outcome", ["HIT", "NEGATIVE"])
def test_a_hit_that_flask_served_is_counted_with_the_others(
    log: pytest.LogCaptureFixture, outcome: str
) -> None:
    recorder, sender = Recorder(), Sender()
    recorder.start(sender)
    served.send(sender, **event(outcome))
    assert told(log) == []
    recorder.stop(sender)
    assert told(log) == [f"{outcome} repo count=1"]


def test_it_hears_its_own_sender_alone(log: pytest.LogCaptureFixture) -> None:
    recorder, sender, other = Recorder(), Sender(), Sender()
    recorder.start(sender)
    served.send(other, **event("MISS"))
    recorder.stop(sender)
    assert told(log) == []


# In the application


@pytest.mark.parametrize("hitpath", ["on", "off"])
def test_every_hit_is_counted_whoever_answers_it(
    start_forewarm: ForewarmFactory, log: pytest.LogCaptureFixture, hitpath: str
) -> None:
    forewarm = start_forewarm(HITPATH=hitpath, HIT_SAMPLE="3")
    for _ in range(11):
        forewarm.get(DETAIL)
    for _ in range(4):
        forewarm.get("/repos/pallets/nothing")
    forewarm.services.recorder.flush()
    assert counted(log) == {"HIT repo": 10, "NEGATIVE repo": 3}


def test_each_rung_says_why(
    forewarm: Forewarm, github: StandIn, log: pytest.LogCaptureFixture
) -> None:
    def purge() -> None:
        forewarm.services.purger.purge(["repo:pallets/flask"], hard=False, cause="operator")

    forewarm.get(DETAIL)
    purge()
    forewarm.get(DETAIL)
    purge()
    github.fault("status", status=503)
    forewarm.get(DETAIL)
    forewarm.get(LIST)
    lines = [line.rpartition(" ")[0].rpartition(" ")[0] for line in told(log)]
    what = f"repo {DETAIL} key={KEY} scope=service"
    assert lines[:3] == [
        f"MISS {what} cause=fwd=miss; fwd-status=200; stored",
        f"REVALIDATED {what} cause=fwd=stale; fwd-status=304; stored",
        f"GRACE {what} cause=fwd=stale; fwd-status=503",
    ]
    assert lines[3].startswith(f"ERROR repo_list {LIST} key=fw:e:1:service:")
    assert lines[3].endswith("cause=GitHub answered 503")


def test_a_stale_answer_says_so(
    start_forewarm: ForewarmFactory, log: pytest.LogCaptureFixture
) -> None:
    forewarm = start_forewarm(CACHE_FRESH_REPO="1")
    forewarm.get(DETAIL)
    deadline = time.monotonic() + 5
    while forewarm.get(DETAIL).headers["X-Cache"] != "STALE":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (line,) = (each for each in told(log) if each.startswith("STALE"))
    assert line.startswith(f"STALE repo {DETAIL} key={KEY} scope=service cause=hit; ttl=")


def test_a_callers_scope_is_told_by_its_kind(
    forewarm: Forewarm, log: pytest.LogCaptureFixture
) -> None:
    forewarm.get(f"/repos/{SHARED_PRIVATE}", ALICE_TOKEN)
    (line,) = told(log)
    assert " scope=token " in line
    assert ALICE_TOKEN not in line


def test_a_purge_says_what_why_and_how(forewarm: Forewarm, log: pytest.LogCaptureFixture) -> None:
    forewarm.services.purger.purge(
        ["repo:a/b", "repos:a"], hard=True, cause="operator", detail="by hand"
    )
    lines = [each.getMessage() for each in log.records if each.name == "webapp.purging"]
    assert lines[-1:] == ["purge hard by operator by hand: repo:a/b repos:a"]


@pytest.mark.parametrize("hitpath", ["on", "off"])
def test_telemetry_off_records_nothing(
    start_forewarm: ForewarmFactory, log: pytest.LogCaptureFixture, hitpath: str
) -> None:
    forewarm = start_forewarm(TELEMETRY="off", HITPATH=hitpath)
    for _ in range(3):
        assert forewarm.get(DETAIL, API_KEY).status_code == 200
    assert not forewarm.services.recorder.hits
    forewarm.services.recorder.flush()
    assert told(log) == []
