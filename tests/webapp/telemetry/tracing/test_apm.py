"""The agent in this process: with a server that is well, refuses, or hangs, and without one."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
import pytest
import requests

from tests.serving import ROOT, ForewarmFactory
from tests.webapp.telemetry.intake import Intake, faults
from webapp.telemetry.tracing import tee
from webapp.telemetry.tracing.apm import Agent, carried
from webapp.telemetry.tracing.spans import statement


class Sink:
    """Keeps what it is offered."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Mapping[str, Any]]] = []
        self.stopped = False

    def offer(self, kind: str, event: Mapping[str, Any]) -> None:
        self.events.append((kind, event))

    def stop(self) -> None:
        self.stopped = True


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def start(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    started: list[Agent] = []

    def agent(server: str = "", **settings: str) -> Agent:
        for name, value in {"SERVER_URL": server, **settings}.items():
            monkeypatch.setenv(f"ELASTIC_APM_{name}", value)
        started.append(Agent(sink))
        return started[-1]

    yield agent
    for each in started:
        each.close()
        if each._transport._thread:
            each._transport._thread.join(5)


def traced(agent: Agent, statements: int = 1) -> str:
    """A transaction with so many spans; its trace's id."""
    transaction = agent.begin("request", "GET /some")
    assert transaction is not None
    for number in range(statements):
        with statement(f"select {number} from some{number}"):
            pass
    agent.end(transaction, "HTTP 2xx", failed=False)
    return str(transaction.trace_parent.trace_id)


# A server that takes events


def test_a_server_gets_what_the_local_sink_gets(start: Any, sink: Sink) -> None:
    with Intake() as intake:
        agent = start(intake.url, SECRET_TOKEN="a-token-of-apm", METRICS_INTERVAL="0s")
        trace = traced(agent)
        agent.close()
        sent = [(kind, event["id"]) for kind, event in intake.events[1:]]
        assert sent == [(kind, event["id"]) for kind, event in sink.events]
        assert [kind for kind, _ in sent] == ["span", "transaction"]
        assert intake.of("transaction")[0]["trace_id"] == trace
        assert not [each for kind, event in intake.events for each in faults(kind, event)]
        assert sink.stopped


def test_the_agents_own_settings_win(start: Any) -> None:
    with Intake() as intake:
        agent = start(intake.url, SERVICE_NAME="of-ours", ENVIRONMENT="staging")
        traced(agent)
        agent.close()
        service = intake.of("metadata")[0]["service"]
    assert (service["name"], service["environment"]) == ("of-ours", "staging")


def test_no_trace_is_begun_where_recording_is_off(start: Any) -> None:
    agent = start(RECORDING="false")
    assert agent.begin("request", "GET /some") is None
    assert carried() == {}


@pytest.mark.parametrize(
    ("header", "state"),
    [
        ("", ""),
        ("00-secret-0123-01", ""),
        ("00-" + "0" * 32 + "-b7ad6b7169203331-01", ""),
        ("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01", ""),
        ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", ""),
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01,00-0-0-01", ""),
        ("", "es=s:abc"),
    ],
)
def test_an_unsound_traceparent_begins_a_trace_of_its_own(
    start: Any, sink: Sink, header: str, state: str
) -> None:
    agent = start()
    transaction = agent.begin("request", "x", {"traceparent": header, "tracestate": state})
    agent.end(transaction, "", failed=False)
    agent.close()
    ((_, event),) = sink.events
    assert len(event["trace_id"]) == 32
    assert event["trace_id"] not in header
    assert "parent_id" not in event


@pytest.mark.parametrize("state", ["es=s:abc", "es=s:1e999", "x=y,es=s:", "a" * 5_000])
def test_a_sample_rate_that_is_none_is_left_out(start: Any, sink: Sink, state: str) -> None:
    agent = start()
    sound = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    transaction = agent.begin("request", "x", {"traceparent": sound, "tracestate": state})
    assert carried()["traceparent"].split("-")[1:3] == [sound.split("-")[1], transaction.id]
    assert "tracestate" not in carried()
    agent.end(transaction, "", failed=False)
    agent.close()
    assert sink.events[0][1]["parent_id"] == "b7ad6b7169203331"


# A server that doesn't


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_refuses_costs_a_line_and_what_was_sent(
    start: Any, sink: Sink, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    with Intake(status) as intake, caplog.at_level(logging.WARNING):
        agent = start(intake.url, API_REQUEST_TIME="50ms", METRICS_INTERVAL="0s")
        for _ in range(3):
            traced(agent)
            time.sleep(0.08)
        intake.wait(lambda: agent.unsent >= 4, "counted drops")
        intake.status = 202
        intake.wait(lambda: traced(agent) and intake.events, "events again")
        said = [each for each in caplog.messages if "APM server" in each]
    assert len(said) == 1
    assert len([kind for kind, _ in sink.events if kind == "transaction"]) >= 4


def test_a_server_that_is_away_costs_one_line(
    start: Any, sink: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with caplog.at_level(logging.WARNING):
        agent = start(
            f"http://me:planted-password-1@127.0.0.1:{port}",
            API_REQUEST_TIME="30ms",
            METRICS_INTERVAL="0s",
        )
        for _ in range(4):
            traced(agent)
            time.sleep(0.05)
        agent.close()
    ours = [each for each in caplog.records if not each.name.startswith("urllib3")]
    assert len(ours) == 1
    assert "planted-password-1" not in caplog.text
    assert len(sink.events) == 8


def test_a_server_that_hangs_keeps_nobody_waiting(start: Any, sink: Sink) -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        agent = start(
            f"http://127.0.0.1:{mute.getsockname()[1]}", SERVER_TIMEOUT="2s", METRICS_INTERVAL="0s"
        )
        began = time.perf_counter()
        for _ in range(50):
            traced(agent)
        assert time.perf_counter() - began < 0.5
        began = time.perf_counter()
        agent.close()
        assert time.perf_counter() - began < tee.CLOSING + 0.5
    assert len(sink.events) == 100


def test_what_is_too_much_for_it_is_dropped_and_counted(
    start: Any, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tee, "QUEUE_MAX", 10)
    with Intake(delay=0.5) as intake:
        agent = start(
            intake.url, API_REQUEST_TIME="1ms", SKIP_SERVER_INFO="true", METRICS_INTERVAL="0s"
        )
        traced(agent)
        time.sleep(0.1)
        for _ in range(30):
            traced(agent)
        assert 40 <= agent.dropped <= 52
    assert len(sink.events) == 62


# None


def test_without_a_server_nothing_is_asked_logged_or_left_running(
    start: Any, sink: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    before = set(threading.enumerate())
    with caplog.at_level(logging.DEBUG, "urllib3"), caplog.at_level(logging.INFO):
        agent = start()
        traced(agent)
        assert set(threading.enumerate()) == before
        agent.close()
    assert caplog.messages == []
    assert [kind for kind, _ in sink.events] == ["span", "transaction"]


def test_a_forked_child_traces_for_itself() -> None:
    program = """
import os, time
from webapp.telemetry.tracing.apm import Agent
class Sink:
    events = []
    def offer(self, kind, event): self.events.append(event["name"])
    def stop(self): pass
agent = Agent(Sink())
def traced(name):
    agent.end(agent.begin("request", name), "", failed=False)
traced("before")
if os.fork() == 0:
    Sink.events.clear()
    traced("child")
    agent.close()
    print("child", Sink.events, flush=True)
    os._exit(0)
os.wait()
traced("parent")
agent.close()
print("parent", Sink.events)
"""
    said = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert said.stdout.splitlines() == ["child ['child']", "parent ['before', 'parent']"]


def test_with_telemetry_off_there_is_no_agent(start_forewarm: ForewarmFactory) -> None:
    forewarm = start_forewarm(TELEMETRY="off")
    services = forewarm.services
    assert services.agent is None
    assert "traces" not in forewarm.app.extensions
    assert forewarm.get("/orgs/pallets").status_code == 200
    assert carried() == {}
    with services.database.connection() as conn:
        assert conn.cursor_factory is psycopg.Cursor


# Spans


def test_a_span_hears_of_a_call_no_urls_secret(start: Any, sink: Sink) -> None:
    with Intake() as away, Intake() as intake:
        agent = start(intake.url)
        transaction = agent.begin("request", "x")
        requests.get(f"{away.url}/x?access_token=secret-1&page=2&odd=secret-2", timeout=5)
        agent.end(transaction, "", failed=False)
        agent.close()
        ((_, _, headers),) = away.asked
        (span,) = intake.of("span")
    assert not {name.lower() for name in headers} & {"traceparent", "tracestate"}
    assert span["context"]["http"]["url"].partition("?")[2] == (
        "access_token=••••••&page=2&odd=••••••"
    )
