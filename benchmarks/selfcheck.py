"""Before anything is measured: that a subject answers right, from its cache, as the others do.

A peer that misses by a mistake in its configuration would be slandered, one that answers something
shorter flattered. So: the same JSON (links apart, which Forewarm makes its own), gzip for who takes
it and none for who doesn't, and no call to GitHub from the second answer on.
"""

from __future__ import annotations

import gzip

import requests

from benchmarks.bodies import fetched
from benchmarks.loads.wrk import CLIENT
from benchmarks.serving import BASE_URL, Ground
from benchmarks.subjects import Subject


class SelfCheckError(Exception):
    """A subject isn't what it is said to be."""


def check(ground: Ground, subject: Subject, path: str, *, caches: bool = True) -> dict[str, int]:
    """Ask twice for each coding; bytes of body on the wire by coding. Raises SelfCheckError."""
    wire = {}
    for coding in ("identity", "gzip"):
        first = _raw(subject, path, coding)
        before = ground.github.count(path)
        second = _raw(subject, path, coding)
        asked = ground.github.count(path) - before
        if caches and asked:
            raise SelfCheckError(f"{subject.name}: {path}, {coding}: a second answer wasn't a hit")
        for answer in (first, second):
            _judge(ground, subject, path, coding, answer)
        wire[coding] = len(second[1])
    return wire


def _raw(subject: Subject, path: str, coding: str) -> tuple[requests.Response, bytes]:
    headers = {**CLIENT, "Accept-Encoding": coding}
    with requests.Session() as session:
        answer = session.get(subject.base + path, headers=headers, stream=True, timeout=20)
        body = answer.raw.read(decode_content=False)
    return answer, body


def _judge(
    ground: Ground,
    subject: Subject,
    path: str,
    coding: str,
    answer: tuple[requests.Response, bytes],
) -> None:
    response, body = answer
    if response.status_code != requests.codes.ok:
        raise SelfCheckError(f"{subject.name}: {path}: status {response.status_code}")
    packed = response.headers.get("Content-Encoding", "identity")
    if packed != coding:
        raise SelfCheckError(f"{subject.name}: {path}: {packed} where {coding} was asked for")
    plain = gzip.decompress(body) if packed == "gzip" else body
    if subject.ours:
        plain = plain.replace(f"{BASE_URL}/api/v3".encode(), ground.github.url.encode())
    if plain != fetched(ground.github, path):
        raise SelfCheckError(f"{subject.name}: {path}: other JSON than GitHub's")
