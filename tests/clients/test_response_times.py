"""What caching is worth to a client: the same requests through Forewarm, asked and known."""

from __future__ import annotations

import time
from statistics import median

import pytest
import requests

from tests.serving import API_KEY, Server
from tests.standin.process import StandIn

LATENCY = 100  # milliseconds that the stand-in takes for each answer
DETAILS = ("flask", "jinja", "click", "werkzeug", "quart")


def test_a_known_answer_comes_without_githubs_latency(
    mirror: Server, github: StandIn, capsys: pytest.CaptureFixture[str]
) -> None:
    github.latency(LATENCY)
    groups = {
        "list": [f"/orgs/pallets/repos?per_page={size}" for size in (10, 20, 40)],
        "detail": [f"/repos/pallets/{name}" for name in DETAILS],
    }
    lines = []
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {API_KEY}"
        session.get(f"{mirror.url}/healthz", timeout=10)  # connects
        for name, paths in groups.items():
            asked = _milliseconds(session, mirror, paths, "MISS")
            known = _milliseconds(session, mirror, paths * 10, "HIT")
            lines.append(f"  {name:<8}MISS {asked:7.1f} ms   HIT {known:6.2f} ms")
            assert asked > LATENCY
            assert known < LATENCY / 4
    with capsys.disabled():
        print(f"\nmedian response times, GitHub {LATENCY} ms away", *lines, sep="\n")


def _milliseconds(session: requests.Session, mirror: Server, paths: list[str], kind: str) -> float:
    """The median over these paths, each of which must be of this outcome."""
    times = []
    for path in paths:
        began = time.perf_counter()
        answer = session.get(f"{mirror.api}{path}", timeout=10)
        times.append((time.perf_counter() - began) * 1_000)
        assert answer.headers["X-Cache"] == kind
    return median(times)
