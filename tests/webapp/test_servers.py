"""The same application on the Procfile's server and on gunicorn, with its hit path and without."""

from __future__ import annotations

import hashlib
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
import requests

from tests.serving import ADMIN_PASSWORD, API_KEY, ROOT, Server, serve, wait_ready
from tests.standin import landmarks
from tests.standin.accounts import ALICE_TOKEN
from tests.standin.process import StandIn

LIST, DETAIL = "/orgs/pallets/repos", "/repos/pallets/flask"
KEY, ALICE = f"Bearer {API_KEY}", f"Bearer {ALICE_TOKEN}"
COMPARED = (
    *("X-Cache", "ETag", "Link", "Content-Encoding", "Content-Length", "Vary", "Location"),
    *("Strict-Transport-Security", "X-Content-Type-Options"),
)

# Method, path, Authorization, further headers, JSON: core of what a client does, in this order.
EXCHANGES: tuple[tuple[str, str, str, dict[str, str], Any], ...] = (
    ("GET", LIST, KEY, {}, None),
    ("GET", LIST, KEY, {}, None),
    ("GET", "/orgs/Pallets/repos?per_page=30&page=1", KEY, {}, None),
    ("GET", f"{LIST}?page=2", KEY, {}, None),
    ("HEAD", LIST, KEY, {}, None),
    ("GET", LIST, KEY, {"Accept-Encoding": "gzip"}, None),
    ("GET", LIST, KEY, {"If-None-Match": "<etag>"}, None),
    ("GET", LIST, KEY, {"Cache-Control": "max-age=0"}, None),
    ("GET", LIST, KEY, {"Cache-Control": "no-cache"}, None),
    ("GET", DETAIL, KEY, {"Cache-Control": "only-if-cached"}, None),
    ("GET", DETAIL, KEY, {}, None),
    ("GET", f"{DETAIL}/issues", KEY, {}, None),
    ("GET", f"{DETAIL}/tarball", KEY, {}, None),
    ("GET", f"/repos/{landmarks.HUGE_REPO}/git/trees/main?recursive=1", KEY, {}, None),
    ("GET", "/repos/pallets/nothing-of-that-name", KEY, {}, None),
    ("GET", "/repos/pallets/nothing-of-that-name", KEY, {}, None),
    ("GET", f"/repos/{landmarks.OLD_NAME}", KEY, {}, None),
    ("GET", f"/repos/{landmarks.EMPTY_REPO}/contributors", KEY, {}, None),
    ("GET", f"/repos/{landmarks.SHARED_PRIVATE}", ALICE, {}, None),
    ("GET", f"/repos/{landmarks.SHARED_PRIVATE}", ALICE, {}, None),
    ("GET", f"/repos/{landmarks.SHARED_PRIVATE}", "", {}, None),
    ("GET", DETAIL, "Bearer fwk_unknown", {}, None),
    ("GET", "/user", KEY, {}, None),
    ("PUT", f"/repos/{landmarks.SHARED_PRIVATE}/topics", KEY, {}, {"names": ["one"]}),
    ("PUT", f"/user/starred/{landmarks.PUBLIC_REPO}", ALICE, {}, None),
    ("GET", "/a/../b", KEY, {}, None),
)


@contextmanager
def gunicorn(environ: dict[str, str], log: Path) -> Iterator[Server]:
    """As the documentation has it: one process of 16 threads."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--threads", "16"),
        *("--bind", f"127.0.0.1:{port}", "wsgi:app"),
    ]
    own = {"PYTHONPATH": str(ROOT), "PORT": str(port), **environ}
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=own, stdout=out, stderr=out)
    server = Server(f"http://127.0.0.1:{port}", process)
    try:
        wait_ready(server, log)
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def transcript(api: str) -> list[dict[str, Any]]:
    """What a client is answered, without what names the server's address."""
    base = api.removesuffix("/api/v3")
    said: list[dict[str, Any]] = []
    etag = ""
    with requests.Session() as session:
        for method, path, authorization, more, json in EXCHANGES:
            headers = {"Accept-Encoding": "identity", **more}
            if headers.get("If-None-Match"):
                headers["If-None-Match"] = etag
            if authorization:
                headers["Authorization"] = authorization
            answer = session.request(
                *(method, api + path),
                headers=headers,
                json=json,
                allow_redirects=False,
                stream=True,
                timeout=20,
            )
            raw = answer.raw.read(decode_content=False)
            etag = answer.headers.get("ETag", etag)
            kept = {name: answer.headers.get(name, "") for name in COMPARED}
            said.append(
                {
                    "asked": f"{method} {path}",
                    "status": answer.status_code,
                    "body": hashlib.sha256(raw).hexdigest(),
                    "size": len(raw),
                    **{name: value.replace(base, "") for name, value in kept.items()},
                }
            )
    return said


@pytest.fixture
def usual(environ: dict[str, str]) -> dict[str, str]:
    """The base URL is the same for all, so that bodies and ETags are."""
    public = {"PUBLIC_URL": "https://forewarm.example", "ADMIN_PASSWORD": ADMIN_PASSWORD}
    return {**environ, **public, "LOG_LEVEL": "WARNING"}


def test_both_servers_with_the_hit_path_and_without_give_the_same_answers(
    usual: dict[str, str], github: StandIn, redis_url: str, tmp_path: Path
) -> None:
    ways = {
        (server.__name__, hitpath): {**usual, "HITPATH": hitpath, "HIT_SAMPLE": "0"}
        for server in (serve, gunicorn)
        for hitpath in ("on", "off")
    }
    said = {}
    for way, settings in ways.items():
        with redis.Redis.from_url(redis_url) as client:
            client.flushall()
        with psycopg.connect(usual["DATABASE_URL"]) as conn:
            conn.execute("delete from upstream_responses")
        github.reset()
        start = serve if way[0] == "serve" else gunicorn
        with start(settings, tmp_path / f"{way}.log") as server:
            said[way] = transcript(server.api)
    first = said["serve", "on"]
    assert {each["status"] for each in first} >= {200, 204, 301, 302, 304, 401, 403, 404, 504}
    assert {each["X-Cache"] for each in first} >= {"MISS", "HIT", "BYPASS", "NEGATIVE", "ERROR"}
    for way, other in said.items():
        for mine, theirs in zip(first, other, strict=True):
            assert theirs == mine, way
