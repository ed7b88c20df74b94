"""How many connections Redis sees, how it is reached by TLS, and what a fork does to them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest
import redis
import requests

from script.embedded import Valkey
from tests.chaos.wire import Wire
from tests.deployment.tls import TlsFront, redis_first, self_signed
from tests.load.callers import all_at_once, outcomes
from tests.serving import ROOT, ForewarmFactory, serve
from tests.standin.process import StandIn
from webapp.cache.connection import Connection
from webapp.cache.reader import Reader
from webapp.errors import StoreUnavailable
from webapp.secret import Secret

DETAIL = "/repos/pallets/flask"


@pytest.mark.parametrize("size", [1, 4])
def test_a_small_pool_is_enough_for_many_threads_and_is_never_exceeded(
    environ: dict[str, str], github: StandIn, valkey: Valkey, tmp_path: Path, size: int
) -> None:
    settings = {
        **environ,
        "ANONYMOUS_SCOPE": "service",
        "REDIS_POOL": str(size),
        "HITPATH": "on",
        "NEAR_MB": "0",
        "HIT_SAMPLE": "3",  # by Flask too
    }
    github.latency(50)
    with serve(settings, tmp_path / "server.log") as server:
        paths = ["/repos/pallets/flask", "/repos/pallets/click", "/orgs/pallets/repos"]
        answers = all_at_once([server.api + paths[turn % 3] for turn in range(300)])
        workers = psutil.Process(server.process.pid).children()
        to = [
            each.raddr.port for worker in workers for each in worker.net_connections() if each.raddr
        ]
        most = to.count(valkey.port)
    print(f"\nREDIS_POOL={size}: {most} connections, {dict(outcomes(answers))}")
    assert {each.status for each in answers} == {200}
    assert github.count("/repos/") + github.count("/orgs/") == 3
    # The pool, and one that probes and catches up.
    assert most <= size + 1


@pytest.mark.alone
def test_a_hung_redis_holds_each_thread_up_once_however_small_the_pool(
    valkey: Valkey, redis_url: str
) -> None:
    connection = Connection(Secret(redis_url), size=2)
    connection.ping()
    valkey.pause()
    waited: list[float] = []

    def ask() -> None:
        began = time.monotonic()
        with pytest.raises(StoreUnavailable):
            connection.read_many(["one", "two"])
        waited.append(time.monotonic() - began)

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    ask()
    valkey.resume()
    connection.close()
    print(f"\n16 threads on a hung Redis, pool of 2: worst {max(waited) * 1000:.0f} ms")
    assert max(waited) <= 0.25 + 0.05 + 0.2
    assert waited[-1] <= 0.05


def test_a_redis_that_hangs_from_the_start_is_found_out_by_one_thread_for_all(
    valkey: Valkey, redis_url: str
) -> None:
    connection = Connection(Secret(redis_url), size=8)
    valkey.pause()
    began = time.monotonic()

    def ask() -> None:
        with pytest.raises(StoreUnavailable):
            connection.ping()

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    seconds = time.monotonic() - began
    valkey.resume()
    connection.close()
    assert seconds <= 0.25 * 2 + 0.2


@pytest.fixture
def promoted(valkey: Valkey, redis_url: str, store_directory: Path) -> Iterator[Valkey]:
    """Another server, with the session's password; either says which it is."""
    other = Valkey(store_directory / "promoted", password=valkey.password)
    other.start()
    for url, name in ((redis_url, b"before"), (other.url, b"promoted")):
        with redis.Redis.from_url(url) as client:
            client.set("which", name)
    yield other
    other.stop()


@pytest.fixture
def through(valkey: Valkey, redis_url: str) -> Iterator[tuple[Connection, Wire]]:
    """A connection over a line that may lead to another server."""
    with Wire(valkey.port) as wire:
        connection = Connection(Secret(wire.url(redis_url, valkey.port)), size=4)
        yield connection, wire
        connection.close()


def fail_over(connection: Connection, wire: Wire, to: Valkey) -> None:
    """Catch up with the other server; lines to the one before stay open, and it answers them."""
    wire.lead(to.port)
    connection.distrust(redis.exceptions.ConnectionError("failover"))
    deadline = time.monotonic() + 10
    while connection.breaker.refused():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_read_that_a_failover_overtakes_leaves_no_line_to_the_server_before(
    through: tuple[Connection, Wire], promoted: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, go_on = threading.Event(), threading.Event()

    class Slow(Reader):
        """Its answer comes late to who asked for it."""

        def read_many(self, keys: Sequence[str]) -> list[bytes | None] | None:
            found = super().read_many(keys)
            answered.set()
            assert go_on.wait(10)
            return found

    connection, wire = through
    monkeypatch.setattr("webapp.cache.connection.Reader", Slow)
    connection.ping()
    found: list[list[bytes | None]] = []
    reading = threading.Thread(target=lambda: found.append(connection.read_many(["which"])))
    reading.start()
    assert answered.wait(10)
    fail_over(connection, wire, promoted)
    go_on.set()
    reading.join()
    found += [connection.read_many(["which"]) for _ in range(2)]
    assert found == [[b"before"], [b"promoted"], [b"promoted"]]


def test_a_command_that_a_failover_overtakes_leaves_no_line_to_the_server_before(
    through: tuple[Connection, Wire], promoted: Valkey
) -> None:
    connection, wire = through
    connection.ping()
    pool = connection.connection_pool
    used = pool.get_connection()
    fail_over(connection, wire, promoted)
    pool.release(used)
    assert [connection.get("which") for _ in range(2)] == [b"promoted"] * 2


FORKED = """
import os, sys
from webapp.cache.connection import Connection
from webapp.secret import Secret

connection = Connection(Secret(sys.argv[1]), size=4)
connection.set("whose", "parent's")
for _ in range(3):
    assert connection.read_many(["whose"]) == [b"parent's"]
connection._establishing.acquire()
connection._readers_lock.acquire()
children = []
for number in range(4):
    child = os.fork()
    if child == 0:
        key = f"child {number}"
        connection.set(key, key)
        answers = {connection.read_many([key])[0] for _ in range(300)}
        os._exit(0 if answers == {key.encode()} else 3)
    children.append(child)
connection._establishing.release()
connection._readers_lock.release()
own = {connection.read_many(["whose"])[0] for _ in range(300)}
print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children], own)
"""


def test_forked_children_share_neither_connections_nor_locks_with_their_parent(
    redis_url: str,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKED, redis_url],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout.strip() == '[0, 0, 0, 0] {b"parent\'s"}', done.stderr


# TLS: Valkey's wheel is built without, so a line in front of it speaks TLS


@pytest.fixture
def tls(valkey: Valkey, redis_url: str, tmp_path: Path) -> Iterator[str]:
    """rediss://… of a server whose certificate is its own word, as Heroku's."""
    with TlsFront(valkey.port, redis_first, self_signed(tmp_path)) as front:
        url = redis_url.replace(f":{valkey.port}/", f":{front.port}/")
        yield url.replace("redis://", "rediss://")


def test_rediss_with_a_certificate_nobody_knows_works_where_it_isnt_verified(
    start_forewarm: ForewarmFactory, tls: str
) -> None:
    forewarm = start_forewarm(REDIS_URL=tls, REDIS_TLS_VERIFY="off")
    assert [forewarm.get(DETAIL).headers["X-Cache"] for _ in range(2)] == ["MISS", "HIT"]
    deadline = time.monotonic() + 5
    while "near" not in forewarm.get(DETAIL).headers["Cache-Status"]:
        assert time.monotonic() < deadline


def test_rediss_with_a_certificate_nobody_knows_is_no_redis_where_it_is_verified(
    start_forewarm: ForewarmFactory, tls: str
) -> None:
    forewarm = start_forewarm(REDIS_URL=tls)
    assert [forewarm.get(DETAIL).headers["X-Cache"] for _ in range(2)] == ["MISS", "REVALIDATED"]


def test_a_line_to_redis_that_is_cut_under_load_is_made_anew(
    environ: dict[str, str], valkey: Valkey, tmp_path: Path
) -> None:
    with Wire(valkey.port) as wire:
        settings = {
            **environ,
            "REDIS_URL": wire.url(environ["REDIS_URL"], valkey.port),
            "ANONYMOUS_SCOPE": "service",
        }
        with serve(settings, tmp_path / "server.log") as server, requests.Session() as session:
            statuses = set()
            for turn in range(60):
                if turn % 10 == 5:
                    wire.cut()
                statuses.add(session.get(server.api + DETAIL, timeout=10).status_code)
            assert statuses == {200}
            deadline = time.monotonic() + 5
            while session.get(server.api + DETAIL, timeout=10).headers["X-Cache"] != "HIT":
                assert time.monotonic() < deadline
