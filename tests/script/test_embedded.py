"""The embedded stores keep their data, their secrets and their manners."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from script.accounts import account_for, reaches, through_locked_doors
from script.embedded import Postgres, Store, StoreError, Valkey, start_together, stop_together
from script.ports import free_port
from script.var import ROOT

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone else")


def client(valkey: Valkey) -> redis.Redis:
    return redis.Redis.from_url(valkey.url, socket_timeout=2)


def statement(postgres: Postgres, text: str) -> list[tuple[object, ...]]:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        cursor = connection.execute(text.encode())
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def squatter() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_valkey_keeps_its_data_over_a_stop(own_valkey: Valkey) -> None:
    own_valkey.start()
    with closing(client(own_valkey)) as connection:
        connection.set("kept", "yes")
    own_valkey.stop()
    own_valkey.start()
    with closing(client(own_valkey)) as connection:
        assert connection.get("kept") == b"yes"


def test_valkey_keeps_its_data_over_a_kill(own_valkey: Valkey) -> None:
    own_valkey.start()
    with closing(client(own_valkey)) as connection:
        connection.set("kept", "yes")
    own_valkey.kill()
    own_valkey.start()
    with closing(client(own_valkey)) as connection:
        assert connection.get("kept") == b"yes"


def test_postgresql_keeps_its_data_over_a_kill(own_postgres: Postgres) -> None:
    statement(own_postgres, "CREATE TABLE kept AS SELECT 1 AS n")
    own_postgres.kill()
    own_postgres.start()
    assert statement(own_postgres, "SELECT n FROM kept") == [(1,)]


def test_a_restart_keeps_the_url(own_valkey: Valkey) -> None:
    own_valkey.start()
    before = own_valkey.url
    own_valkey.kill()
    own_valkey.start()
    assert own_valkey.url == before


def test_another_script_picks_up_port_and_password(own_valkey: Valkey) -> None:
    own_valkey.start()
    before = own_valkey.url
    own_valkey.stop()
    again = Valkey(own_valkey.directory)
    again.start()
    try:
        assert again.url == before
    finally:
        again.stop()


def test_valkey_evicts_only_what_expires(own_valkey: Valkey) -> None:
    own_valkey.start()
    with closing(client(own_valkey)) as connection:
        held = connection.config_get("maxmemory*")
    assert (held["maxmemory"], held["maxmemory-policy"]) == (str(256 * 2**20), "volatile-lfu")


def test_valkey_refuses_who_has_no_password(own_valkey: Valkey) -> None:
    own_valkey.start()
    with (
        redis.Redis(port=own_valkey.port, retry=Retry(NoBackoff(), 0)) as stranger,
        pytest.raises(redis.AuthenticationError),
    ):
        stranger.get("anything")


def test_postgresql_refuses_who_has_no_password(own_postgres: Postgres) -> None:
    url = own_postgres.url.replace(own_postgres.password, "guess")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


def test_postgresql_lets_no_superuser_in(own_postgres: Postgres) -> None:
    url = own_postgres.url.replace("//forewarm:", "//postgres:")
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
        psycopg.connect(url)


def test_the_role_is_no_superuser(own_postgres: Postgres) -> None:
    found = statement(own_postgres, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    assert found == [(False,)]


def test_the_database_has_its_extensions(own_postgres: Postgres) -> None:
    found = statement(own_postgres, "SELECT extname FROM pg_extension ORDER BY 1")
    assert found == [("pg_stat_statements",), ("pg_trgm",), ("plpgsql",)]


def test_statements_of_everybody_can_be_seen(own_postgres: Postgres) -> None:
    assert statement(own_postgres, "SELECT 1 FROM pg_stat_statements LIMIT 1") == [(1,)]


def test_passwords_are_for_their_owner_alone(own_valkey: Valkey) -> None:
    own_valkey.start()
    mode = (own_valkey.directory / "password").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


@pytest.mark.parametrize("kind", [Valkey, Postgres])
def test_no_password_shows_in_the_process_list(
    kind: type[Store], own_valkey: Valkey, own_postgres: Postgres
) -> None:
    own_valkey.start()
    server: Store = own_valkey if kind is Valkey else own_postgres
    server.start()
    assert server.password not in " ".join(psutil.Process(server.pid).cmdline())


def test_a_paused_store_hangs_and_a_resumed_one_answers(own_valkey: Valkey) -> None:
    own_valkey.start()
    with redis.Redis.from_url(own_valkey.url, socket_timeout=0.2) as connection:
        connection.set("kept", "yes")
        own_valkey.pause()
        with pytest.raises(redis.TimeoutError):
            connection.get("kept")
        own_valkey.resume()
        assert connection.get("kept") == b"yes"


def test_a_paused_store_can_be_stopped(own_valkey: Valkey) -> None:
    own_valkey.start()
    own_valkey.pause()
    own_valkey.stop()
    assert not own_valkey.running


def test_a_wanted_port_that_is_taken_is_one_line(own_valkey: Valkey, squatter: int) -> None:
    with pytest.raises(StoreError) as caught:
        Valkey(own_valkey.directory, port=squatter).start()
    assert str(caught.value) == (
        f"port {squatter}, wanted for Valkey, is taken by another program: "
        f"stop that, or set REDIS_URL"
    )


def test_a_remembered_port_that_is_taken_is_changed(own_valkey: Valkey, squatter: int) -> None:
    own_valkey.directory.mkdir()
    (own_valkey.directory / "port").write_text(str(squatter))
    own_valkey.start()
    assert own_valkey.port != squatter


def test_a_wanted_port_is_used(own_valkey: Valkey) -> None:
    port = free_port()
    wanted = Valkey(own_valkey.directory, port=port)
    wanted.start()
    try:
        with closing(client(wanted)) as connection:
            assert connection.ping()
        assert wanted.port == port
    finally:
        wanted.stop()


START_AND_SAY_PID = """
import sys
from pathlib import Path
from script.embedded import Postgres, Valkey
server = {"Valkey": Valkey, "PostgreSQL": Postgres}[sys.argv[1]](Path(sys.argv[2]))
server.start()
print(server.pid, flush=True)
sys.stdin.read()
"""


def other_script(server: Store) -> subprocess.Popen[str]:
    """Another process that runs `server`'s directory, until its standard input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", START_AND_SAY_PID, server.name, str(server.directory)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def killed_script(server: Store) -> psutil.Process:
    """The server that a script left running when it was killed."""
    with other_script(server) as script:
        assert script.stdout is not None
        left = psutil.Process(int(script.stdout.readline()))
        script.kill()
    assert left.is_running()
    return left


def test_valkey_left_by_a_killed_script_gives_way(own_valkey: Valkey) -> None:
    left = killed_script(own_valkey)
    own_valkey.start()
    with closing(client(own_valkey)) as connection:
        assert connection.ping()
    assert not left.is_running() or left.status() == psutil.STATUS_ZOMBIE


def test_postgresql_left_by_a_killed_script_gives_way(own_postgres: Postgres) -> None:
    own_postgres.stop()
    left = killed_script(own_postgres)
    own_postgres.start()
    assert statement(own_postgres, "SELECT 1") == [(1,)]
    assert not left.is_running() or left.status() == psutil.STATUS_ZOMBIE


def test_a_directory_is_used_by_one_script_at_a_time(own_valkey: Valkey) -> None:
    with other_script(own_valkey) as script:
        assert script.stdout is not None
        left = psutil.Process(int(script.stdout.readline()))
        with pytest.raises(StoreError, match=rf"in use by another script \(pid {script.pid}\)"):
            own_valkey.start()
        assert left.is_running()
        script.kill()
    own_valkey.start()  # ends the leftover


def test_a_cluster_half_made_is_made_anew(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "postgres", durable=False)
    (server.directory / "data.new" / "base").mkdir(parents=True)
    server.start()
    try:
        assert statement(server, "SELECT 1") == [(1,)]
    finally:
        server.stop()


def test_cleared_data_is_gone(own_valkey: Valkey) -> None:
    own_valkey.start()
    with closing(client(own_valkey)) as connection:
        connection.set("kept", "yes")
    own_valkey.stop()
    own_valkey.clear()
    own_valkey.start()
    with closing(client(own_valkey)) as connection:
        assert connection.dbsize() == 0


def test_an_odd_path_is_no_obstacle(tmp_path: Path) -> None:
    server = Valkey(tmp_path / """it's a "path" with \\ and ü""")
    server.start()
    server.stop()


def test_what_cannot_start_says_why_and_leaves_nothing(own_valkey: Valkey) -> None:
    own_valkey.maxmemory = "plenty"
    with pytest.raises(StoreError, match=r"Valkey did not start \(.+\); its log: "):
        own_valkey.start()
    assert not own_valkey.running


def test_where_one_cannot_start_none_stays(own_valkey: Valkey, squatter: int) -> None:
    other = Valkey(own_valkey.directory.with_name("other"), port=squatter)
    with pytest.raises(StoreError):
        start_together([own_valkey, other])
    assert not own_valkey.running


def test_stopping_twice_does_no_harm(own_valkey: Valkey) -> None:
    own_valkey.start()
    stop_together([own_valkey])
    stop_together([own_valkey])
    assert not own_valkey.running


@as_root
def test_root_runs_postgresql_as_someone_else(own_postgres: Postgres) -> None:
    assert psutil.Process(own_postgres.pid).uids().effective != 0


@as_root
def test_root_s_closed_directory_is_no_obstacle(own_postgres: Postgres) -> None:
    account = account_for(own_postgres.data)
    assert account is not None
    assert not reaches(account, [own_postgres.directory])
    assert own_postgres.running


@as_root
def test_data_of_a_user_is_served_as_that_user(tmp_path: Path) -> None:
    directory = tmp_path / "somebody's"
    directory.mkdir()
    os.chown(directory, 65534, 65534)
    account = account_for(directory / "data")
    assert account is not None
    assert account.pw_uid == 65534


@as_root
def test_an_ordinary_user_runs_both_alone(store_directory: Path) -> None:
    """As `nobody`, let through to this checkout wherever it is."""
    home = store_directory / "ordinary"
    home.mkdir()
    account = account_for(home / "data")
    assert account is not None
    os.chown(home, account.pw_uid, account.pw_gid)
    script = START_AND_SAY_PID + "server.stop()\n"
    for server in (Valkey(home / "valkey"), Postgres(home / "postgres")):
        done = subprocess.run(
            [*through_locked_doors(account), sys.executable, "-c", script, server.name,
             str(server.directory)],
            cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert server.data.stat().st_uid == account.pw_uid
