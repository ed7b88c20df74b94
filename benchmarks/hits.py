"""Warm hits side by side, in one run: near, Redis, and Flask-Caching's `@cached` on two servers.

    python -m benchmarks.hits [--rounds 5] [--seconds 3]

One worker process each, servers pinned to one core and the load generator (wrk) to another, 10 kB
of repository JSON, keep-alive, 32 connections. Rounds are interleaved; what counts is the ratio
within a round, because the machine's speed drifts. Also prints Redis memory a cached repository.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from benchmarks.serving import CONNECTIONS, free_port, granian, ground, need_tools, rate, running
from webapp.cache.keys import SERVICE, canonical_target, entry_key
from webapp.github.answer import Answer
from webapp.github.entries import Finisher
from webapp.policy import DEFAULT_PERIODS, match
from webapp.services import build
from webapp.settings import Settings

MEMORY_SAMPLE = 5_000
TARGETS = {
    "near / @cached on gunicorn": 20.0,
    "redis / @cached on granian": 2.0,
}


@dataclass(frozen=True, slots=True)
class Subject:
    """A server, and the URL whose answer is a warm hit there."""

    name: str
    url: str


def _gunicorn(app: str, port: int) -> list[str]:
    return [
        *(sys.executable, "-m", "gunicorn", "--worker-class", "gthread", "--threads", "16"),
        *("--workers", "1", "--keep-alive", "60", "--bind", f"127.0.0.1:{port}", app),
    ]


def _memory(environ: dict[str, str], body: bytes) -> float:
    """Bytes of Redis that a cached repository takes, its tags included.

    Filled through the store: asking GitHub for so many would take the budget minutes.
    """
    services = build(Settings.from_env({**environ, "TELEMETRY": "off"}))
    finisher = Finisher(environ["GITHUB_API_URL"], DEFAULT_PERIODS, random.random)
    headers = {"Content-Type": "application/json; charset=utf-8", "ETag": 'W/"0"'}
    before = int(services.redis.info("memory")["used_memory"])
    for number in range(MEMORY_SAMPLE):
        name = f"owner-{number % 100}/repository-{number}"
        target = canonical_target(f"/repos/{name}", "", "", "")
        own = body.replace(b"pallets/flask", name.encode())
        answer = Answer(200, headers, own, time.time())
        entry = finisher.entry(answer, target, SERVICE, "http://127.0.0.1:8000/api/v3")
        key = entry_key(target, SERVICE, "http://127.0.0.1:8000/api/v3")
        lease, _ = services.store.acquire(key, match(target.path).tags)
        assert lease
        assert services.store.fill(lease, entry, time.time())
    after = int(services.redis.info("memory")["used_memory"])
    services.close()
    return (after - before) / MEMORY_SAMPLE


def measure(rounds: int, seconds: int) -> None:
    """Run it all and print it."""
    with ExitStack() as stack:
        own_ground = stack.enter_context(ground())
        ours, body = own_ground.settings, own_ground.body
        body_file = own_ground.directory / "body.json"
        body_file.write_bytes(body)
        peer = {"REDIS_URL": ours["REDIS_URL"], "BODY_FILE": str(body_file)}
        subjects = []
        for name, command, app, environ, path in (
            ("near", granian, "wsgi:app", ours, "/api/v3"),
            ("redis", granian, "wsgi:app", {**ours, "NEAR_MB": "0"}, "/api/v3"),
            ("@cached on granian", granian, "benchmarks.flask_caching_peer:app", peer, ""),
            ("@cached on gunicorn", _gunicorn, "benchmarks.flask_caching_peer:app", peer, ""),
        ):
            port = free_port()
            url = f"http://127.0.0.1:{port}{path}/repos/pallets/flask"
            own = {**environ, "PORT": str(port)}
            stack.enter_context(running(command(app, port), own, url))
            subjects.append(Subject(name, url))
        print(f"{len(body)} bytes of JSON, {CONNECTIONS} connections, {rounds} rounds")
        rates = _rounds(subjects, rounds, seconds)
        _print_rates(rates)
        _print_ratios(rates)
        taken = _memory(ours, body)
        print(f"\nRedis memory a cached repository: {taken:,.0f} bytes (target ≤ 2,500)")


def _rounds(subjects: Sequence[Subject], rounds: int, seconds: int) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {each.name: [] for each in subjects}
    for each in subjects:
        rate(each.url, 1)  # warm
    for number in range(rounds):
        for each in subjects:
            rates[each.name].append(rate(each.url, seconds))
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return rates


def _print_rates(rates: dict[str, list[float]]) -> None:
    print(f"\n{'requests a second':<24}{'median':>10}{'min':>10}{'max':>10}")
    for name, values in rates.items():
        print(
            f"{name:<24}{statistics.median(values):>10,.0f}{min(values):>10,.0f}"
            f"{max(values):>10,.0f}"
        )


def _print_ratios(rates: dict[str, list[float]]) -> None:
    print(f"\n{'ratio, round by round':<32}{'median':>8}{'min':>8}{'max':>8}  target")
    for name, target in TARGETS.items():
        over, _, under = name.partition(" / ")
        ratios = [a / b for a, b in zip(rates[over], rates[under], strict=True)]
        print(
            f"{name:<32}{statistics.median(ratios):>8.2f}{min(ratios):>8.2f}"
            f"{max(ratios):>8.2f}  ≥ {target:g}"
        )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (5)")
    parser.add_argument("--seconds", type=int, default=3, help="seconds a measurement (3)")
    chosen = parser.parse_args()
    need_tools()
    measure(chosen.rounds, chosen.seconds)


if __name__ == "__main__":
    main()
