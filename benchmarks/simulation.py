"""A day in minutes: Forewarm's own code on real stores and the stand-in GitHub, in virtual time.

One process. Its wall clock (time.time, datetime.now) is moved from event to event by time-machine
and stands still in between; monotonic clocks run on. Periods, ages, demand, looks and budgets
therefore pass as they are set, nothing is scaled. What Redis expires by itself (grace of days,
leases) lives by real time and is longer than a simulation takes. Workers' real actors run here at
the moment they are due, instead of in processes of their own; the timetable's minutes are kept.
A call to GitHub takes no virtual time, and the stand-in's reads don't lag.

    world: owners of 50 repositories each; every change is a new description, told by
           repository.edited, push or issues.opened in turn (the last two are counters)
    trace: requests and changes by a fixed seed, Poisson and Zipf (s = 1); 40 % of the deliveries
           change nothing
"""

from __future__ import annotations

import hashlib
import heapq
import hmac
import itertools
import math
import random
import tempfile
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import requests
import time_machine

from script.embedded import Postgres, Valkey, start_together, stop_together
from tests.standin.accounts import SERVICE_TOKEN
from tests.standin.process import StandIn
from tests.standin.receiver import Receiver
from webapp.app import create_app
from webapp.cache.keys import canonical_target
from webapp.db.migrate import upgrade
from webapp.demand import asked_text
from webapp.errors import OutOfBudget
from webapp.github.budget import Budget
from webapp.secret import Secret
from webapp.serve import REFRESH_QUEUE, REFRESH_THREADS
from webapp.services import Services
from webapp.settings import Settings
from webapp.webhooks import Envelope
from workers import invalidation, warming
from workers.broker import JobBroker
from workers.timetable import TIMETABLE

API_KEY = "fwk_a-key-for-simulations"
SECRET = "a webhook secret for simulations"
BASE = "http://127.0.0.1:8000"
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
OWNER_REPOS = 50
AT_ONCE = frozenset({"HIT", "STALE", "NEGATIVE", "GRACE"})
GAP = 90.0
"""Seconds after a delivery: its purge, its looks, and the lists' owed purge 60 s later."""


@dataclass(frozen=True, slots=True)
class Event:
    """At `at`, Unix seconds: a request (`path` below the mirror), or a change of `repo`."""

    at: float
    path: str = ""
    repo: str = ""
    changes: bool = False


@dataclass
class World:
    """Names, most popular first, and what has become of them."""

    owners: list[str]
    repos: list[str]
    changed: dict[str, list[float]] = field(default_factory=dict)

    def urls(self) -> tuple[list[str], list[str]]:
        """Details and lists."""
        details = [f"/repos/{name}" for name in self.repos]
        return details, [f"/orgs/{owner}/repos?per_page=100" for owner in self.owners]

    def within(self, path: str) -> list[str]:
        """The repositories whose data an answer shows."""
        name = path.removeprefix("/repos/")
        if name != path:
            return [name]
        owner = path.split("/")[2]
        return [each for each in self.repos if each.startswith(f"{owner}/")]


def zipf(number: int) -> list[float]:
    """Cumulative weights of ranks 1 to `number`, s = 1."""
    return list(itertools.accumulate(1 / rank for rank in range(1, number + 1)))


def poisson(random_: random.Random, rate: float, start: float, end: float) -> Iterator[float]:
    """Moments, `rate` a second."""
    at = start
    while (at := at + random_.expovariate(rate)) < end:
        yield at


def trace(
    world: World,
    start: float,
    seconds: float,
    *,
    details: float = 1.0,
    lists: float = 0.2,
    deliveries: int = 500,
    changing: float = 0.6,
    seed: int = 1,
) -> list[Event]:
    """Requests a second and deliveries in all; in order of time."""
    chance = random.Random(seed)
    weights, owner_weights = zipf(len(world.repos)), zipf(len(world.owners))
    detail_urls, list_urls = world.urls()

    def picked(names: Sequence[str], cumulated: Sequence[float]) -> str:
        return names[min(bisect_right(cumulated, chance.random() * cumulated[-1]), len(names) - 1)]

    end = start + seconds
    events = [
        Event(at, path=picked(detail_urls, weights)) for at in poisson(chance, details, start, end)
    ]
    events += [
        Event(at, path=picked(list_urls, owner_weights))
        for at in poisson(chance, lists, start, end)
    ]
    for number in range(deliveries):
        at = start + chance.random() * seconds
        events.append(
            Event(at, repo=picked(world.repos, weights), changes=number < deliveries * changing)
        )
    return sorted(events, key=lambda event: event.at)


@dataclass
class Figures:
    """Of one subject over a trace."""

    requests: int = 0
    points: int = 0
    calls: int = 0
    waited: int = 0
    in_gap: int = 0
    staleness: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)

    def staleness_at(self, share: float) -> float:
        """Seconds that an answer was behind, over all answers; 0 for one that was up to date."""
        ordered = sorted(self.staleness)
        return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else 0

    @property
    def at_once(self) -> float:
        """Share of the requests, without those in the gap after a purge, that didn't wait."""
        counted = self.requests - self.in_gap
        return 1 - (self.waited - self.in_gap) / counted if counted else 1.0


class Tasks:
    """What web and workers enqueue, until it is due; in place of the broker."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, str, tuple[Any, ...]]] = []
        self._numbers = itertools.count()

    def enqueue(
        self,
        actor: str,
        _queue: str,
        *args: Any,
        delay_ms: int | None = None,
        unique: bool | None = None,
    ) -> str:
        """As Jobs.enqueue, unique where that is."""
        job = (actor, args)
        once = unique or (unique is None and delay_ms is None)
        if once and any((held[2], held[3]) == job for held in self._heap):
            return "held"
        number = next(self._numbers)
        heapq.heappush(self._heap, (time.time() + (delay_ms or 0) / 1000, number, *job))
        return str(number)

    def due(self, until: float) -> Iterator[tuple[float, str, tuple[Any, ...]]]:
        """In order of time, those enqueued meanwhile included."""
        while self._heap and self._heap[0][0] <= until:
            at, _, actor, args = heapq.heappop(self._heap)
            yield at, actor, args


class Simulation:
    """Forewarm over a world. Move it through a trace by `run`."""

    def __init__(
        self,
        environ: dict[str, str],
        github: StandIn,
        world: World,
        receiver: Receiver,
        travel: Callable[[float], None],
        *,
        warm: bool,
    ) -> None:
        self._github = github
        self._world = world
        self._receiver = receiver
        self._travel = travel
        self._warm = warm
        app = create_app(Settings.from_env(environ))
        self.services: Services = app.extensions["services"]
        self._wsgi = app.wsgi_app
        # Redis's clock is the wall's: the ledger is given ours.
        self.services.client._budget = Budget(self.services.redis, clock=time.time)
        self._tasks = Tasks()
        self.services.jobs.enqueue = self._tasks.enqueue
        broker = JobBroker(Secret(environ["BROKER_URL"]))
        services = self.services
        invalidation.register(
            broker, services.purger, services.webhooks, services.invalidation, services.refetching
        )
        warming.register(broker, services.warming)
        self._actors = {name: actor.fn for name, actor in broker.actors.items()}
        self._minute = 0
        self._delivered: dict[str, float] = {}  # by repository: when last
        self._shown: dict[tuple[str, str], dict[str, int]] = {}  # by URL and ETag: versions
        self._payload: dict[str, Any] | None = None

    def close(self) -> None:
        """Give connections back."""
        self.services.close()

    def move(self, at: float) -> None:
        """Let the time until then pass: jobs and minutes that are due have their turn."""
        while True:
            minute = (
                (self._minute + 1) * MINUTE if self._minute else math.floor(at / MINUTE) * MINUTE
            )
            until = min(at, minute)
            for due, actor, args in self._tasks.due(until):
                self._travel(max(due, time.time()))
                self._act(actor, args)
            if minute > at:
                break
            self._travel(max(minute, time.time()))
            self._minute = int(minute // MINUTE)
            for each in TIMETABLE:
                if self._minute % each.every == each.at % each.every and each.actor in self._actors:
                    self._tasks.enqueue(each.actor, each.queue)
        self._travel(max(at, time.time()))

    def _act(self, actor: str, args: tuple[Any, ...]) -> None:
        if actor.startswith("warm") and not self._warm:
            return
        self.services.demand.flush()
        try:
            self._actors[actor](*args)
        except OutOfBudget as error:
            # As the workers' broker does.
            wait = max(0.0, error.retry_at - time.time())
            self._tasks.enqueue(actor, "", *args, delay_ms=math.ceil(wait * 1000))

    def get(self, path: str) -> tuple[str, str, bytes]:
        """X-Cache, ETag and body of a key holder's request."""
        path, _, query = path.partition("?")
        seen: dict[str, str] = {}

        def start_response(
            _: str, headers: list[tuple[str, str]], __: Any = None, /
        ) -> Callable[[bytes], object]:
            seen.update(headers)
            return lambda _: None

        environ = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": f"/api/v3{path}",
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "127.0.0.1:8000",
            "HTTP_AUTHORIZATION": f"Bearer {API_KEY}",
            "HTTP_ACCEPT_ENCODING": "identity",
            "wsgi.url_scheme": "http",
            "wsgi.input": None,
        }
        body = b"".join(self._wsgi(environ, start_response))
        if seen["X-Cache"] == "STALE":
            self._settle()
        return seen["X-Cache"], seen.get("ETag", ""), body

    def _settle(self) -> None:
        """Until the refreshes behind have ended: they take no virtual time."""
        room = self.services.ladder._refresh_room
        while room._value < REFRESH_THREADS + REFRESH_QUEUE:
            time.sleep(0.0005)

    def run(self, events: Sequence[Event], delay: random.Random) -> Figures:
        """Live through a trace; deliveries come 0.5 to 3 s after their change."""
        figures = Figures()
        self._github.forget()
        pending: list[tuple[float, int, str, bytes, dict[str, str]]] = []
        for number, event in enumerate(events):
            while pending and pending[0][0] <= event.at:
                at, _, repo, body, headers = heapq.heappop(pending)
                self.move(at)
                self._deliver(repo, body, headers)
            self.move(event.at)
            if event.repo:
                body, headers = self._change(event)
                due = event.at + delay.uniform(0.5, 3.0)
                heapq.heappush(pending, (due, number, event.repo, body, headers))
            else:
                self._request(event, figures)
        figures.points, figures.calls = self._github.points(), self._github.count()
        return figures

    def _request(self, event: Event, figures: Figures) -> None:
        outcome, etag, body = self.get(event.path)
        figures.requests += 1
        figures.outcomes[outcome] += 1
        inside = self._world.within(event.path)
        if outcome not in AT_ONCE:
            figures.waited += 1
            lately = max((self._delivered.get(name, 0.0) for name in inside), default=0.0)
            figures.in_gap += event.at - lately <= GAP
        figures.staleness.append(self._behind(event, etag, body, inside))

    def _behind(self, event: Event, etag: str, body: bytes, inside: Sequence[str]) -> float:
        """Seconds since the oldest change that the answer doesn't show."""
        key = (event.path, etag)
        if key not in self._shown:
            self._shown[key] = _versions(orjson.loads(body))
        shown = self._shown[key]
        return max(
            (
                event.at - changes[shown.get(name, 0)]
                for name in inside
                if len(changes := self._world.changed.get(name, [])) > shown.get(name, 0)
            ),
            default=0.0,
        )

    def _change(self, event: Event) -> tuple[bytes, dict[str, str]]:
        """Do it at GitHub; the delivery that it sends."""
        if not event.changes:
            return self._unchanged(event.repo)
        changes = self._world.changed.setdefault(event.repo, [])
        changes.append(event.at)
        version = f"v{len(changes)}"
        match sum(map(len, self._world.changed.values())) % 3:
            case 0:
                self._github.change_repo(event.repo, description=version)
            case 1:
                self._github.change_repo(event.repo, description=version, webhook=False)
                self._github.push(event.repo)
            case _:
                self._github.change_repo(event.repo, description=version, webhook=False)
                self._github.open_issue(event.repo)
        received = self._receiver.next()
        return received.body, received.headers

    def _unchanged(self, repo: str) -> tuple[bytes, dict[str, str]]:
        """A push of a branch that shows in no answer: it purges all the same."""
        owner, _, name = repo.partition("/")
        body = orjson.dumps(
            {
                "ref": "refs/heads/feature",
                "repository": {
                    "id": 1,
                    "name": name,
                    "full_name": repo,
                    "owner": {"login": owner, "name": owner},
                },
                "sender": {"login": owner},
            }
        )
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        number = int(time.time() * 1000)
        return body, {
            "x-github-event": "push",
            "x-github-delivery": f"00000000-0000-0000-0000-{number:012d}"[-36:],
            "x-hub-signature-256": f"sha256={signature}",
            "content-type": "application/json",
        }

    def _deliver(self, repo: str, body: bytes, headers: dict[str, str]) -> None:
        self.services.webhooks.receive(
            body,
            Envelope(
                headers["x-github-event"],
                headers["x-github-delivery"],
                headers["x-hub-signature-256"],
                headers["content-type"],
            ),
        )
        self._delivered[repo] = time.time()


def _versions(found: Any) -> dict[str, int]:
    """By repository; 0 where the description isn't ours yet."""
    items = found if isinstance(found, list) else [found]
    versions = {}
    for item in items:
        said = item.get("description") or ""
        versions[item["full_name"]] = int(said[1:]) if said[:1] == "v" and said[1:].isdigit() else 0
    return versions


def known_demand(simulation: Simulation, world: World, until: float, *, seed: int = 7) -> None:
    """A week in which key holders asked as the trace will: what they asked for, not the answers."""
    chance = random.Random(seed)
    for day in range(7, 0, -1):
        simulation._travel(until - day * DAY + DAY / 2)
        for at in trace(world, 0.0, DAY, deliveries=0, seed=chance.randrange(1 << 30)):
            path, _, query = at.path.partition("?")
            target = canonical_target(path, query, "", "")
            simulation.services.demand.noted.append(asked_text(target, f"{BASE}/api/v3"))
        simulation.services.demand.flush()


@contextmanager
def simulated(owners: int, *, warm: bool) -> Iterator[tuple[Simulation, World, float]]:
    """A simulation with nothing in its stores, its world, and the moment it begins."""
    with tempfile.TemporaryDirectory() as folder:
        stores = [
            Valkey(Path(folder) / "valkey"),
            Postgres(Path(folder) / "postgres", durable=False),
        ]
        start_together(stores)
        try:
            with (
                StandIn.start(limits=False) as github,
                Receiver() as receiver,
                time_machine.travel(datetime.now(UTC), tick=False) as traveller,
            ):
                world = _world(github, owners)
                github.switch(rate_headers=False)
                github.hook(receiver.url, secret=SECRET)
                simulation = Simulation(
                    _environ(stores, github, world),
                    github,
                    world,
                    receiver,
                    traveller.move_to,
                    warm=warm,
                )
                try:
                    yield simulation, world, math.ceil(time.time() / MINUTE) * MINUTE + 8 * DAY
                finally:
                    simulation.close()
        finally:
            stop_together(stores)


def _world(github: StandIn, owners: int) -> World:
    names = []
    for number in range(owners):
        github.create_org(f"owner-{number}")
        github.add_repos(f"owner-{number}", OWNER_REPOS)
        answer = requests.get(
            f"{github.url}/orgs/owner-{number}/repos?per_page=100",
            headers={"Authorization": f"Bearer {SERVICE_TOKEN}"},
            timeout=30,
        )
        names += [each["full_name"].lower() for each in answer.json()]
    random.Random(3).shuffle(names)
    return World([f"owner-{number}" for number in range(owners)], names)


def _environ(stores: Sequence[Any], github: StandIn, world: World) -> dict[str, str]:
    valkey, postgres = stores
    upgrade(Secret(postgres.url))
    return {
        "HOST": "127.0.0.1",
        "PORT": "8000",
        "REDIS_URL": valkey.url,
        "BROKER_URL": valkey.url.removesuffix("/0") + "/1",
        "DATABASE_URL": postgres.url,
        "GITHUB_API_URL": github.url,
        "GITHUB_TOKEN": SERVICE_TOKEN,
        "API_KEYS": f"simulation:{API_KEY}",
        "SECRET_KEY": "a secret key for simulations",
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "WATCH": ",".join(world.owners),
        "TELEMETRY": "off",
        "HIT_SAMPLE": "0",
        "LOG_LEVEL": "ERROR",
    }
