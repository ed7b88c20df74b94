"""Forewarm deployed as on the smallest plans: stores behind TLS with a certificate nobody signed,
twenty connections each, `postgres://`, one REDIS_URL for all; a router in front.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import psycopg
import redis
import requests

from script.embedded import Postgres, Valkey
from script.ports import free_port
from tests.deployment.dynos import Dyno, Dynos, config_vars, slug
from tests.deployment.tls import TlsFront, postgresql_first, redis_first, self_signed
from tests.standin.accounts import SERVICE_TOKEN
from tests.standin.process import StandIn
from tests.standin.webhooks import signature
from tests.stores import database
from tests.workers.processes import wait_for

HOST = "forewarm.example.com"
API_KEY = "fwk_a-key-of-the-deployment"
LIMIT = 20
"""Connections that the smallest plans of Redis and of PostgreSQL allow."""
CALLERS = 12
NAMES = ("flask", "click", "jinja", "werkzeug", "quart", "markupsafe", "itsdangerous")
PARTS = ("", "/languages", "/topics", "/releases", "/tags", "/contributors")
PATHS = [f"/api/v3/repos/pallets/{name}{part}" for name in NAMES for part in PARTS]
PAGES = ("/", "/requests", "/cache", "/jobs", "/database", "/repos", "/api/github", "/metrics")


@dataclass
class Deployment:
    """A running app, reached as its platform's router reaches it."""

    dynos: Dynos
    config: dict[str, str]
    slug: Path
    valkey: Valkey
    redis: TlsFront
    postgres: TlsFront
    database_url: str
    release: Dyno
    url: str
    started: list[Dyno] = field(default_factory=list)

    def ask(self, path: str, method: str = "GET", **options: object) -> requests.Response:
        """Any request, as the router passes it on; without Authorization unless `key` is said."""
        headers: dict[str, str] = {
            "Host": HOST,
            "X-Forwarded-For": "203.0.113.9",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-Port": "443",
            "Via": "1.1 vegur",
        }
        if key := options.pop("key", None):
            headers["Authorization"] = f"Bearer {key}"
        headers.update(options.pop("headers", {}))  # type: ignore[call-overload]
        return requests.request(
            method, f"{self.url}{path}", headers=headers, timeout=15,
            allow_redirects=False, **options,  # type: ignore[arg-type]
        )  # fmt: skip

    def push(self, full_name: str, guid: str = "") -> requests.Response:
        """A webhook as GitHub signs it, with an id of its own unless one is given."""
        repository = {"full_name": full_name, "owner": {"login": full_name.partition("/")[0]}}
        body = orjson.dumps({"repository": repository})
        signed = signature(self.config["GITHUB_WEBHOOK_SECRET"], body)
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": guid or str(uuid.uuid4()),
            "X-Hub-Signature-256": signed,
        }
        return self.ask("/webhooks/github", "POST", data=body, headers=headers)

    def log_of(self, name: str) -> str:
        return next(each.output for each in self.started if each.name == name)


@contextmanager
def deployed(
    standin: StandIn,
    postgres: Postgres,
    store_directory: Path,
    room: Path,
) -> Iterator[Deployment]:
    """Released and started; stopped at the end."""
    standin.reset()
    pem = self_signed(room)
    with ExitStack() as stack:
        valkey = Valkey(store_directory / "platform-valkey", maxmemory="25mb")
        valkey.start()
        stack.callback(valkey.stop)
        with redis.Redis.from_url(valkey.url) as client:
            client.config_set("maxclients", LIMIT)
        url = stack.enter_context(database(postgres, "platform"))
        with psycopg.connect(url, autocommit=True) as conn:
            conn.execute(f"ALTER DATABASE platform CONNECTION LIMIT {LIMIT}".encode())
        redis_tls = stack.enter_context(TlsFront(valkey.port, redis_first, pem))
        postgres_tls = stack.enter_context(TlsFront(postgres.port, postgresql_first, pem))
        config = config_vars(
            PUBLIC_URL=f"https://{HOST}",
            GITHUB_TOKEN=SERVICE_TOKEN,
            API_KEYS=f"tests:{API_KEY}",
            WATCH="pallets",
            REDIS_URL=f"rediss://:{valkey.password}@127.0.0.1:{redis_tls.port}",
            DATABASE_URL=url.replace("postgresql://", "postgres://").replace(
                f":{postgres.port}/", f":{postgres_tls.port}/"
            ),
            GITHUB_API_URL=standin.url,
            LOG_FORMAT="json",
        )
        place = slug(room / "app")
        stack.callback(shutil.rmtree, place, ignore_errors=True)
        dynos = Dynos(place, config, room)
        stack.callback(dynos.stop)
        release = dynos.run("release")
        port = free_port()
        running = Deployment(
            dynos,
            config,
            place,
            valkey,
            redis_tls,
            postgres_tls,
            url,
            release,
            f"http://127.0.0.1:{port}",
        )
        running.started = [
            dynos.start("web", PORT=str(port)), dynos.start("worker"), dynos.start("scheduler")
        ]  # fmt: skip
        wait_for(lambda: _ready(running), "answer of the web process", 60)
        yield running


def _ready(running: Deployment) -> bool:
    for dyno in running.started:
        assert dyno.popen.poll() is None, dyno.output
    try:
        return running.ask("/readyz").ok
    except requests.ConnectionError:
        return False


class Load:
    """Readers of everything and GitHub's webhooks, all at once, until `stop` or the end."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._stop = threading.Event()
        self.statuses: list[int] = []
        self.accepted: list[str] = []
        """Deliveries that were answered by 202."""
        work = [(self._read, turn) for turn in range(CALLERS)] + [(self._push, 0)]
        self._threads = [threading.Thread(target=self._until, args=each) for each in work]

    def __enter__(self) -> Load:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for each in self._threads:
            each.join()

    def _until(self, ask: Callable[[int], None], first: int) -> None:
        for turn in itertools.count(first * 7):
            if self._stop.is_set():
                return
            with contextlib.suppress(requests.RequestException):  # it has been stopped meanwhile
                ask(turn)

    def _read(self, turn: int) -> None:
        path, key = PATHS[turn % len(PATHS)], API_KEY
        if turn % 5 == 0:
            path, key = PAGES[turn // 5 % len(PAGES)], self._deployment.config["ADMIN_PASSWORD"]
        self.statuses.append(self._deployment.ask(path, key=key).status_code)

    def _push(self, turn: int) -> None:
        guid = str(uuid.uuid4())
        if self._deployment.push(f"pallets/{NAMES[turn % len(NAMES)]}", guid).status_code == 202:
            self.accepted.append(guid)
        self._stop.wait(0.05)
