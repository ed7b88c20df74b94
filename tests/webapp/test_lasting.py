"""Threads that go on after an error nobody named: each of Forewarm's, with one planted in it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.serving import API_KEY, Forewarm, ForewarmFactory
from tests.workers.processes import wait_for
from webapp import lasting as lasting_module
from webapp.cache import flight
from webapp.cache.breaker import Breaker
from webapp.errors import DatabaseUnavailable
from webapp.lasting import lasting, told
from webapp.telemetry import logs
from webapp.telemetry.alerts.rounds import Rounds

FLASK = "/repos/pallets/flask"


@pytest.fixture(autouse=True)
def heard(monkeypatch: pytest.MonkeyPatch) -> list[BaseException | None]:
    """What threads told; elsewhere a test fails by it."""
    errors: list[BaseException | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: errors.append(args.exc_value))
    monkeypatch.setattr(lasting_module, "PAUSE", 0.01)
    return errors


class Broken:
    """In place of `real`: raises at the first call, does its work from then on."""

    def __init__(self, real: Callable[..., Any]) -> None:
        self._real = real
        self.calls = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        if self.calls == 1:
            raise RuntimeError("planted")
        return self._real(*args, **kwargs)


def is_planted(heard: list[BaseException | None]) -> bool:
    return [str(each) for each in heard] == ["planted"]


def test_a_bug_is_told_and_the_thread_begins_anew(heard: list[BaseException | None]) -> None:
    run = Broken(lambda: None)
    lasting(run, "tried").join(10)
    assert (run.calls, is_planted(heard)) == (2, True)


def test_pauses_grow(heard: list[BaseException | None], monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("webapp.lasting.time.sleep", pauses.append)

    def run() -> None:
        if len(pauses) < 15:
            raise RuntimeError

    lasting_module._last(run)
    assert [round(each, 2) for each in pauses[:4]] == [0.01, 0.02, 0.04, 0.08]
    assert pauses[-1] == lasting_module.LONGEST_PAUSE


def test_what_an_executor_would_keep_to_itself_is_told(heard: list[BaseException | None]) -> None:
    def run() -> None:
        raise RuntimeError("planted")

    with ThreadPoolExecutor(1) as executor:
        executor.submit(run).add_done_callback(told)
    assert is_planted(heard)


def test_the_log_has_the_traceback_without_its_secrets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
    try:
        logs.configure("INFO", "plain")
        thread = threading.Thread(target=int, args=(API_KEY,), name="tried")
        thread.start()
        thread.join()
    finally:
        root.handlers[:], root.level = before
    out, err = capsys.readouterr()
    assert "an error nobody expected in thread tried" in out
    assert "ValueError" in out
    assert API_KEY not in out + err


@pytest.fixture
def app(start_forewarm: ForewarmFactory, heard: list[BaseException | None]) -> Iterator[Forewarm]:
    app = start_forewarm(NEAR_MB="8")
    yield app
    assert is_planted(heard)


def test_purges_are_heard_again(app: Forewarm, monkeypatch: pytest.MonkeyPatch) -> None:
    near = app.services.near
    hear = Broken(near._hear)
    monkeypatch.setattr(near, "_hear", hear)
    wait_for(near.listening, "listening")
    assert hear.calls == 2


def test_the_harvest_goes_on_and_notes_what_it_lost(
    app: Forewarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    harvest = app.services.harvest
    monkeypatch.setattr(harvest, "_write", Broken(harvest._write))
    app.services.purger.purge(["repo:pallets/flask"], hard=False, cause="operator")

    def noted() -> list[Any]:
        with app.services.database.connection() as conn:
            return conn.execute("select tag from catalog_purges").fetchall()

    wait_for(noted, "note")
    assert noted() == [("all",)]


def test_an_answer_that_cannot_be_read_is_met_once(
    app: Forewarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    harvest = app.services.harvest
    monkeypatch.setattr(harvest, "_fill", Broken(harvest._fill))
    app.get(FLASK)
    assert harvest.flush()


def test_hits_are_said_again(app: Forewarm, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = app.services.recorder
    flush = Broken(recorder.flush)
    recorder.stop(app.services)
    monkeypatch.setattr(recorder, "flush", flush)
    monkeypatch.setattr(recorder, "_every", 0.01)
    recorder._stopped.clear()
    recorder.start_afresh()
    wait_for(lambda: flush.calls > 1, "second round")


def test_traces_are_written_again(app: Forewarm, monkeypatch: pytest.MonkeyPatch) -> None:
    traces = app.services.traces
    flush = Broken(traces.flush)
    monkeypatch.setattr(traces, "flush", flush)
    monkeypatch.setattr(traces, "_every", 0.01)
    traces._start()
    traces._wake.set()
    wait_for(lambda: flush.calls > 1, "second round")


def test_alerts_are_evaluated_again(app: Forewarm, monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = Rounds(app.services.alerting)
    evaluate = Broken(lambda: None)
    monkeypatch.setattr(rounds, "every", 0.01)
    lasting(lambda: rounds._run(evaluate), "alerts")
    wait_for(lambda: evaluate.calls > 1, "second round")


def test_leases_are_kept_again(app: Forewarm, monkeypatch: pytest.MonkeyPatch) -> None:
    store = app.services.store
    renew = Broken(store.renew)
    monkeypatch.setattr(store, "renew", renew)
    monkeypatch.setattr(flight, "RENEW_EVERY", 0.01)
    lease, _ = store.acquire("fw:e:of-a-test", ("all",))
    assert lease
    keeper = flight.LeaseKeeper(store)
    with keeper.holding(lease, 30):
        wait_for(lambda: renew.calls > 1, "second round")


def test_archived_answers_are_purged_in_the_end(
    app: Forewarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    purger = app.services.purger
    app.get(FLASK)
    monkeypatch.setattr("webapp.purging.RETRY_EVERY", 0.01)
    note = purger._note
    fails = iter([DatabaseUnavailable("away"), RuntimeError("planted")])

    def away(purge: Any) -> int | None:
        error = next(fails, None)
        if isinstance(error, RuntimeError):
            raise error
        if error:
            purger._later(purge)
            return None
        return note(purge)

    monkeypatch.setattr(purger, "_note", away)
    purger.purge(["repo:pallets/flask"], hard=True, cause="operator")

    def archived() -> int:
        with app.services.database.connection() as conn:
            return len(conn.execute("select 1 from upstream_responses").fetchall())

    wait_for(lambda: not archived(), "empty archive")


def test_redis_is_probed_again(heard: list[BaseException | None]) -> None:
    breaker = Breaker(Broken(lambda: None), every=0.01)
    breaker.trip(TimeoutError())
    wait_for(lambda: not breaker.open, "closed breaker")
    assert is_planted(heard)
