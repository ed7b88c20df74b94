"""Plausible repositories and owners, each a pure function of its id and the world's seed.

Nothing here is kept: the same id always gives the same repository, so that reset is quick and a
large world is only made where someone looks.
"""

from __future__ import annotations

import hashlib
from random import Random

from tests.standin.model import Owner, Repo

# "Now" of generated data: figures must not change with the day the server is started.
EPOCH = 1_767_225_600.0
YEAR = 365 * 86_400

ADJECTIVES = (
    "async", "atomic", "binary", "calm", "cloud", "compact", "crisp", "deep", "deft", "eager",
    "fast", "flat", "gentle", "global", "hidden", "hybrid", "inner", "keen", "lazy", "light",
    "linear", "lucid", "micro", "modern", "native", "nimble", "open", "plain", "polar", "prime",
    "pure", "quick", "quiet", "rapid", "robust", "sharp", "silent", "simple", "smart", "solid",
    "sparse", "static", "steady", "strict", "swift", "tidy", "tiny", "typed", "vivid", "warm",
)  # fmt: skip
NOUNS = (
    "agent", "anchor", "beacon", "bridge", "broker", "buffer", "builder", "cache", "chart",
    "client", "compiler", "console", "courier", "crawler", "docs", "driver", "engine", "feed",
    "fields", "forms", "gateway", "graph", "harbor", "index", "kernel", "ledger", "linter",
    "loader", "logger", "mapper", "metrics", "mirror", "notes", "parser", "pipeline", "planner",
    "pool", "probe", "proxy", "queue", "reader", "router", "runner", "schema", "server", "shell",
    "signals", "socket", "storage", "stream", "tables", "tester", "toolkit", "tracker", "vault",
    "viewer", "watcher", "worker",
)  # fmt: skip
OWNER_STEMS = (
    "northwind", "lumen", "driftwood", "copperleaf", "bluefin", "ironbark", "saltmarsh", "tidepool",
    "hazelnut", "redshift-labs", "quietriver", "longmeadow", "starling", "fernway", "granite-peak",
    "windrose", "oakline", "silverbirch", "moonraker", "palecrest", "sundial", "thornbury",
    "wildrye", "ashgrove", "brightwater",
)  # fmt: skip
# language -> (file share of a typical project: second languages, licence favoured there)
LANGUAGES: dict[str, tuple[tuple[str, ...], str]] = {
    "Python": (("Shell", "Makefile"), "bsd-3-clause"),
    "TypeScript": (("JavaScript", "CSS", "HTML"), "mit"),
    "Go": (("Shell", "Dockerfile"), "apache-2.0"),
    "Rust": (("Shell",), "apache-2.0"),
    "JavaScript": (("HTML", "CSS"), "mit"),
    "Java": (("Shell", "Groovy"), "apache-2.0"),
    "C": (("Makefile", "Python", "Shell"), "gpl-2.0"),
    "C++": (("CMake", "Python"), "mit"),
    "Ruby": (("HTML", "Shell"), "mit"),
    "Shell": (("Dockerfile",), "mit"),
    "HTML": (("CSS", "JavaScript"), "cc-by-4.0"),
}
TOPICS = (
    "api", "async", "automation", "backend", "cache", "cli", "cloud", "compiler", "database",
    "devops", "docker", "framework", "frontend", "graphql", "http", "json", "kubernetes",
    "library", "machine-learning", "monitoring", "networking", "parser", "performance", "queue",
    "rest", "security", "sql", "testing", "tooling", "web",
)  # fmt: skip
PURPOSES = (
    "for people in a hurry", "with no surprises", "that stays out of the way", "for large teams",
    "built for production", "with batteries included", "in a single file", "for the terminal",
    "that scales down", "with first-class types",
)  # fmt: skip


def source(seed: int, *what: object) -> Random:
    """A random source that depends on nothing but the seed and what it is for."""
    return Random(f"{seed}:{what}")


def sha(*what: object) -> str:
    """A plausible git object name: 40 hex digits, the same for the same arguments."""
    return hashlib.sha1(repr(what).encode(), usedforsecurity=False).hexdigest()


def repo_name(index: int) -> str:
    """The index-th generated name; all differ."""
    words = len(ADJECTIVES) * len(NOUNS)
    place = index * 1_471 % words  # 1,471 is prime to 2,900, so every pair comes once a round
    name = f"{ADJECTIVES[place % len(ADJECTIVES)]}-{NOUNS[place // len(ADJECTIVES)]}"
    return name if index < words else f"{name}-{index // words + 1}"


def owner_login(index: int) -> str:
    stem = OWNER_STEMS[index % len(OWNER_STEMS)]
    return stem if index < len(OWNER_STEMS) else f"{stem}-{index // len(OWNER_STEMS) + 1}"


def make_owner(seed: int, owner_id: int, login: str) -> Owner:
    """A generated organisation."""
    random = source(seed, "owner", login)
    created = EPOCH - random.uniform(2, 14) * YEAR
    return Owner(
        id=owner_id,
        login=login,
        kind="Organization",
        name=login.replace("-", " ").title(),
        description=f"Software {random.choice(PURPOSES)}",
        blog=f"https://{login}.example",
        location=random.choice(("Berlin", "Lisbon", "Nairobi", "Osaka", "Toronto", "Vienna")),
        followers=random.randrange(5, 900),
        created_at=created,
        updated_at=EPOCH - random.random() * YEAR,
        members=tuple(f"{login}-dev{n}" for n in range(1, random.randrange(3, 7))),
    )


def make_repo(seed: int, repo_id: int, owner: str, name: str) -> Repo:
    """A generated public repository."""
    random = source(seed, repo_id)
    language = random.choice(tuple(LANGUAGES))
    stars = int(10 ** random.uniform(0, 4.2))
    created = EPOCH - random.uniform(0.3, 11) * YEAR
    pushed = EPOCH - (EPOCH - created) * random.random() ** 3
    words = name.replace("-", " ")
    return Repo(
        id=repo_id,
        owner=owner,
        name=name,
        description=f"A {words} {random.choice(PURPOSES)}",
        license=LANGUAGES[language][1] if random.random() < 0.85 else None,
        language=language,
        languages=make_languages(random, language),
        topics=tuple(sorted(random.sample(TOPICS, random.randrange(0, 6)))),
        homepage=f"https://{name}.{owner}.example" if random.random() < 0.3 else None,
        stars=stars,
        forks=int(stars * random.uniform(0.05, 0.3)),
        open_issues=int(stars**0.6 * random.uniform(0, 1.5)),
        subscribers=max(1, stars // 20),
        size=random.randrange(40, 60_000),
        archived=random.random() < 0.04,
        is_template=random.random() < 0.02,
        has_pages=random.random() < 0.2,
        has_discussions=random.random() < 0.3,
        created_at=created,
        updated_at=min(EPOCH, pushed + random.random() * 30 * 86_400),
        pushed_at=pushed,
    )


def make_languages(random: Random, language: str) -> dict[str, int]:
    """Bytes by language, the main one first and largest."""
    total = random.randrange(20_000, 3_000_000)
    found = {language: total}
    for other in LANGUAGES.get(language, ((), ""))[0]:
        found[other] = int(total * random.uniform(0.002, 0.2)) + 1
    return found
