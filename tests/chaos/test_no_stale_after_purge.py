"""Nobody is served what is older than the last purge that returned before they asked, but as GRACE,
and after a hard purge not even so: at random, over processes, kills and restarts of Redis.

FOREWARM_LONG=1 runs each for so many minutes, with a seed of its own, or FOREWARM_SEED. On two
cores 42 seconds of each were 34,000 purges and 820,000 reads, through 209 killed processes: none
was too old.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from script.embedded import Valkey
from tests.chaos.disk import keep, kill_and_forget
from tests.chaos.interleavings import PURGES, READS
from tests.serving import ROOT

LONG = float(os.environ.get("FOREWARM_LONG", "0"))
SECONDS = 60 * LONG or 3.0
SEED = os.environ.get("FOREWARM_SEED") or (secrets.token_hex(4) if LONG else "seed")

Chaos = Callable[[Valkey, random.Random, Path], None]


def nothing(valkey: Valkey, chance: random.Random, kept: Path) -> None:
    time.sleep(0.2)


def killed(valkey: Valkey, chance: random.Random, kept: Path) -> None:
    """Redis is killed, is away for a while, and comes back with what it had."""
    time.sleep(0.3 + 1.5 * chance.random())
    valkey.kill()
    time.sleep(chance.random())
    valkey.start()


def forgetful(valkey: Valkey, chance: random.Random, kept: Path) -> None:
    """Redis is killed, and comes back with what it had a while before: purges are lost."""
    time.sleep(0.5 + 0.5 * chance.random())  # until it is trusted again, and holds something
    keep(valkey, kept)
    time.sleep(0.1 + 0.5 * chance.random())
    kill_and_forget(valkey, kept)


def paused(valkey: Valkey, chance: random.Random, kept: Path) -> None:
    """Redis hangs for longer than anyone waits, and goes on where it was."""
    time.sleep(0.2 + 0.8 * chance.random())
    valkey.pause()
    time.sleep(0.3 + 0.5 * chance.random())
    valkey.resume()


def lossy(valkey: Valkey, chance: random.Random, kept: Path) -> None:
    """Subscriptions are cut; everything in Redis is lost, tags and leases in use too."""
    time.sleep(0.05 + 0.3 * chance.random())
    with redis.Redis.from_url(valkey.url) as client:
        if chance.random() < 0.5:
            client.client_kill_filter(_type="pubsub")
        else:
            client.flushdb()


@pytest.mark.parametrize(
    ("chaos", "fresh"),
    # What a restart brings back must be fresh by time, or its death would prove nothing.
    [(nothing, "1"), (lossy, "1"), (paused, "20"), (killed, "20"), (forgetful, "20")],
)
def test_nobody_reads_what_is_older_than_the_last_purge(
    chaos: Chaos, fresh: str, environ: dict[str, str], valkey: Valkey, tmp_path: Path
) -> None:
    report = tmp_path / "seen"
    report.touch()
    command = [sys.executable, "-m", "tests.chaos.interleavings", SEED, str(SECONDS), str(report)]
    settings = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        **environ,
        "CACHE_FRESH_REPO": fresh,
        "CACHE_STALE": "1",
        "HIT_SAMPLE": "10",
        "DATABASE_POOL": "2",
    }
    chance = random.Random(SEED)
    with subprocess.Popen(
        command, cwd=ROOT, env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as nodes:
        while nodes.poll() is None:
            chaos(valkey, chance, tmp_path / "kept")
        valkey.start()
        out, errors = nodes.communicate()
    assert nodes.returncode == 0, errors.decode()[-3000:]
    counts = json.loads(out)
    print(f"\n{chaos.__name__}, seed {SEED!r}: {counts}")
    seen = report.read_text().splitlines()
    assert not seen, f"{len(seen)} with seed {SEED!r}, such as\n" + "\n".join(seen[:10])
    assert counts["soft"] + counts["hard"] > PURGES
    assert counts["HIT"] + counts["MISS"] + counts["COALESCED"] > READS
