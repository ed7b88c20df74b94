"""Fixed places that exist in every world, whatever its seed and size; tests refer to them by name.

All of it belongs to the fictional organisation `initech`. Who sees which private repository stands
in accounts.py: `payroll` and `tps-reports` the service; `shared` the service, alice, bob, carol;
`alice-only` and `bob-only` their names' owner alone, not even the service.
"""

from __future__ import annotations

from tests.standin.generator import EPOCH, YEAR, make_repo
from tests.standin.model import Owner, Repo

PRIVATE_ORG = "initech"
PUBLIC_REPO = "initech/website"
SERVICE_PRIVATE = "initech/payroll"
SHARED_PRIVATE = "initech/shared"
ALICE_PRIVATE = "initech/alice-only"
BOB_PRIVATE = "initech/bob-only"
EMPTY_REPO = "initech/empty"
ARCHIVED_REPO = "initech/attic"
FORKED_REPO = "initech/flask"
BLOCKED_REPO = "initech/blocked"
HUGE_REPO = "initech/huge"
RENAMED_REPO = "initech/new-name"
OLD_NAME = "initech/old-name"

OWNER_ID = 8_100_000
FIRST_REPO_ID = 8_200_000

# name -> (description, what differs from a generated repository)
REPOS: dict[str, tuple[str, dict[str, object]]] = {
    "website": ("The public site", {"language": "HTML"}),
    "payroll": ("Who gets what", {"private": True}),
    "tps-reports": ("Cover sheets", {"private": True}),
    "shared": ("What the whole team sees", {"private": True}),
    "alice-only": ("Alice's own", {"private": True}),
    "bob-only": ("Bob's own", {"private": True}),
    "empty": ("Nothing yet", {"empty": True, "language": None, "license": None, "size": 0}),
    "attic": ("Kept for the record", {"archived": True}),
    "flask": ("Our fork of Flask", {"fork": True, "language": "Python"}),
    "blocked": ("Taken down", {"blocked": True}),
    "huge": ("A tree of more than 2 MB", {"huge": True}),
    "new-name": ("Renamed from old-name", {}),
}


def private_org() -> Owner:
    """The organisation itself."""
    return Owner(
        id=OWNER_ID,
        login=PRIVATE_ORG,
        kind="Organization",
        name="Initech",
        description="Fictional; has private repositories",
        created_at=EPOCH - 9 * YEAR,
        updated_at=EPOCH - YEAR / 2,
        members=("forewarm-bot", "alice", "bob", "carol"),
    )


def landmark_repos(seed: int, fork_parent: int) -> list[Repo]:
    """Its repositories, the fork pointing at the given parent."""
    found = []
    for place, (name, (description, differences)) in enumerate(REPOS.items()):
        repo = make_repo(seed, FIRST_REPO_ID + place, PRIVATE_ORG, name)
        repo.archived = repo.is_template = False
        repo.description = description
        for field, value in differences.items():
            setattr(repo, field, value)
        if repo.fork:
            repo.parent_id = fork_parent
        if repo.empty:
            repo.languages, repo.topics, repo.open_issues = {}, (), 0
            repo.pushed_at = repo.created_at
        found.append(repo)
    return found
