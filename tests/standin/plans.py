"""Generated repositories that nobody has looked at yet: only their ids and number are settled."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass

from tests.standin.generator import make_repo, repo_name
from tests.standin.model import Repo


@dataclass(frozen=True, slots=True)
class _Batch:
    owner: str
    first_id: int
    count: int
    first_name: int


class Plans:
    """Batches by owner, until they are taken."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._batches: dict[str, list[_Batch]] = {}

    def add(self, owner: str, first_id: int, count: int, owned: int) -> None:
        """Plan `count` repositories of an owner that has `owned` ones made already."""
        batches = self._batches.setdefault(owner.lower(), [])
        first_name = owned + sum(batch.count for batch in batches)
        batches.append(_Batch(owner, first_id, count, first_name))

    def count(self, owner: str) -> int:
        return sum(batch.count for batch in self._batches.get(owner.lower(), ()))

    @property
    def total(self) -> int:
        return sum(batch.count for batches in self._batches.values() for batch in batches)

    def owner_of(self, repo_id: int) -> str | None:
        """Whose plan an id is in."""
        for owner, batches in self._batches.items():
            if any(0 <= repo_id - batch.first_id < batch.count for batch in batches):
                return owner
        return None

    def take(self, owner: str, taken: Container[tuple[str, str]]) -> Iterator[Repo]:
        """Make an owner's; a name that is taken (owner and name in lower case) gets a tail."""
        for batch in self._batches.pop(owner.lower(), ()):
            for index in range(batch.count):
                name = repo_name(batch.first_name + index)
                while (batch.owner.lower(), name) in taken:
                    name += "-plus"
                yield make_repo(self._seed, batch.first_id + index, batch.owner, name)
