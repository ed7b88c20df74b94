"""flask watch and flask warm."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from script.embedded import Postgres, Valkey
from tests.serving import Forewarm
from tests.standin.process import StandIn
from tests.webapp.lasting import Applications, lasting_applications
from webapp.db.warming_runs import Run


@pytest.fixture(scope="module")
def applications(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    with lasting_applications(valkey, postgres, standin, "warm_commands") as made:
        yield made


@pytest.fixture
def forewarm(applications: Applications, github: StandIn) -> Forewarm:
    made = applications(WATCH="psf/requests")
    with psycopg.connect(applications.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("truncate watches, warming_runs restart identity")
    made.services.watches._again()
    return made


def test_the_command_line_says_what_it_did(forewarm: Forewarm) -> None:
    run = forewarm.app.test_cli_runner().invoke
    said = [
        run(args=["watch", *arguments.split()]).output.strip()
        for arguments in ("add Pallets", "list", "remove pallets", "remove psf/requests")
    ]
    assert said == [
        "watching pallets",
        "pallets\towner\tcli\npsf/requests\trepo\tenv",
        "no longer watching pallets",
        "Error: psf/requests is watched by the setting WATCH: take it out there",
    ]


def test_flask_warm_tells_how_it_went(forewarm: Forewarm, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker's part is done where the command would look at the run."""
    runs = forewarm.services.warming
    get = runs.get

    def worked(run: int) -> Run:
        runs.turn(run)
        return get(run)

    monkeypatch.setattr(runs, "get", worked)
    result = forewarm.app.test_cli_runner().invoke(args=["warm", "pallets"])
    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == "run 1 done: 2 of 2, 2 points, 0 saved"


def test_ctrl_c_leaves_the_run_going_and_says_so(
    forewarm: Forewarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(forewarm.services.warming, "get", interrupted)
    result = forewarm.app.test_cli_runner().invoke(args=["warm"])
    monkeypatch.undo()
    assert result.exit_code == 1
    assert "run 1 goes on; flask warm --cancel 1 ends it" in result.output
    assert forewarm.services.warming.get(1).state == "queued"
