"""The stand-in's truth: owners and repositories, how they are found, how they change.

Generated repositories are planned as batches (first id, count) and made when their owner is first
looked at. Every change raises `version` (which voids rendered bodies), keeps the old state for
replica lag, and tells the listeners (webhooks, event feeds).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

from tests.standin import demo, generator, landmarks
from tests.standin.clock import Clock
from tests.standin.lag import Replica
from tests.standin.model import Owner, Repo
from tests.standin.plans import Plans

FIRST_GENERATED_REPO = 700_000_000
FIRST_GENERATED_OWNER = 60_000_000
PALLETS_AT_LEAST = 40
REPO_FIELDS = frozenset(f.name for f in fields(Repo)) - {"id", "owner", "name", "parts"}


class Unknown(LookupError):
    """A change names an owner or repository that does not exist."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a world to make. Landmarks and hand-written repositories count in."""

    orgs: int = 10
    repos: int = 200
    seed: int = 1
    demo: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened, in webhook words; `extra` goes into the payload's top level.

    `silent`: neither webhooks nor feeds tell of it.
    """

    event: str
    action: str | None
    repo: Repo
    sender: str
    extra: dict[str, Any] = field(default_factory=dict)
    former_owner: Owner | None = None
    former_name: str | None = None
    silent: bool = False


class World:
    """All data of one stand-in. Names are found whatever their letter case."""

    def __init__(self, size: Size, clock: Clock) -> None:
        self.size = size
        self.clock = clock
        self.replica = Replica(clock)
        self.version = 0
        self.listeners: list[Callable[[Change], None]] = []
        self._fill()

    def reset(self) -> None:
        """Back to the seed's data; listeners stay."""
        self.replica.forget()
        self.version += 1
        self._fill()

    # Making

    def _fill(self) -> None:
        self._owners: dict[str, Owner] = {}
        self._repos: dict[int, Repo] = {}
        self._ids: dict[tuple[str, str], int] = {}
        self._moved: dict[tuple[str, str], int] = {}
        self._owned: dict[str, list[int]] = {}
        self._plans = Plans(self.size.seed)
        self._next_repo = FIRST_GENERATED_REPO
        self._next_owner = FIRST_GENERATED_OWNER
        seed = self.size.seed
        for owner, repos in demo.load(seed, everything=self.size.demo):
            self._place_owner(owner)
            for repo in repos:
                self._place(repo)
        flask = self._ids["pallets", "flask"]
        self._place_owner(landmarks.private_org())
        for repo in landmarks.landmark_repos(seed, flask):
            self._place(repo)
        renamed = self._ids[_key(landmarks.RENAMED_REPO)]
        self._moved[_key(landmarks.OLD_NAME)] = renamed
        self._plan_generated()

    def _plan_generated(self) -> None:
        self._plan("pallets", max(0, PALLETS_AT_LEAST - len(self._owned["pallets"])))
        orgs = sum(owner.kind == "Organization" for owner in self._owners.values())
        new = [
            generator.owner_login(index)
            for index in range(max(0, self.size.orgs - orgs))
            if generator.owner_login(index) not in self._owners
        ]
        missing = max(0, self.size.repos - self.repo_count)
        for place, login in enumerate(new):
            self._place_owner(generator.make_owner(self.size.seed, self._take_owner_id(), login))
            self._plan(login, missing // len(new) + (place < missing % len(new)))
        if not new:
            self._plan("pallets", missing)

    def _take_owner_id(self) -> int:
        self._next_owner += 1
        return self._next_owner

    def _plan(self, login: str, count: int) -> None:
        if count > 0:
            owner = self._owners[login.lower()].login
            self._plans.add(owner, self._next_repo, count, len(self._owned[login.lower()]))
            self._next_repo += count

    def _place_owner(self, owner: Owner) -> None:
        self._owners[owner.login.lower()] = owner
        self._owned.setdefault(owner.login.lower(), [])

    def _place(self, repo: Repo) -> None:
        self._repos[repo.id] = repo
        self._ids[repo.key] = repo.id
        self._owned[repo.owner.lower()].append(repo.id)

    def _make_planned(self, login: str) -> None:
        for repo in self._plans.take(login, self._ids):
            self._place(repo)

    # Reading

    @property
    def repo_count(self) -> int:
        """All repositories, made or planned."""
        return len(self._repos) + self._plans.total

    def owner(self, login: str) -> Owner | None:
        return self._owners.get(login.lower())

    def owner_by_id(self, owner_id: int) -> Owner | None:
        return next((one for one in self._owners.values() if one.id == owner_id), None)

    def owners(self) -> list[Owner]:
        """All owners by id."""
        return sorted(self._owners.values(), key=lambda owner: owner.id)

    def find(self, owner: str, name: str) -> Repo | int | None:
        """What a reader finds: the repository, the id that the name has moved to, or nothing."""
        key = (owner.lower(), name.lower())
        old = self.replica.renamed_from(key)
        if old is not None:
            return old
        self._make_planned(owner)
        repo_id = self._ids.get(key)
        if repo_id is not None:
            return self.replica.seen(repo_id, self._repos.get(repo_id))
        moved = self._moved.get(key)
        return moved if moved in self._repos else None

    def by_id(self, repo_id: int) -> Repo | None:
        """What a reader finds under an id."""
        if repo_id not in self._repos and repo_id >= FIRST_GENERATED_REPO:
            owner = self._plans.owner_of(repo_id)
            if owner is not None:
                self._make_planned(owner)
        return self.replica.seen(repo_id, self._repos.get(repo_id))

    def repos_of(self, login: str) -> list[Repo]:
        """An owner's repositories as a reader sees them, by id."""
        self._make_planned(login)
        ids = self._owned.get(login.lower(), ())
        if not self.replica.behind:
            return [self._repos[repo_id] for repo_id in ids]
        seen = {repo_id: self.replica.seen(repo_id, self._repos[repo_id]) for repo_id in ids}
        for old in self.replica.old_states():
            seen.setdefault(old.id, old)
        return [r for r in seen.values() if r is not None and r.owner.lower() == login.lower()]

    def all_repos(self) -> Iterator[Repo]:
        for login in list(self._owned):
            yield from self.repos_of(login)

    def public_count(self, login: str) -> int:
        made = (self._repos[repo_id] for repo_id in self._owned.get(login.lower(), ()))
        return self._plans.count(login) + sum(not repo.private for repo in made)

    # Changing

    def truth(self, full_name: str) -> Repo:
        """The present state, whatever readers see; Unknown where there is none."""
        key = _key(full_name)
        self._make_planned(key[0])
        repo_id = self._ids.get(key)
        if repo_id is None:
            raise Unknown(full_name)
        return self._repos[repo_id]

    def create_owner(self, login: str, kind: str = "Organization", **values: Any) -> Owner:
        owner = generator.make_owner(self.size.seed, self._take_owner_id(), login)
        owner.kind = "User" if kind == "User" else "Organization"
        for name, value in values.items():
            setattr(owner, name, value)
        self._place_owner(owner)
        self.version += 1
        return owner

    def change_owner(self, login: str, **values: Any) -> Owner:
        owner = self._owners.get(login.lower())
        if owner is None:
            raise Unknown(login)
        owner.updated_at = self.clock.now()
        for name, value in values.items():
            setattr(owner, name, tuple(value) if isinstance(value, list) else value)
        self.version += 1
        return owner

    def add_repos(self, login: str, count: int) -> None:
        """Many generated public repositories at once, without webhooks."""
        if login.lower() not in self._owners:
            raise Unknown(login)
        self._plan(login, count)
        self.version += 1

    def create_repo(self, owner: str, name: str, sender: str, **values: Any) -> Repo:
        """A new repository with an id above all others."""
        if owner.lower() not in self._owners:
            raise Unknown(owner)
        if (owner.lower(), name.lower()) in self._ids:
            raise ValueError("name already exists on this account")
        self._make_planned(owner)
        now = self.clock.now()
        login = self._owners[owner.lower()].login
        repo = Repo(self._next_repo, login, name, created_at=now, updated_at=now, pushed_at=now)
        self._next_repo += 1
        _set(repo, values)
        self._moved.pop(repo.key, None)
        self.replica.remember(repo.id, None)
        self._place(repo)
        self._tell(Change("repository", "created", repo, sender))
        return repo

    def change_repo(self, repo: Repo, change: Change, **values: Any) -> None:
        """Set fields. `updated_at` becomes now unless it is among them."""
        self.replica.remember(repo.id, repo)
        repo.updated_at = self.clock.now()
        _set(repo, values)
        self._tell(change)

    def rename_repo(self, repo: Repo, name: str, sender: str) -> None:
        """The old name redirects from now on."""
        self._move(repo, repo.owner, name)
        old, before = repo.full_name, {"changes": {"repository": {"name": {"from": repo.name}}}}
        repo.name = name
        self._tell(Change("repository", "renamed", repo, sender, before, former_name=old))

    def transfer_repo(self, repo: Repo, owner: str, sender: str) -> None:
        new = self._owners.get(owner.lower())
        if new is None:
            raise Unknown(owner)
        old = self._owners[repo.owner.lower()]
        self._make_planned(owner)
        self._move(repo, new.login, repo.name)
        self._owned[old.login.lower()].remove(repo.id)
        self._owned[new.login.lower()].append(repo.id)
        name, repo.owner = repo.full_name, new.login
        change = Change("repository", "transferred", repo, sender)
        self._tell(replace(change, former_owner=old, former_name=name))

    def _move(self, repo: Repo, owner: str, name: str) -> None:
        new = (owner.lower(), name.lower())
        if self._ids.get(new, repo.id) != repo.id:
            raise ValueError("name already exists on this account")
        self.replica.remember(repo.id, repo)
        repo.updated_at = self.clock.now()
        self._moved[repo.key] = self._ids.pop(repo.key)
        self._moved.pop(new, None)
        self._ids[new] = repo.id

    def delete_repo(self, repo: Repo, sender: str) -> None:
        self.replica.remember(repo.id, repo)
        del self._ids[repo.key]
        del self._repos[repo.id]
        self._owned[repo.owner.lower()].remove(repo.id)
        self._tell(Change("repository", "deleted", repo, sender))

    def touch(self) -> None:
        """Void rendered bodies: something that they show has changed outside of the world."""
        self.version += 1

    def _tell(self, change: Change) -> None:
        self.version += 1
        for listener in self.listeners:
            listener(change)


def _key(full_name: str) -> tuple[str, str]:
    owner, _, name = full_name.lower().partition("/")
    return owner, name


def _set(repo: Repo, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if name not in REPO_FIELDS and name != "parts":
            raise ValueError(f"a repository has no field {name}")
        setattr(repo, name, tuple(value) if isinstance(value, list) else value)
