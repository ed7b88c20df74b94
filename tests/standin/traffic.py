"""Light, seeded traffic for the demo: stars, pushes, issues, releases that move figures.

What happens and in which order depends on the seed alone; when, on the wall clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random

from tests.standin.github import GitHub
from tests.standin.model import Repo
from tests.standin.parts import PEOPLE, parts_of
from tests.standin.world import Unknown

MEAN_SECONDS = 3.0
# what happens -> how often, of 100
WEIGHTS = {"star": 50, "push": 25, "open": 10, "close": 10, "release": 2, "edit": 3}


class Traffic:
    """Changes one repository at a time."""

    def __init__(self, github: GitHub, seed: int) -> None:
        self._github = github
        self._random = Random(f"{seed}:traffic")
        self._actions: dict[str, Callable[[Repo, str], None]] = {
            "star": self._star,
            "push": self._push,
            "open": self._open,
            "close": self._close,
            "release": self._release,
            "edit": self._edit,
        }

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._random.expovariate(1 / MEAN_SECONDS))
            self.step()

    def step(self) -> str:
        """One change to a repository, busy ones more often; what it was."""
        random, world = self._random, self._github.world
        owners = [one for one in world.owners() if one.kind == "Organization"]
        repos = [
            repo
            for repo in world.repos_of(random.choice(owners).login)
            if not repo.archived and not repo.blocked and not repo.empty
        ]
        action = random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        if not repos:
            return "nothing"
        repo = random.choices(repos, [1 + one.stars**0.5 for one in repos])[0]
        try:
            self._actions[action](world.truth(repo.full_name), random.choice(PEOPLE))
        except Unknown:  # A lagging replica still lists it; it was deleted or renamed.
            return "nothing"
        return f"{action} {repo.full_name}"

    def _star(self, repo: Repo, who: str) -> None:
        by = -1 if self._random.random() < 0.1 else 1
        self._github.changes.star({"full_name": repo.full_name, "by": by, "sender": who})

    def _push(self, repo: Repo, who: str) -> None:
        self._github.changes.push({"full_name": repo.full_name, "sender": who})

    def _open(self, repo: Repo, who: str) -> None:
        pull = self._random.random() < 0.4
        order = {"full_name": repo.full_name, "sender": who, "pull": pull}
        self._github.changes.issue(order)

    def _close(self, repo: Repo, who: str) -> None:
        issues = parts_of(self._github.world.size.seed, repo).issues
        still_open = [one for one in issues if one.state == "open"]
        if still_open:
            number = self._random.choice(still_open).number
            order = {"full_name": repo.full_name, "sender": who, "number": number}
            self._github.changes.edit_issue(order | {"state": "closed"})

    def _release(self, repo: Repo, who: str) -> None:
        count = len(parts_of(self._github.world.size.seed, repo).releases)
        tag = f"{count // 4 + 1}.{count % 4}.1"
        self._github.changes.release({"full_name": repo.full_name, "sender": who, "tag": tag})

    def _edit(self, repo: Repo, who: str) -> None:
        text = (repo.description or repo.name).removesuffix(" (new)")
        if text == repo.description:
            text += " (new)"
        self._github.changes.change(
            {"full_name": repo.full_name, "sender": who, "description": text}
        )
