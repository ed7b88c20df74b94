"""Everybody who uses Forewarm at once, and what they were answered.

    readers     in all three scopes: details, a list, topics
    onlookers   the dashboard's pages, the catalog's search and lookup
    GitHub      changes something, and delivers its webhook until it is accepted
    operator    changes something silently, and purges it by hand
    writers     alice and bob, through the mirror

Who changes a subject is one thread, so that its versions have an order.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import orjson
import requests

from tests.chaos.history import (
    ALICE,
    BOB,
    EVERYBODY,
    PUBLIC,
    SERVICE,
    Purge,
    Seen,
    Subject,
    Version,
)
from tests.chaos.house import House
from tests.serving import ADMIN_PASSWORD, API_KEY
from tests.standin.accounts import ALICE_TOKEN, BOB_TOKEN
from tests.standin.webhooks import signature
from tests.webapp.delivering import SECRET, named

OWNER = "initech"
LIST = f"/orgs/{OWNER}/repos?per_page=100"
TOKENS = {SERVICE: API_KEY, PUBLIC: "", ALICE: ALICE_TOKEN, BOB: BOB_TOKEN}
MADE = ("one", "two", "three", "four", "five", "six", "turns")
# Who sees which repository.
SEEN_BY: dict[str, frozenset[str]] = {
    **dict.fromkeys(MADE, EVERYBODY),
    "website": EVERYBODY,
    "shared": frozenset({SERVICE, ALICE, BOB}),
    "payroll": frozenset({SERVICE}),
    "alice-only": frozenset({ALICE}),
    "bob-only": frozenset({BOB}),
}
WATCHED_TOPICS = ("one", "two")
BY_WEBHOOK = ("one", "two", "turns", "shared", "payroll")
# Nobody looks again at these: what a lost purge leaves old stays so until the next one.
BY_HAND = ("three", "four", "five", "six", "website")
BY_WRITE = {"alice-only": ALICE, "bob-only": BOB}
PAGES = ("/", "/requests", "/cache", "/github", "/jobs", "/webhooks", "/database", "/repos")
PATIENCE = 15.0  # seconds that a request may take
DAY = 86_400.0


class Crowd:
    """Threads that go on till the block ends. `periods` are topics' fresh and stale seconds."""

    def __init__(
        self, house: House, chance: random.Random, every: float, periods: tuple[float, float]
    ) -> None:
        self.answers: list[Seen] = []
        self.accepted: set[str] = set()
        self.told: Counter[str] = Counter()
        self.crashed: list[str] = []
        self._house, self._every = house, every
        self._stop = threading.Event()
        began = time.monotonic()
        self.subjects: dict[str, Subject] = {}
        for repo, eyes in SEEN_BY.items():
            first = Version(0, 0.0, began, eyes)
            self.subjects[repo] = Subject(repo, DAY, DAY, [first])
            if repo in WATCHED_TOPICS:
                name = f"{repo}#topics"
                self.subjects[name] = Subject(name, *periods, [first])
        everyone: list[Callable[[random.Random], None]] = [
            *(self._reader(scope) for scope in (SERVICE, SERVICE, PUBLIC, ALICE, BOB)),
            *(self._looks_on, self._delivers, self._purges, self._retopics),
            *(self._writer(repo, scope) for repo, scope in BY_WRITE.items()),
        ]
        self._threads = [
            threading.Thread(target=self._alive, args=(each, random.Random(chance.random())))
            for each in everyone
        ]

    def __enter__(self) -> Crowd:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for each in self._threads:
            each.join()

    def _alive(self, turn: Callable[[random.Random], None], chance: random.Random) -> None:
        try:
            turn(chance)
        except BaseException as error:
            self.crashed.append(repr(error))
            raise

    def _goes_on(self, chance: random.Random, every: float) -> bool:
        return not self._stop.wait(every * 2 * chance.random())

    # Reading

    def _reader(self, scope: str) -> Callable[[random.Random], None]:
        paths = [f"/repos/{OWNER}/{repo}" for repo in SEEN_BY]
        paths += [f"/repos/{OWNER}/{repo}/topics" for repo in WATCHED_TOPICS] * 3 + [LIST]

        def read(chance: random.Random) -> None:
            with requests.Session() as session:
                while self._goes_on(chance, self._every):
                    where = chance.randrange(2)
                    self.answers.append(self.ask(session, scope, where, chance.choice(paths)))

        return read

    def ask(self, session: requests.Session, scope: str, where: int, path: str) -> Seen:
        """One read of the mirror."""
        token = TOKENS[scope]
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return self._seen(session, scope, where, f"/api/v3{path}", shown_by(path), headers=headers)

    def _seen(
        self,
        session: requests.Session,
        scope: str,
        where: int,
        path: str,
        shown: Callable[[requests.Response], tuple[tuple[str, int | None], ...]],
        method: str = "GET",
        **more: Any,
    ) -> Seen:
        began = time.monotonic()
        url = self._house.webs[where].url + path
        try:
            answer = session.request(method, url, timeout=PATIENCE, **more)
        except requests.RequestException as error:
            kind = "hung" if isinstance(error, requests.Timeout) else "cut"
            return Seen(scope, where, path, began, time.monotonic(), 0, error=f"{kind} {error}")
        ended = time.monotonic()
        outcome = answer.headers.get("X-Cache", "")
        return Seen(scope, where, path, began, ended, answer.status_code, outcome, shown(answer))

    def _looks_on(self, chance: random.Random) -> None:
        key = {"Authorization": f"Bearer {API_KEY}"}
        while self._goes_on(chance, self._every * 4):
            with requests.Session() as session:
                kind, where = chance.choice(("page", "search", "lookup")), chance.randrange(2)
                if kind == "page":
                    auth = ("admin", ADMIN_PASSWORD)
                    path = chance.choice(PAGES)
                    seen = self._seen(session, "admin", where, path, _nothing, auth=auth)
                elif kind == "search":
                    path = f"/api/repos?q={chance.choice(tuple(SEEN_BY))}&limit=100"
                    seen = self._seen(session, SERVICE, where, path, catalogued, headers=key)
                else:
                    names = {"names": [f"{OWNER}/{repo}" for repo in SEEN_BY]}
                    path = "/api/repos/lookup"
                    seen = self._seen(
                        *(session, SERVICE, where, path, catalogued, "POST"),
                        headers=key,
                        json=names,
                    )
            self.answers.append(seen)

    # Changing

    def _change(self, name: str, *, visible: frozenset[str] | None = None, **fields: Any) -> int:
        """At GitHub, by the control API and silently; the version's number."""
        subject = self.subjects[name]
        number = len(subject.versions)
        eyes = subject.versions[-1].visible if visible is None else visible
        repo = name.partition("#")[0]
        shown = {"topics": [f"v{number}"]} if "#" in name else {"description": f"v{number}"}
        sent = time.monotonic()
        # Before it is sent: from then on it may be shown.
        subject.versions.append(Version(number, sent, sent + DAY, eyes))
        self._house.github.change_repo(f"{OWNER}/{repo}", webhook=False, **shown, **fields)
        subject.versions[-1] = Version(number, sent, time.monotonic(), eyes)
        return number

    def _delivers(self, chance: random.Random) -> None:
        while self._goes_on(chance, self._every * 4):
            repo = chance.choice(BY_WEBHOOK)
            action, fields = "edited", dict[str, Any]()
            if repo == "turns":
                private = self.subjects[repo].versions[-1].visible == EVERYBODY
                action = "privatized" if private else "publicized"
                eyes = frozenset({SERVICE}) if private else EVERYBODY
                fields = {"private": private, "visible": eyes}
            number = self._change(repo, **fields)
            guid = str(uuid.UUID(int=chance.getrandbits(128)))
            body = orjson.dumps(named(f"{OWNER}/{repo}", action=action))
            while not self._delivered(guid, body, chance):
                if self._stop.wait(0.2):
                    return
            hard = action == "privatized"
            self.subjects[repo].purges.append(Purge(number, time.monotonic(), hard))
            self.accepted.add(guid)
            if chance.random() < 0.1:
                self._delivered(guid, body, chance)

    def _delivered(self, guid: str, body: bytes, chance: random.Random) -> bool:
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "repository",
            "X-GitHub-Delivery": guid,
            "X-Hub-Signature-256": signature(SECRET, body),
        }
        with requests.Session() as session:
            path, where = "/webhooks/github", chance.randrange(2)
            seen = self._seen(
                session, "github", where, path, _nothing, "POST", data=body, headers=headers
            )
        self.answers.append(seen)
        return seen.status == 202

    def _purges(self, chance: random.Random) -> None:
        while self._goes_on(chance, self._every * 8):
            repo = chance.choice(BY_HAND)
            number, hard = self._change(repo), chance.random() < 0.3
            order = {"tags": [f"repo:{OWNER}/{repo}", f"repos:{OWNER}"], "hard": hard}
            with requests.Session() as session:
                seen = self._seen(
                    *(session, "admin", chance.randrange(2), "/api/purge", _nothing, "POST"),
                    auth=("admin", ADMIN_PASSWORD),
                    json=order,
                )
            self.answers.append(seen)
            if seen.status == 200:
                self.subjects[repo].purges.append(Purge(number, time.monotonic(), hard))

    def _retopics(self, chance: random.Random) -> None:
        while self._goes_on(chance, self._every * 8):
            self._change(f"{chance.choice(WATCHED_TOPICS)}#topics")

    def _writer(self, repo: str, scope: str) -> Callable[[random.Random], None]:
        def write(chance: random.Random) -> None:
            subject = self.subjects[repo]
            while self._goes_on(chance, self._every * 8):
                number, sent = len(subject.versions), time.monotonic()
                subject.versions.append(Version(number, sent, sent + DAY, frozenset({scope})))
                with requests.Session() as session:
                    path = f"/api/v3/repos/{OWNER}/{repo}"
                    seen = self._seen(
                        *(session, scope, chance.randrange(2), path, _nothing, "PATCH"),
                        headers={"Authorization": f"Bearer {TOKENS[scope]}"},
                        json={"description": f"v{number}"},
                    )
                self.answers.append(seen)
                if seen.status != 200:
                    # Whether GitHub has done it, or will, nobody knows: no more is asked of it.
                    subject.unsure = True
                    return
                done = time.monotonic()
                subject.versions[-1] = Version(number, sent, done, frozenset({scope}))
                subject.purges.append(Purge(number, done, hard=True))

        return write


# What an answer shows: subject -> number


def shown_by(path: str) -> Callable[[requests.Response], tuple[tuple[str, int | None], ...]]:
    """For a path of the mirror."""
    if path == LIST:
        return _listed
    repo, _, part = path.removeprefix(f"/repos/{OWNER}/").partition("/")

    def one(answer: requests.Response) -> tuple[tuple[str, int | None], ...]:
        name = f"{repo}#topics" if part else repo
        if answer.status_code == 404:
            return ((name, None),)
        if answer.status_code != 200:
            return ()
        said = answer.json()
        if part:
            return ((name, max((_number(each) for each in said["names"]), default=0)),)
        # Another's body would be judged under its own name.
        return ((str(said["name"]), _number(said["description"])),)

    return one


def _listed(answer: requests.Response) -> tuple[tuple[str, int | None], ...]:
    if answer.status_code != 200:
        return ()
    rows = {row["name"]: _number(row["description"]) for row in answer.json()}
    return tuple((repo, rows.get(repo)) for repo in SEEN_BY)


def catalogued(answer: requests.Response) -> tuple[tuple[str, int | None], ...]:
    """The catalog lags by design: only whose eyes it was seen with is judged."""
    if answer.status_code != 200:
        return ()
    rows = answer.json()["items"]
    own = (row for row in rows if row["full_name"] in {f"{OWNER}/{repo}" for repo in SEEN_BY})
    return tuple((row["name"], _number(row["description"])) for row in own)


def _nothing(answer: requests.Response) -> tuple[tuple[str, int | None], ...]:
    return ()


def _number(text: str | None) -> int:
    return int(text[1:]) if text and text[:1] == "v" and text[1:].isdigit() else 0
