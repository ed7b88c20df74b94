"""`flask doctor` as it is typed: what it prints, how it ends, what it never shows."""

from __future__ import annotations

import socket

import orjson
import pytest
from click.testing import Result

from tests.serving import ADMIN_PASSWORD, API_KEY, SECRET_KEY, Forewarm, ForewarmFactory
from tests.standin.accounts import PUBLIC_TOKEN, SERVICE_TOKEN
from tests.webapp.doctor.asking import SOUND
from webapp.db.pool import Database
from webapp.jobs import SCHEDULER_HEARTBEAT, WORKER_HEARTBEAT, client
from webapp.secret import Secret


def run(forewarm: Forewarm, *arguments: str) -> Result:
    return forewarm.app.test_cli_runner().invoke(args=["doctor", *arguments])


def nowhere() -> str:
    """A loopback address on which nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{unused.getsockname()[1]}"


@pytest.fixture
def sound(start_forewarm: ForewarmFactory) -> Forewarm:
    """Nothing to complain of: worker and scheduler have just shown themselves."""
    forewarm = start_forewarm(**SOUND)
    with client(forewarm.settings.broker_url, timeout=1, connections=1) as broker:
        broker.mset({WORKER_HEARTBEAT: "1700000000", SCHEDULER_HEARTBEAT: "1700000000"})
    return forewarm


@pytest.fixture
def broken(start_forewarm: ForewarmFactory) -> Forewarm:
    """Nothing that is asked is there; the passwords in the URLs must not show."""
    return start_forewarm(
        REDIS_URL=f"redis://:hunter2@{nowhere()}/0",
        DATABASE_URL=f"postgresql://user:hunter3@{nowhere()}/forewarm",
        GITHUB_API_URL=f"http://{nowhere()}",
        PUBLIC_URL=f"http://{nowhere()}",
        GITHUB_PUBLIC_TOKEN=PUBLIC_TOKEN,
        ADMIN_PASSWORD=ADMIN_PASSWORD,
    )


def test_where_all_is_well_every_line_is_ok(sound: Forewarm) -> None:
    result = run(sound)
    assert (result.exit_code, result.stderr) == (0, "")
    marked = [line for line in result.output.splitlines() if line.startswith("  ")]
    assert marked == [line for line in marked if line.startswith("  ✓ ok ")]
    assert result.output.endswith("nothing FAILs, 0 warnings\n")


def test_a_warning_comes_with_its_remedy_and_fails_nothing(forewarm: Forewarm) -> None:
    result = run(forewarm)
    assert result.exit_code == 0
    output = result.output.splitlines()
    place = next(i for i, line in enumerate(output) if line.startswith("  ! warn  webhooks: "))
    assert output[place + 1].startswith("          → set GITHUB_WEBHOOK_SECRET")


def test_it_works_when_everything_is_down(broken: Forewarm) -> None:
    result = run(broken)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    for part in ("cache", "broker", "server", "API root", "token"):
        assert f"  ✗ FAIL  {part}: " in result.output


def test_json_says_the_same_to_a_program(broken: Forewarm) -> None:
    result = run(broken, "--json")
    assert result.exit_code == 1
    said = orjson.loads(result.output)
    assert said["ok"] is False
    cache = next(each for each in said["verdicts"] if each["name"] == "cache")
    assert (cache["check"], cache["state"], cache["action"]) == ("redis", "FAIL", "see REDIS_URL")


def test_what_is_not_ok_has_a_remedy(broken: Forewarm) -> None:
    verdicts = orjson.loads(run(broken, "--json").output)["verdicts"]
    assert [each for each in verdicts if (each["state"] == "ok") == bool(each["action"])] == []


@pytest.mark.parametrize("state", ["sound", "broken"])
@pytest.mark.parametrize("arguments", [[], ["--json"]], ids=["lines", "json"])
def test_it_shows_no_secret(
    state: str, arguments: list[str], request: pytest.FixtureRequest
) -> None:
    forewarm = request.getfixturevalue(state)
    output = run(forewarm, *arguments).output
    secrets = (SERVICE_TOKEN, PUBLIC_TOKEN, API_KEY, SECRET_KEY, ADMIN_PASSWORD, "hunter")
    urls = (forewarm.settings.redis_url.reveal(), forewarm.settings.database_url.reveal())
    assert [secret for secret in (*secrets, *urls) if secret in output] == []


def test_no_check_leaves_a_connection_open(sound: Forewarm) -> None:
    run(sound)
    settings = sound.settings
    with client(settings.redis_url, timeout=1, connections=1) as redis:
        before = len(redis.client_list())
        run(sound)
        assert len(redis.client_list()) <= before
    with Database(Secret(settings.database_url.reveal()), size=1).connection() as conn:
        named = "select count(*) from pg_stat_activity where application_name = 'forewarm doctor'"
        assert conn.execute(named).fetchone() == (0,)
