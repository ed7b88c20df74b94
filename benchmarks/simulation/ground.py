"""Where a simulation happens: stores, a stand-in GitHub with its world, and a clock of our own."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import requests
import time_machine

from benchmarks.simulation.clockwork import API_KEY, SECRET, Simulation
from benchmarks.simulation.world import DAY, MINUTE, OWNER_REPOS, World, trace
from benchmarks.stores import Stores, own_stores
from tests.standin.accounts import SERVICE_TOKEN
from tests.standin.process import StandIn
from tests.standin.receiver import Receiver
from webapp.cache.keys import canonical_target
from webapp.demand import asked_text

BASE = "http://127.0.0.1:8000"


def known_demand(simulation: Simulation, world: World, until: float, *, seed: int = 7) -> None:
    """A week in which key holders asked as the trace will: what they asked for, not the answers."""
    chance = random.Random(seed)
    for day in range(7, 0, -1):
        simulation._travel(until - day * DAY + DAY / 2)
        for at in trace(world, 0.0, DAY, deliveries=0, seed=chance.randrange(1 << 30)):
            path, _, query = at.path.partition("?")
            target = canonical_target(path, query, "", "")
            simulation.services.demand.noted.append(asked_text(target, f"{BASE}/api/v3"))
        simulation.services.recorder.flush()


@contextmanager
def simulated(owners: int, *, warm: bool) -> Iterator[tuple[Simulation, World, float]]:
    """A simulation with nothing in its stores, its world, and the moment it begins."""
    with (
        own_stores() as stores,
        StandIn.start(limits=False) as github,
        Receiver() as receiver,
        time_machine.travel(datetime.now(UTC), tick=False) as traveller,
    ):
        world = _world(github, owners)
        github.switch(rate_headers=False)
        github.hook(receiver.url, secret=SECRET)
        simulation = Simulation(
            _environ(stores, github, world), github, world, receiver, traveller.move_to, warm=warm
        )
        try:
            yield simulation, world, math.ceil(time.time() / MINUTE) * MINUTE + 8 * DAY
        finally:
            simulation.close()


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


def _environ(stores: Stores, github: StandIn, world: World) -> dict[str, str]:
    return {
        **stores.settings,
        "HOST": "127.0.0.1",
        "PORT": "8000",
        "BROKER_URL": stores.valkey.url.removesuffix("/0") + "/1",
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
