"""What the catalog's API takes and gives. A query's values are read to the letter: `true`, not
`yes`; `5`, not `+5`; and a parameter that isn't one is refused, for it would filter nothing.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from webapp.catalog import cursors

NAMES_MAX = 500
LIMIT, LIMIT_MAX = 30, 100

_DIGITS = re.compile(r"[0-9]{1,18}", re.ASCII)


def _whole(value: object) -> object:
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise ValueError("should be a whole number")
    return value


def _flag(value: object) -> object:
    if isinstance(value, str) and value not in {"true", "false"}:
        raise ValueError("should be true or false")
    return value


Limit = Annotated[int, Field(ge=1, le=LIMIT_MAX), BeforeValidator(_whole)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Login = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,100}$")]
# Something else than dots: `.` and `..` are no repositories.
RepositoryName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]*[A-Za-z0-9_-][A-Za-z0-9_.-]*$", max_length=100)
]
FullName = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z0-9_-]{1,100}/[A-Za-z0-9_.-]*[A-Za-z0-9_-][A-Za-z0-9_.-]*$",
        max_length=201,
    ),
]
Cursor = Annotated[str, StringConstraints(pattern=cursors.PATTERN)]
LoginCursor = Annotated[str, StringConstraints(pattern=cursors.LOGIN_PATTERN)]

_Q = r"^$|^[^\x00-\x1f\x7f]*(?:[0-9A-Za-z]|[^\x00-\x7f])[^\x00-\x1f\x7f]*$"
_LANGUAGE = r"^[^\x00-\x1f\x7f]*$"
_TOPIC = r"^[A-Za-z0-9-]{0,100}$"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class OrgPath(BaseModel):
    """An organisation or user."""

    org: Login = Field(description="An organisation's or user's login, in any case.")


class RepositoryPath(BaseModel):
    """A repository."""

    owner: Login = Field(description="The owner's login, in any case.")
    name: RepositoryName = Field(description="The repository's name, in any case.")


class OrgsQuery(_Strict):
    """A page of owners."""

    limit: Limit = Field(default=LIMIT, description="How many a page.")
    cursor: LoginCursor = Field(default="", description="`next` of the page before.")


class ReposQuery(_Strict):
    """A search. All that is given must hold; what is empty doesn't filter."""

    q: Annotated[str, StringConstraints(pattern=_Q, max_length=256)] = Field(
        default="",
        description="Words that the full name or the description holds, in any case; one of less "
        "than three letters begins a word there. Wildcards mean themselves.",
    )
    org: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{0,100}$")] = Field(
        default="", description="The owner's login."
    )
    language: Annotated[str, StringConstraints(pattern=_LANGUAGE, max_length=100)] = Field(
        default="", description="GitHub's name of the main language, in any case."
    )
    topic: Annotated[str, StringConstraints(pattern=_TOPIC)] = Field(default="")
    archived: Flag | None = Field(default=None)
    fork: Flag | None = Field(default=None)
    visibility: Literal["public", "private", "internal"] | None = Field(default=None)
    sort: Literal["stars", "pushed", "updated", "name"] = Field(default="stars")
    order: Literal["asc", "desc"] | None = Field(
        default=None, description="By name ascending, else descending, where it isn't given."
    )
    limit: Limit = Field(default=LIMIT, description="How many a page.")
    cursor: Cursor = Field(
        default="", description="`next` of the page before: all else must be as it was there."
    )


class LookupBody(_Strict):
    """Which repositories."""

    names: list[FullName] = Field(
        max_length=NAMES_MAX, description="`owner/name`s in any case; twice is as once."
    )


class Owner(BaseModel):
    """Whose it is."""

    login: str


class Repository(BaseModel):
    """A repository, with GitHub's field names."""

    id: int
    full_name: str
    owner: Owner
    name: str
    description: str | None
    private: bool
    visibility: Literal["public", "private", "internal"]
    archived: bool
    fork: bool
    language: str | None
    topics: list[str]
    stargazers_count: int
    forks_count: int
    open_issues_count: int = Field(description="Open issues and pull requests, as GitHub counts.")
    pushed_at: datetime | None
    updated_at: datetime
    created_at: datetime
    default_branch: str | None = Field(description="null: empty, and not yet seen by REST.")
    html_url: str
    seen_at: datetime = Field(description="When the answer that told this was asked for.")


class Day(BaseModel):
    """Figures as last seen on a day (UTC)."""

    day: date
    stars: int
    forks: int
    open_issues: int


class RepositoryDetail(Repository):
    """A repository with up to 90 days of history, the oldest first."""

    history: list[Day]


class Repositories(BaseModel):
    """A page; `next` is the cursor of the one that follows."""

    items: list[Repository]
    next: str | None


class Looked(BaseModel):
    """What became of the names: each repository once, in the order asked."""

    items: list[Repository]
    missing: list[str] = Field(description="GitHub shows the service none by these names.")
    renamed: dict[str, str] = Field(
        default={}, description="Only where there are some: name asked for -> present name."
    )
    unresolved: list[str] = Field(
        default=[],
        description="Only where there are some: nothing is held and GitHub can't be asked now.",
    )


class Organisation(BaseModel):
    """An organisation or user; null is what wasn't seen yet."""

    id: int | None
    login: str
    type: str | None
    name: str | None
    description: str | None
    html_url: str | None
    avatar_url: str | None
    public_repos: int | None
    created_at: datetime | None
    updated_at: datetime | None
    repositories: int = Field(description="How many of its repositories the catalog holds.")
    watched: bool = Field(description="Whether all of it is kept warm.")
    seen_at: datetime | None
    fresh_until: datetime | None = Field(description="seen_at and an organisation's fresh period.")


class Organisations(BaseModel):
    """A page; `next` is the cursor of the one that follows."""

    items: list[Organisation]
    next: str | None
