"""Forewarm moved through a trace: its own code in virtual time, its jobs when they are due."""

from __future__ import annotations

import hashlib
import heapq
import hmac
import itertools
import math
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from benchmarks.simulation.world import MINUTE, Event, World
from tests.standin.process import StandIn
from tests.standin.receiver import Receiver
from webapp.app import create_app
from webapp.changes.webhooks import Envelope
from webapp.errors import OutOfBudget
from webapp.github.budget import Budget
from webapp.secret import Secret
from webapp.serve import REFRESH_QUEUE, REFRESH_THREADS
from webapp.services import Services
from webapp.settings import Settings
from workers import invalidation, warming
from workers.broker import JobBroker
from workers.timetable import TIMETABLE

API_KEY = "fwk_a-key-for-simulations"
SECRET = "a webhook secret for simulations"
AT_ONCE = frozenset({"HIT", "STALE", "NEGATIVE", "GRACE"})
GAP = 90.0
"""Seconds after a delivery: its purge, its looks, and the lists' owed purge 60 s later."""


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
        self.services.client._spending.budget = Budget(self.services.redis, clock=time.time)
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
        self.services.recorder.flush()  # it flushes behind, too
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
