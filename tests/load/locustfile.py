"""A load test for people: readers, searchers, viewers of the dashboard and GitHub's webhooks.

    locust -f tests/load/locustfile.py --host http://127.0.0.1:8000

Works against any Forewarm that knows a few repositories. What it may do is told by the environment:

    FOREWARM_API_KEY          reads as the service (else as the public), and searches the catalog
    FOREWARM_ADMIN_PASSWORD   looks at the dashboard
    FOREWARM_WEBHOOK_SECRET   sends signed webhooks: what they name is purged and asked anew
    FOREWARM_REPOSITORIES     names by commas; else the first thousand of the catalog
    FOREWARM_RATE             requests a second of all readers together (200)
    FOREWARM_SAMPLES          a file for each request's time, kind, milliseconds, error (JSON)

The most popular repository is asked for twice as often as the second, as Zipf has it. A kind of
user without what it needs isn't there. An answer other than the contract's good ones is a failure.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import os
import random
import time
import uuid
from typing import Any

from locust import constant_throughput, events, task
from locust.contrib.fasthttp import FastHttpUser
from locust.env import Environment
from locust.exception import StopUser

KEY = os.environ.get("FOREWARM_API_KEY", "")
PASSWORD = os.environ.get("FOREWARM_ADMIN_PASSWORD", "")
SECRET = os.environ.get("FOREWARM_WEBHOOK_SECRET", "")
RATE = float(os.environ.get("FOREWARM_RATE", "200"))
SAMPLES = os.environ.get("FOREWARM_SAMPLES", "")
NAMED = [each.strip() for each in os.environ.get("FOREWARM_REPOSITORIES", "").split(",") if each]

MOST = 1_000
READERS, SEARCHERS, VIEWERS, HOOKS = 20, 2, 2, 1
READS_EACH = RATE / READERS
SEARCHES_EACH, LOOKS_EACH, DELIVERIES_EACH = 2.0, 0.2, 2.0  # a second; a page polls every 5 s
POLLED = 12  # looks at one page before going to the next
WORDS = ("flask", "python", "http", "parser", "tool", "server", "test", "a", "data", "ap")
PAGES = ("overview", "requests", "cache", "github", "jobs", "warming", "webhooks", "database",
         "traces", "alerts", "repos")  # fmt: skip
GOOD = (200, 304)


class Popular:
    """Repositories by rank, most popular first."""

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._weights = list(itertools.accumulate(1 / rank for rank in range(1, len(names) + 1)))

    def one(self) -> str:
        """The first twice as often as the second."""
        return random.choices(self._names, cum_weights=self._weights)[0]


class Caller(FastHttpUser):
    """What all have in common: who they are, and that a bad status is a failure."""

    abstract = True
    connection_timeout = network_timeout = 20.0

    def ask(
        self,
        kind: str,
        path: str,
        headers: dict[str, str],
        good: tuple[int, ...] = GOOD,
        **more: Any,
    ) -> Any:
        """One request, counted under `kind`; its answer."""
        method = "POST" if "data" in more else "GET"
        with self.client.request(
            method, path, headers=headers, name=kind, catch_response=True, **more
        ) as answer:
            if answer.status_code not in good:
                answer.failure(f"{answer.status_code} {(answer.text or '')[:120]}")
            return answer


class Reader(Caller):
    """A tool that reads through the mirror; half of what it asks for again is conditional."""

    weight = READERS
    wait_time = constant_throughput(READS_EACH)
    popular = Popular(NAMED)

    def on_start(self) -> None:
        """Learn what there is."""
        self._headers = {"Authorization": f"Bearer {KEY}"} if KEY else {}
        self._etags: dict[str, str] = {}
        if not NAMED and not Reader.popular._names:
            Reader.popular = Popular(self._catalog())

    def _catalog(self) -> list[str]:
        names: list[str] = []
        cursor = ""
        while len(names) < MOST:
            more = f"&cursor={cursor}" if cursor else ""
            answer = self.ask("catalog names", f"/api/repos?limit=100{more}", self._headers)
            page = answer.json() if answer.status_code == 200 else {"items": [], "next": None}
            names += [each["full_name"] for each in page["items"]]
            cursor = page["next"]
            if not cursor:
                break
        if not names:
            raise StopUser("no repository is known: name some in FOREWARM_REPOSITORIES")
        return names

    def _read(self, kind: str, path: str) -> None:
        headers = dict(self._headers)
        if path in self._etags and random.random() < 0.5:
            headers["If-None-Match"] = self._etags[path]
        answer = self.ask(kind, path, headers)
        if answer.status_code == 200:
            self._etags[path] = answer.headers.get("ETag", "")

    @task(20)
    def repository(self) -> None:
        """A detail."""
        self._read("repository", f"/api/v3/repos/{self.popular.one()}")

    @task(3)
    def part(self) -> None:
        """A part of a repository."""
        self._read("part", f"/api/v3/repos/{self.popular.one()}/languages")

    @task(4)
    def repositories(self) -> None:
        """An owner's list."""
        owner = self.popular.one().partition("/")[0]
        self._read("list", f"/api/v3/orgs/{owner}/repos?per_page=100")


class Searcher(Caller):
    """Somebody with the catalog's JSON."""

    weight = SEARCHERS if KEY else 0
    abstract = not KEY
    wait_time = constant_throughput(SEARCHES_EACH)

    def on_start(self) -> None:
        """As a client with a key."""
        self._headers = {"Authorization": f"Bearer {KEY}"}

    @task(6)
    def search(self) -> None:
        """A word, in some order, of some language."""
        query = f"q={random.choice(WORDS)}&sort={random.choice(('stars', 'pushed', 'name'))}"
        self.ask("search", f"/api/repos?{query}", self._headers)

    @task(1)
    def lookup(self) -> None:
        """Fifty names at once."""
        names = [Reader.popular.one() for _ in range(50)] if Reader.popular._names else ["a/b"]
        headers = {**self._headers, "Content-Type": "application/json"}
        self.ask("lookup", "/api/repos/lookup", headers, data=json.dumps({"names": names}))


class Viewer(Caller):
    """Somebody who keeps a page open: it asks for its live part by ETag every 5 s."""

    weight = VIEWERS if PASSWORD else 0
    abstract = not PASSWORD
    wait_time = constant_throughput(LOOKS_EACH)

    def on_start(self) -> None:
        """As the operator."""
        self._headers = {"Authorization": f"Bearer {PASSWORD}"}
        self._left = 0

    @task
    def look(self) -> None:
        """Open the next page, or look again at the one that is open."""
        if self._left == 0:
            self._left, self._etag = POLLED, ""
            name = random.choice(PAGES)
            self._path = "/" if name == "overview" else f"/{name}"
            answer = self.ask("page", self._path, self._headers)
            _, _, live = (answer.text or "").partition('data-live="')
            self._live = live.partition('"')[0].replace("&amp;", "&")
            return
        self._left -= 1
        if self._live:
            headers = (
                {**self._headers, "If-None-Match": self._etag} if self._etag else self._headers
            )
            answer = self.ask("live part", self._live, headers)
            self._etag = answer.headers.get("ETag", "") or self._etag


class Hook(Caller):
    """GitHub, telling of changes."""

    weight = HOOKS if SECRET else 0
    abstract = not SECRET
    wait_time = constant_throughput(DELIVERIES_EACH)

    @task
    def deliver(self) -> None:
        """A push, signed."""
        if not Reader.popular._names:
            return
        name = Reader.popular.one()
        repository = {"full_name": name, "owner": {"login": name.partition("/")[0]}}
        body = json.dumps({"ref": "refs/heads/main", "repository": repository}).encode()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "X-Hub-Signature-256": "sha256="
            + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest(),
        }
        self.ask("webhook", "/webhooks/github", headers, (202,), data=body)


_samples: list[tuple[float, str, float, str]] = []


def _sampled(name: str, response_time: float, exception: object, **_: object) -> None:
    _samples.append((time.time(), name, response_time, str(exception or "")))


def _kept(environment: Environment, **_: object) -> None:
    with open(SAMPLES, "w", encoding="utf-8") as file:  # noqa: PTH123 - a name from outside
        file.writelines(json.dumps(each) + "\n" for each in _samples)


if SAMPLES:
    events.request.add_listener(_sampled)  # type: ignore[no-untyped-call]
    events.quitting.add_listener(_kept)  # type: ignore[no-untyped-call]
