"""Real, well-known organisations and repositories, read from demo.toml.

Names, descriptions, languages, topics and licences are real; figures and dates are plausible.
"""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from tests.standin.generator import EPOCH, make_languages, source
from tests.standin.model import Owner, Repo

FILE = Path(__file__).with_name("demo.toml")
# In every world, demo or not.
ALWAYS = ("pallets", "psf", "mitsuhiko")


def load(seed: int, *, everything: bool) -> list[tuple[Owner, list[Repo]]]:
    """Owners with their hand-written repositories; without `everything`, only ALWAYS."""
    table = tomllib.loads(FILE.read_text())
    return [
        (_owner(row), [_repo(seed, row["login"], repo) for repo in row["repos"]])
        for row in table["owner"]
        if everything or row["login"] in ALWAYS
    ]


def _seconds(day: date) -> float:
    return datetime(day.year, day.month, day.day, 9, 30, tzinfo=UTC).timestamp()


def _owner(row: dict[str, Any]) -> Owner:
    return Owner(
        id=row["id"],
        login=row["login"],
        kind="User" if row.get("user") else "Organization",
        name=row["name"],
        description=row.get("description"),
        blog=row.get("blog"),
        location=row.get("location"),
        followers=row.get("followers", 0),
        created_at=_seconds(row["created"]),
        updated_at=EPOCH - 40 * 86_400,
        members=tuple(row.get("members", ())),
    )


def _repo(seed: int, owner: str, row: dict[str, Any]) -> Repo:
    random = source(seed, "demo", owner, row["name"])
    language = row.get("language")
    stars = row["stars"]
    created = _seconds(row["created"])
    archived = row.get("archived", False)
    pushed = EPOCH - random.random() * (400 if archived else 12) * 86_400
    return Repo(
        id=row["id"],
        owner=owner,
        name=row["name"],
        description=row["about"],
        archived=archived,
        homepage=row.get("homepage"),
        license=row.get("license"),
        language=language,
        languages=make_languages(random, language) if language else {},
        topics=tuple(sorted(row.get("topics", ()))),
        stars=stars,
        forks=row["forks"],
        open_issues=row["issues"],
        subscribers=max(3, stars // 40),
        size=random.randrange(900, 120_000),
        default_branch=row.get("branch", "main"),
        has_wiki=random.random() < 0.4,
        has_discussions=random.random() < 0.5,
        created_at=created,
        updated_at=EPOCH - random.random() * 3 * 86_400,
        pushed_at=pushed,
    )
