"""The bodies that are asked for: JSON of about 1, 10 and 55 kB, and a thousand repositories'.

They are the stand-in's own answers; the 10 kB one is a repository whose description is as long as
it takes, of words, so that it packs as text does.
"""

from __future__ import annotations

import random

import orjson
import requests

from tests.standin.accounts import SERVICE_TOKEN
from tests.standin.orders import Orders

DETAIL = "/repos/pallets/flask"
SMALL, LARGE = "/orgs/pallets", "/orgs/pallets/repos?per_page=10"
SIZES: tuple[tuple[str, str], ...] = (("1 kB", SMALL), ("10 kB", DETAIL), ("55 kB", LARGE))
"""Name, and path below GitHub's API."""
FORK = "/repos/initech/flask"
DETAIL_BYTES = 10_000
SEED = 10
_SYLLABLES = ("re", "po", "si", "to", "ry", "ca", "che", "wa", "ve", "lin", "ter", "mo", "da", "ku")


def enlarged(github: Orders) -> bytes:
    """Make pallets/flask's JSON 10 kB; what it is then."""
    words = random.Random(SEED)
    short = len(fetched(github, DETAIL))
    text = ""
    while len(text) < DETAIL_BYTES - short:
        text += "".join(words.choices(_SYLLABLES, k=words.randint(1, 4))) + " "
    github.change_repo("pallets/flask", description=text, webhook=False)
    for _ in range(3):  # until what the old description took is made up for, too
        missing = DETAIL_BYTES - len(fetched(github, DETAIL))
        text = text + "x" * missing if missing >= 0 else text[:missing]
        github.change_repo("pallets/flask", description=text, webhook=False)
    return fetched(github, DETAIL)


def fetched(github: Orders, path: str) -> bytes:
    """What the stand-in answers the service."""
    answer = requests.get(
        github.url + path, headers={"Authorization": f"Bearer {SERVICE_TOKEN}"}, timeout=10
    )
    answer.raise_for_status()
    return answer.content


def many(github: Orders, count: int) -> list[str]:
    """Paths of so many public repositories' details, made here, of one organisation."""
    github.create_org("many", repos=count)
    found: list[str] = []
    for page in range(1, -(-count // 100) + 1):
        listed = orjson.loads(fetched(github, f"/orgs/many/repos?per_page=100&page={page}"))
        found += [f"/repos/{each['full_name']}" for each in listed]
    return found


def drawn(paths: list[str], number: int, exponent: float) -> list[str]:
    """So many paths in the order they are asked for: uniformly (0), or by Zipf's law (about 1)."""
    chance = random.Random(SEED)
    weights = [1 / (rank**exponent) for rank in range(1, len(paths) + 1)]
    return chance.choices(paths, weights, k=number)
