"""Bytes that a cached repository takes, in Redis and near, and what the processes hold.

    python -m benchmarks.memory [--quick]

Redis's own count, before and after thousands of repositories are cached, tags and all, over the
number of them. They are filled through the store from the stand-in's JSON with names of their own:
asking GitHub for so many would take minutes of its limits.
"""

from __future__ import annotations

import random
import sys
import time
import tracemalloc
from collections.abc import Mapping
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.alone import alone, say
from benchmarks.bodies import FORK, LARGE, SMALL, fetched
from benchmarks.results import Chapter, Effort, Table, Target, rows
from benchmarks.serving import (
    BASE_URL,
    KEY,
    Ground,
    granian,
    ground,
    resident_mb,
    running,
    started,
    stop,
)
from script.ports import free_port
from webapp.app import create_app
from webapp.cache.keys import SERVICE, canonical_target, entry_key
from webapp.cache.near import MAX_AGE
from webapp.github.answer import Answer
from webapp.github.entries import Finisher
from webapp.policy import DEFAULT_PERIODS, match
from webapp.services import Services, build
from webapp.settings import Settings

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

SAMPLE = {Effort.FULL: 5_000, Effort.QUICK: 500}
OWNERS = 100
NEAR_SAMPLE, NEAR_TRIES = 100, 10
PLAIN = "/repos/pallets/click"
LINKS = f"{BASE_URL}/api/v3"
SETTLED_SECONDS = 3.0
"""After which a process holds what it starts with."""


def measure(effort: Effort) -> Chapter:
    """All of it."""
    with ground() as own:
        own.github.change_repo("pallets/flask", description="A framework", webhook=False)
        bodies = {
            "a repository": fetched(own.github, PLAIN),
            "a fork, its parent and source within": fetched(own.github, FORK),
            "a repository with a long description": own.body,
            "an organisation": fetched(own.github, SMALL),
            "a list of ten": fetched(own.github, LARGE),
        }
        say("memory: Redis")
        stored = {name: _in_redis(own, body, SAMPLE[effort]) for name, body in bodies.items()}
        say("memory: near")
        near = _near(own)
        say("memory: processes")
        processes = _processes(own)
    by_name = list(stored.values())
    return Chapter(
        name="memory",
        title="Memory",
        method=(
            f"Redis's own count (`used_memory`) before and after {SAMPLE[effort]:,} of a kind are "
            "cached, over their number: entry, its keys, its repository's tag, and a hundredth of "
            "its owner's. Near: what Python allocates for one more entry there. Processes: what "
            "they hold when they have started, pages that they share counted once."
        ),
        tables=(
            Table(
                "An entry in Redis",
                ("what", "JSON, bytes", "in Redis, bytes"),
                rows((name, len(bodies[name]), taken) for name, taken in stored.items()),
            ),
            Table(
                "Near and processes",
                ("what", "of it"),
                rows(
                    [
                        ("an entry near, bytes", near),
                        *((f"{name}, MB", taken) for name, taken in processes.items()),
                    ]
                ),
            ),
        ),
        targets=(
            Target("memory", by_name[0]),
            Target("memory/fork", by_name[1]),
        ),
        figures={
            "entry_bytes": by_name[0],
            "fork_bytes": by_name[1],
            "list_bytes": by_name[4],
            **({} if near is None else {"near_bytes": near}),
            **{f"{name}/mb": taken for name, taken in processes.items()},
        },
    )


def _in_redis(own: Ground, body: bytes, number: int) -> float:
    """Bytes that one more takes."""
    services = build(Settings.from_env({**own.settings, "TELEMETRY": "off"}))
    try:
        services.redis.flushdb()
        before = int(services.redis.info("memory")["used_memory"])
        for each in range(number):
            _fill(services, own, f"owner-{each % OWNERS}/repository-{each}", body)
        after = int(services.redis.info("memory")["used_memory"])
        services.redis.flushdb()
    finally:
        services.close()
    return (after - before) / number


def _fill(services: Services, own: Ground, name: str, body: bytes) -> None:
    """Cache it as a repository of that name."""
    finisher = Finisher(own.github.url, DEFAULT_PERIODS, random.random)
    headers = {"Content-Type": "application/json; charset=utf-8", "ETag": 'W/"0"'}
    target = canonical_target(f"/repos/{name}", "", "", "")
    answer = Answer(200, headers, body.replace(b"pallets/flask", name.encode()), time.time())
    entry = finisher.entry(answer, target, SERVICE, LINKS)
    lease, _ = services.store.acquire(entry_key(target, SERVICE, LINKS), match(target.path).tags)
    assert lease
    assert services.store.fill(lease, entry, time.time())


def _near(own: Ground) -> float | None:
    """Bytes that Python allocates for an entry there, by asking an application in here."""
    app = create_app(Settings.from_env({**own.settings, "TELEMETRY": "off", "HIT_SAMPLE": "0"}))
    services: Services = app.extensions["services"]
    names = [f"near-{each % OWNERS}/repository-{each}" for each in range(2 * NEAR_SAMPLE)]
    try:
        for name in names:
            _fill(services, own, name, own.body)
        _ask(app.wsgi_app, names[:1])
        deadline = time.monotonic() + 10
        while not services.near.subscribed and time.monotonic() < deadline:
            time.sleep(0.01)
        _ask(app.wsgi_app, names[:NEAR_SAMPLE])  # what is made once
        for _ in range(NEAR_TRIES):
            if (taken := _growth(app.wsgi_app, services, names[NEAR_SAMPLE:])) is not None:
                return taken
    finally:
        services.close()
    return None


def _growth(app: WSGIApplication, services: Services, names: list[str]) -> float | None:
    """Bytes an entry; None where the first were old before the last came, and dropped."""
    time.sleep(MAX_AGE)
    _ask(app, names[:1])
    tracemalloc.start()
    try:
        _ask(app, names[1:])
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    return taken / (len(names) - 1) if len(services.near) == len(names) else None


def _ask(app: WSGIApplication, names: list[str]) -> None:
    """GET each, in this thread."""
    for name in names:
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": f"/api/v3/repos/{name}",
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "127.0.0.1:8000",
            "HTTP_AUTHORIZATION": f"Bearer {KEY}",
            "HTTP_ACCEPT_ENCODING": "gzip",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(),
            "wsgi.errors": sys.stderr,
            "wsgi.version": (1, 0),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        statuses: list[str] = []
        body = app(environ, lambda status, *_, into=statuses: into.append(status))
        for _ in body:
            pass
        assert statuses[0].startswith("200"), statuses


def _processes(own: Ground) -> dict[str, float]:
    """MB of web, worker and scheduler once they have started, by the Procfile's commands."""
    bin_directory = Path(sys.executable).parent
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    environ: Mapping[str, str] = {**own.settings, "PORT": str(port)}
    with ExitStack() as stack:
        web = stack.enter_context(running(granian("wsgi:app", port), environ, f"{base}/healthz"))
        found = {"web": web}
        for name, command in {
            "worker": ["dramatiq", "workers.main", "--processes", "1", "--threads", "4"],
            "scheduler": ["periodiq", "workers.schedule"],
        }.items():
            found[name] = started([str(bin_directory / command[0]), *command[1:]], environ)
            stack.callback(stop, found[name])
        time.sleep(SETTLED_SECONDS)
        return {name: resident_mb(process.pid) for name, process in found.items()}


if __name__ == "__main__":
    sys.exit(alone(measure, __doc__))
