"""The stand-in's nouns: owners, repositories and their parts. Plain values, no behaviour.

Times are seconds since the epoch. Parts are tuples that changes replace as a whole, so that a
shallow copy of a repository is a true snapshot of it (replica lag keeps such copies).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

OwnerKind = Literal["Organization", "User"]


@dataclass(slots=True)
class Owner:
    """An organisation or a user."""

    id: int
    login: str
    kind: OwnerKind
    name: str
    description: str | None = None
    blog: str | None = None
    location: str | None = None
    email: str | None = None
    company: str | None = None
    followers: int = 0
    following: int = 0
    public_gists: int = 0
    created_at: float = 0.0
    updated_at: float = 0.0
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contributor:
    login: str
    id: int
    contributions: int


@dataclass(frozen=True, slots=True)
class Release:
    id: int
    tag: str
    name: str
    body: str
    author: str
    created_at: float
    published_at: float
    prerelease: bool = False
    draft: bool = False
    assets: int = 1


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue, or a pull request where `pull` is true."""

    id: int
    number: int
    title: str
    body: str
    author: str
    labels: tuple[str, ...]
    comments: int
    created_at: float
    updated_at: float
    pull: bool = False
    state: str = "open"


@dataclass(frozen=True, slots=True)
class Commit:
    sha: str
    tree: str
    parent: str | None
    message: str
    author: str
    at: float


@dataclass(frozen=True, slots=True)
class Parts:
    """What hangs below a repository; built when first asked for."""

    contributors: tuple[Contributor, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    branches: tuple[tuple[str, str], ...] = ()
    releases: tuple[Release, ...] = ()
    issues: tuple[Issue, ...] = ()
    commits: tuple[Commit, ...] = ()
    readme: str = ""


@dataclass(slots=True)
class Repo:
    """A repository. `owner` is a login; `blocked` answers 451; `huge` has a tree above 2 MB."""

    id: int
    owner: str
    name: str
    description: str | None = None
    private: bool = False
    fork: bool = False
    parent_id: int | None = None
    archived: bool = False
    disabled: bool = False
    is_template: bool = False
    empty: bool = False
    blocked: bool = False
    huge: bool = False
    homepage: str | None = None
    license: str | None = None
    language: str | None = None
    languages: dict[str, int] = field(default_factory=dict)
    topics: tuple[str, ...] = ()
    stars: int = 0
    forks: int = 0
    open_issues: int = 0
    subscribers: int = 0
    size: int = 0
    default_branch: str = "main"
    has_issues: bool = True
    has_projects: bool = True
    has_wiki: bool = True
    has_pages: bool = False
    has_discussions: bool = False
    created_at: float = 0.0
    updated_at: float = 0.0
    pushed_at: float = 0.0
    parts: Parts | None = None

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def key(self) -> tuple[str, str]:
        """How GitHub finds it: both names without letter case."""
        return self.owner.lower(), self.name.lower()

    @property
    def visibility(self) -> str:
        return "private" if self.private else "public"


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of an event feed, as /events shows it."""

    id: int
    type: str
    actor: str
    repo_id: int
    repo_name: str
    owner: str
    public: bool
    at: float
    payload: dict[str, object]
