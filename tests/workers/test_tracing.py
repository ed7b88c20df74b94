"""A job's transaction: how it ends, and what of a job is never in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from dramatiq import Message, MessageProxy
from dramatiq.brokers.stub import StubBroker

from webapp.errors import GitHubUnavailable, OutOfBudget
from webapp.jobs import TRACE
from webapp.signals import job_ran
from webapp.telemetry.tracing.apm import Agent, carried
from workers.again import UnknownJob
from workers.tracing import Tracing

BROKER = StubBroker(middleware=[])
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Sink:
    def __init__(self) -> None:
        self.events: list[tuple[str, Mapping[str, Any]]] = []

    def offer(self, kind: str, event: Mapping[str, Any]) -> None:
        self.events.append((kind, event))

    def stop(self) -> None:
        pass


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def tracing(sink: Sink) -> Iterator[Tracing]:
    agent = Agent(sink)
    yield Tracing(agent)
    agent.close()


def message(**options: object) -> MessageProxy:
    made: Message[Any] = Message(
        queue_name="upkeep",
        actor_name="some",
        args=("an argument",),
        kwargs={},
        options={"redis_message_id": "1", **options},
    )
    return MessageProxy(made)


def run(tracing: Tracing, job: MessageProxy, error: BaseException | None, result: str) -> None:
    tracing.before_process_message(BROKER, job)
    job_ran.send(None, queue="upkeep", actor="some", result=result, seconds=0.1, attempt=1, job="1")
    tracing.after_process_message(BROKER, job, exception=error)


@pytest.mark.parametrize(
    ("error", "result", "outcome", "errors"),
    [
        (None, "done", "success", 0),
        (OutOfBudget(1.0, "hour"), "put_off", "success", 0),
        (UnknownJob("of another release"), "put_off", "success", 0),
        (GitHubUnavailable("down"), "retried", "failure", 1),
        (ValueError("no"), "dead", "failure", 1),
    ],
)
def test_a_job_ends_as_what_became_of_it(
    tracing: Tracing,
    sink: Sink,
    error: BaseException | None,
    result: str,
    outcome: str,
    errors: int,
) -> None:
    run(tracing, message(), error, result)
    *before, (kind, event) = sink.events
    assert [each for each, _ in before] == ["error"] * errors
    assert (kind, event["type"], event["name"]) == ("transaction", "messaging", "some")
    assert (event["result"], event["outcome"]) == (result, outcome)
    assert event["context"]["tags"]["outcome"] == result
    assert "an argument" not in str(sink.events)


def test_a_job_that_nobody_knows_ends_as_a_failure(tracing: Tracing, sink: Sink) -> None:
    job = message()
    job.fail()
    run(tracing, job, UnknownJob("of no release"), "dead")
    assert [kind for kind, _ in sink.events] == ["error", "transaction"]
    assert sink.events[-1][1]["outcome"] == "failure"


def test_a_skipped_job_ends_too(tracing: Tracing, sink: Sink) -> None:
    job = message()
    tracing.before_process_message(BROKER, job)
    tracing.after_skip_message(BROKER, job)
    assert [kind for kind, _ in sink.events] == ["transaction"]
    assert carried() == {}


def test_a_job_continues_the_trace_it_carries(tracing: Tracing, sink: Sink) -> None:
    run(tracing, message(trace={"traceparent": PARENT}), None, "done")
    ((_, event),) = sink.events
    assert (event["trace_id"], event["parent_id"]) == tuple(PARENT.split("-")[1:3])


def test_a_child_carries_its_parents_trace_and_a_retry_its_own(tracing: Tracing) -> None:
    job = message(trace={"traceparent": PARENT})
    tracing.before_process_message(BROKER, job)
    child: Message[Any] = message()._message
    tracing.before_enqueue(BROKER, child, None)
    tracing.before_enqueue(BROKER, job._message, 5_000)
    tracing.after_process_message(BROKER, job)
    assert child.options[TRACE]["traceparent"].split("-")[1] == PARENT.split("-")[1]
    assert child.options[TRACE]["traceparent"] != PARENT
    assert job.options[TRACE] == {"traceparent": PARENT}


def test_what_is_enqueued_outside_of_any_trace_carries_none(tracing: Tracing) -> None:
    alone: Message[Any] = message()._message
    tracing.before_enqueue(BROKER, alone, None)
    assert TRACE not in alone.options
