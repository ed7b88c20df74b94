"""Warming by real workers: told to stop, or killed (FOREWARM_LONG=1), and another takes over."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import pytest

from tests.serving import Forewarm, ForewarmFactory
from tests.standin.process import StandIn
from tests.workers.processes import WORKER, Process, running, wait_for
from webapp.db.warming_runs import Run

STOPS = ("terminate", "kill") if os.environ.get("FOREWARM_LONG") else ("terminate",)
REPOSITORIES = 30


@pytest.fixture
def forewarm(start_forewarm: ForewarmFactory, github: StandIn) -> Forewarm:
    """On a GitHub that takes its time."""
    for number in range(REPOSITORIES):
        github.create_repo(f"psf/warmed-{number}", webhook=False)
    github.latency(100)
    return start_forewarm()


@pytest.fixture
def begun(forewarm: Forewarm) -> int:
    names = [f"psf/warmed-{number}" for number in range(REPOSITORIES)]
    return forewarm.services.warming.begin(names, "api")


def worker(environ: Mapping[str, str], log: Path) -> Iterator[Process]:
    others = {name: value for name, value in environ.items() if name != "REDIS_URL"}
    with running(WORKER, environ["REDIS_URL"], log, **others) as process:
        yield process


@pytest.fixture
def first(environ: dict[str, str], tmp_path: Path) -> Iterator[Process]:
    yield from worker(environ, tmp_path / "first.log")


@pytest.fixture
def second(environ: dict[str, str], tmp_path: Path) -> Iterator[Process]:
    """Started when asked for by the test's own hand, after the first has gone."""
    yield from worker(environ, tmp_path / "second.log")


def wait_done(forewarm: Forewarm, run: int, count: int) -> Run:
    runs = forewarm.services.warming
    wait_for(lambda: runs.get(run).done >= count, f"{count} answers warmed")
    return runs.get(run)


def ended(forewarm: Forewarm, run: int) -> Run:
    runs = forewarm.services.warming
    wait_for(lambda: runs.get(run).state not in {"queued", "running"}, "end of the run", 30)
    return runs.get(run)


@pytest.mark.parametrize("stop", STOPS)
def test_a_stopped_workers_run_goes_on_where_it_was(
    forewarm: Forewarm,
    github: StandIn,
    environ: dict[str, str],
    begun: int,
    first: Process,
    request: pytest.FixtureRequest,
    stop: str,
) -> None:
    """A killed one's lease would be over after LEASE seconds, and the sweep come within a minute:
    here both are at once."""
    wait_done(forewarm, begun, 3)
    getattr(first, stop)()
    stopped = forewarm.services.warming.get(begun)
    assert stopped.state == "running"
    assert 3 <= stopped.done < REPOSITORIES
    with psycopg.connect(environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("update warming_runs set leased_until = now() where lease <> ''")
    forewarm.services.warming.sweep()
    request.getfixturevalue("second")
    run = ended(forewarm, begun)
    assert (run.state, run.done, run.failures) == ("done", REPOSITORIES, 0)
    # What a killed one had just been told by GitHub may be asked once more.
    calls = github.count("/repos/psf/warmed-")
    assert REPOSITORIES <= calls <= REPOSITORIES + (stop == "kill")
