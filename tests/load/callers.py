"""Many callers at once, each on a keep-alive connection of its own, and what they were answered."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

CONNECT_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Said:
    """One answer: `began` on the monotonic clock, `seconds` until its last byte."""

    status: int
    outcome: str
    began: float
    seconds: float
    body: bytes = field(repr=False)


def all_at_once(urls: Sequence[str], head: str = "") -> list[Said]:
    """GET each URL at the same moment, each on a connection that was opened before."""
    return asyncio.run(_all_at_once(urls, head))


async def _all_at_once(urls: Sequence[str], head: str) -> list[Said]:
    opening = asyncio.Semaphore(CONNECT_AT_ONCE)
    start = asyncio.Event()
    ready = asyncio.Semaphore(0)

    async def call(url: str) -> Said:
        host, _, path = url.removeprefix("http://").partition("/")
        name, _, port = host.partition(":")
        async with opening:
            reader, writer = await asyncio.open_connection(name, int(port))
        ready.release()
        await start.wait()
        began = time.monotonic()
        writer.write(f"GET /{path} HTTP/1.1\r\nHost: {host}\r\n{head}\r\n".encode())
        status, headers, body = await _answer(reader)
        writer.close()
        outcome = headers.get("x-cache", "")
        return Said(status, outcome, began, time.monotonic() - began, body)

    calls = [asyncio.create_task(call(url)) for url in urls]
    for _ in calls:
        await ready.acquire()
    start.set()
    return await asyncio.gather(*calls)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return int(lines[0].split()[1]), headers, body


def outcomes(answers: Iterable[Said]) -> Counter[tuple[int, str]]:
    """How many of each (status, X-Cache)."""
    return Counter((each.status, each.outcome) for each in answers)


def percentile(seconds: Iterable[float], share: float) -> float:
    """In milliseconds."""
    ordered = sorted(seconds)
    return 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def figures(name: str, seconds: Sequence[float]) -> str:
    """One line to print, in milliseconds."""
    return (
        f"{name}: n={len(seconds)} mean={1000 * statistics.fmean(seconds):.2f}"
        f" p50={percentile(seconds, 0.5):.2f} p99={percentile(seconds, 0.99):.2f}"
        f" max={1000 * max(seconds):.2f} ms"
    )
