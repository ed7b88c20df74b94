"""Everybody uses Forewarm at once while each of its parts is killed, paused and slowed, in an order
from a seed: no wrong body, no foreign data, nothing older than allowed, no accepted webhook lost,
no request hanging, and all is well again 10 s after the last fault.

FOREWARM_LONG=3 takes as many minutes, with a seed of its own or FOREWARM_SEED, and lets faults
overlap.
"""

from __future__ import annotations

import os
import random
import re
import secrets
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import requests

from script.embedded import Postgres, Valkey
from tests.chaos.crowd import LIST, MADE, OWNER, PATIENCE, SEEN_BY, Crowd
from tests.chaos.history import ALICE, BOB, PUBLIC, SERVICE, Absence, Seen, untrue
from tests.chaos.house import House, Web, whole
from tests.serving import ADMIN_PASSWORD
from tests.standin.accounts import PUBLIC_TOKEN
from tests.standin.process import StandIn
from tests.webapp.delivering import SECRET

LONG = float(os.environ.get("FOREWARM_LONG", "0"))
SEED = os.environ.get("FOREWARM_SEED") or (secrets.token_hex(4) if LONG else "seed")
EVERY = 0.12 if LONG else 0.06  # seconds between a reader's requests
OVERLAP = 0.25 if LONG else 0.0  # how often a second fault joins
RECOVERED = 10.0  # seconds after the last fault
LOGGED = re.compile(r"^(?=\[?\d{4}-\d\d-\d\d )", re.MULTILINE)
EXPECTED = tuple(f"webapp.errors.{name}" for name in ("DatabaseUnavailable", "StoreUnavailable"))
TOPICS_FRESH, STALE = 2.0, 2.0  # seconds

FAULTS: dict[str, tuple[str, ...]] = {
    "redis": ("kill", "pause", "slow"),
    "broker": ("kill", "pause"),
    "postgres": ("kill", "pause", "slow"),
    "github": ("fail", "reset", "slow", "pause"),
    "worker": ("kill", "pause", "stop"),
    "scheduler": ("kill",),
    "web0": ("kill", "kill child", "pause", "slow", "stop"),
    "web1": ("kill", "kill child", "pause", "slow", "stop"),
}
SHORT = ("redis", "broker", "postgres", "github", "worker", "web0", "web1")


@dataclass(frozen=True, slots=True)
class Suffered:
    part: str
    kind: str
    began: float
    ended: float


class Fate:
    """Draws faults, one after another."""

    def __init__(self, house: House, chance: random.Random) -> None:
        self.suffered: list[Suffered] = []
        self._house, self._chance = house, chance

    def short(self) -> None:
        """Each part once."""
        for part in self._chance.sample(SHORT, len(SHORT)):
            self._one(part, self._chance.choice(FAULTS[part]), 0.4 + 0.5 * self._chance.random())
            time.sleep(0.2 + 0.3 * self._chance.random())

    def long(self, seconds: float) -> None:
        """Any, for so long."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            parts = self._chance.sample(tuple(FAULTS), 2 if self._chance.random() < OVERLAP else 1)
            threads = [
                threading.Thread(
                    target=self._one,
                    args=(
                        part,
                        self._chance.choice(FAULTS[part]),
                        0.3 + 2.7 * self._chance.random(),
                    ),
                )
                for part in parts
            ]
            for each in threads:
                each.start()
            for each in threads:
                each.join()
            time.sleep(2 * self._chance.random())

    def _one(self, part: str, kind: str, seconds: float) -> None:
        began = time.monotonic()
        self._house.suffer(part, kind, seconds)
        self.suffered.append(Suffered(part, kind, began, time.monotonic()))


@pytest.fixture
def house(
    environ: dict[str, str],
    store_directory: Path,
    valkey: Valkey,
    postgres: Postgres,
    github: StandIn,
    tmp_path: Path,
) -> Iterator[House]:
    github.limits(primary=False, secondary=False)
    for repo in MADE:
        github.create_repo(f"{OWNER}/{repo}")
    broker = Valkey(store_directory / "broker", maxmemory="64mb")
    broker.start()
    settings = {
        "PATH": os.environ["PATH"],
        **environ,
        "BROKER_URL": broker.url,
        "GITHUB_WEBHOOK_SECRET": SECRET,
        "GITHUB_PUBLIC_TOKEN": PUBLIC_TOKEN,
        "ADMIN_PASSWORD": ADMIN_PASSWORD,
        "PUBLIC_URL": "http://127.0.0.1:8000",  # the same entries for both
        "WATCH": OWNER,
        # Details and lists for a day: what a lost purge leaves old, no period mends.
        **dict.fromkeys(("CACHE_FRESH_REPO", "CACHE_FRESH_REPO_LIST"), "24h"),
        "CACHE_FRESH_REPO_PART": str(TOPICS_FRESH),
        "CACHE_STALE": str(STALE),
    }
    parts = {"redis": valkey, "broker": broker, "postgres": postgres, "github": github}
    with whole(settings, folder=tmp_path, **parts) as running:
        yield running
    github.process.send_signal(signal.SIGCONT)
    broker.stop()


@pytest.mark.alone
def test_nothing_is_wrong_foreign_too_old_lost_or_hanging_whatever_fails(house: House) -> None:
    chance = random.Random(SEED)
    fate = Fate(house, chance)
    with Crowd(house, chance, EVERY, (TOPICS_FRESH, STALE)) as crowd:
        time.sleep(0.5)
        fate.long(60 * LONG) if LONG else fate.short()
        seconds = recovery(house, crowd)
        time.sleep(1.0)
    away = [each for each in fate.suffered if each.part == "redis"]
    absences = [Absence(each.began, each.ended) for each in away]
    report(crowd, fate, seconds)
    assert not crowd.crashed
    assert not [each for each in crowd.answers if each.ended - each.began > PATIENCE]
    assert not list(untrue(crowd.subjects, absences, crowd.answers))[:10]
    assert not [each for each in crowd.answers if odd(each, fate)][:10]
    assert seconds <= RECOVERED
    assert not surprises(house)
    in_the_end(house, crowd)


def report(crowd: Crowd, fate: Fate, seconds: float) -> None:
    outcomes = Counter(each.outcome or str(each.status) for each in crowd.answers)
    faults = Counter(f"{each.part} {each.kind}" for each in fate.suffered)
    slowest = max(each.ended - each.began for each in crowd.answers)
    changed = sum(len(each.versions) - 1 for each in crowd.subjects.values())
    print(
        f"\nseed {SEED!r}: {len(crowd.answers)} answers {dict(outcomes)}; {changed} changes,"
        f" {len(crowd.accepted)} webhooks; {len(fate.suffered)} faults {dict(faults)}; slowest"
        f" {slowest:.1f} s; recovered in {seconds:.1f} s"
    )


def odd(seen: Seen, fate: Fate) -> bool:
    """No answer that could be expected: 500, or cut off though nobody had touched its server."""
    if seen.error:
        web = f"web{seen.where}"
        return not any(
            each.part == web and each.began - 0.1 <= seen.ended and seen.began <= each.ended + 0.1
            for each in fate.suffered
        )
    return seen.status not in {200, 202, 403, 404, 502, 503}


def surprises(house: House) -> list[str]:
    """What a process didn't expect. A job may fail for want of a store, and says so at length."""
    found = [each.output() for each in house.webs if "Traceback" in each.output()]
    for each in house.background.values():
        for said in LOGGED.split(each.output()):
            ends = said.rstrip().rpartition("\n")[2]
            if "Traceback" in said and not ends.startswith(EXPECTED):
                found.append(said)
    return [each[-3000:] for each in found]


def recovery(house: House, crowd: Crowd) -> float:
    """Seconds until the last answer that wasn't as if nothing had happened, over every caller, path
    and web process."""
    began = last = time.monotonic()
    asked = [
        (scope, where, path)
        for scope in (SERVICE, PUBLIC, ALICE, BOB)
        for where in (0, 1)
        for path in (*(f"/repos/{OWNER}/{repo}" for repo in SEEN_BY), LIST)
    ]
    left: list[tuple[str, int, str] | Web] = [*asked, *house.webs]
    with requests.Session() as session:
        while left and last - began <= RECOVERED:
            still: list[tuple[str, int, str] | Web] = []
            for each in left:
                fine = (
                    ready(session, each)
                    if isinstance(each, Web)
                    else well(crowd.ask(session, *each))
                )
                if not fine:
                    last = time.monotonic()
                    still.append(each)
            left = still
    return last - began


def ready(session: requests.Session, web: Web) -> bool:
    answer = session.get(f"{web.url}/readyz", timeout=PATIENCE)
    return bool(answer.json()["mode"] == "full")


def well(seen: Seen) -> bool:
    return seen.status in {200, 404} and seen.outcome not in {"GRACE", "ERROR"}


def in_the_end(house: House, crowd: Crowd) -> None:
    """Every answer is GitHub's since the last purge that was accepted (an operator or GitHub that
    was refused gives up when the crowd goes home), and every accepted delivery has been purged for.
    """
    sure = {name: each for name, each in crowd.subjects.items() if not each.unsure}
    with requests.Session() as session:
        for scope in (SERVICE, PUBLIC, ALICE, BOB):
            for repo, subject in sure.items():
                if "#" in repo:
                    continue
                purged = subject.purges[-1].number if subject.purges else 0
                allowed = {
                    each.number if scope in each.visible else None
                    for each in subject.versions[purged:]
                }
                seen = crowd.ask(session, scope, 0, f"/repos/{OWNER}/{repo}")
                assert [name for name, _ in seen.shown] == [repo], seen
                assert seen.shown[0][1] in allowed, (seen, allowed)
    with psycopg.connect(house.environ["DATABASE_URL"]) as conn:
        # Where PostgreSQL went before the purge was noted, looks do it again, or the sweep.
        journal = """
            select delivery from webhook_deliveries
            where purged_at is null and looks_done = 0 and next_look_at is null
        """
        owed = {str(row[0]) for row in conn.execute(journal).fetchall()}
    assert not owed & crowd.accepted
