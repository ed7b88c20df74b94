"""What an endpoint gets (a Call) and gives (an Answer)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import orjson

from tests.standin.credentials import Caller
from tests.standin.message import Request
from tests.standin.model import Owner, Parts, Repo
from tests.standin.paging import Page, integer
from tests.standin.parts import parts_of
from tests.standin.shapes.errors import DOCS, Refusal, blocked, forbidden, moved, not_found
from tests.standin.shapes.owners import account_owner
from tests.standin.shapes.repos import OWNER_PERMISSIONS, READER_PERMISSIONS
from tests.standin.shapes.site import Json, Site

if TYPE_CHECKING:
    from tests.standin.github import GitHub
    from tests.standin.world import World

T = TypeVar("T")


@dataclass(slots=True)
class Answer:
    """A success. `data` is JSON, or bytes with their own content type; None means no body."""

    data: Any = None
    status: int = 200
    modified: float | None = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json; charset=utf-8"
    # What is asked again is made again: it depends on more than the world and who asks.
    volatile: bool = False
    points: int = 1


@dataclass(slots=True)
class Call:
    """One request on its way through an endpoint."""

    github: GitHub
    request: Request
    caller: Caller
    params: dict[str, str]
    docs: str = DOCS

    @property
    def world(self) -> World:
        return self.github.world

    @property
    def site(self) -> Site:
        return self.github.site

    @property
    def query(self) -> dict[str, str]:
        return self.request.query

    @property
    def sender(self) -> str:
        return self.caller.account.name

    def json(self) -> Json:
        """The request's body; 400 and 422 as GitHub words them."""
        if not self.request.body:
            return {}
        try:
            body = orjson.loads(self.request.body)
        except orjson.JSONDecodeError:
            raise Refusal(400, "Problems parsing JSON", self.docs) from None
        if not isinstance(body, dict):
            raise Refusal(400, "Body should be a JSON object", self.docs)
        return body

    def not_found(self) -> Refusal:
        return not_found(self.docs)

    def page(
        self, items: Sequence[T], path: str, shape: Callable[[T], Json], **answer: Any
    ) -> Answer:
        """One page of a list; `path` is its canonical path, for the Link header."""
        page = Page.asked(self.query)
        link = page.link(len(items), self.site.api + path, self.query)
        headers = {} if link is None else {"Link": link}
        return Answer([shape(item) for item in page.of(items)], headers=headers, **answer)

    # Finding things as this caller sees them

    def sees(self, repo: Repo) -> bool:
        return not repo.private or self.caller.account.may_see(repo.owner.lower(), _lower(repo))

    def administers(self, owner: str) -> bool:
        account = self.caller.account
        own = owner.lower() in account.admin_of or owner.lower() == account.name.lower()
        return own and self.caller.kind != "fine_grained"

    def may_write(self, repo: Repo) -> bool:
        """Whoever administers the owner, and whoever was let into a private repository."""
        account = self.caller.account
        let_in = repo.private and account.may_see(repo.owner.lower(), _lower(repo))
        return not self.caller.anonymous and (let_in or self.administers(repo.owner))

    def repo(self) -> Repo:
        """The repository that the path names, by name or by id; else 404, 301 or 451."""
        params = self.params
        if "repo_id" in params:
            found: Repo | int | None = self.world.by_id(integer(params["repo_id"], 0))
        else:
            found = self.world.find(params["owner"], params["repo"])
        if isinstance(found, int):
            target = self.world.by_id(found)
            if target is not None and self.sees(target):
                rest = "/".join(self.request.target.split("/")[4:])
                _, mark, query = self.request.target.partition("?")
                tail = f"/{rest}" if rest else mark + query
                raise moved(f"{self.site.api}/repositories/{found}{tail}", self.docs)
            raise self.not_found()
        if found is None or not self.sees(found):
            raise self.not_found()
        if found.blocked:
            raise blocked("2024-03-05T10:00:00Z")
        return found

    def writable(self) -> Repo:
        """The same for a change: 404 without sight, 403 without the right."""
        repo = self.repo()
        if self.caller.anonymous:
            raise Refusal(401, "Requires authentication", self.docs)
        if not self.may_write(repo):
            raise forbidden(self.caller.kind, self.docs)
        if repo.archived and self.request.method != "PATCH":
            raise Refusal(403, "Repository was archived so is read-only.", self.docs)
        return self.world.truth(repo.full_name)

    def parts(self, repo: Repo) -> Parts:
        return parts_of(self.world.size.seed, repo)

    def owner_of(self, repo: Repo) -> Owner:
        owner = self.world.owner(repo.owner)
        assert owner is not None
        return owner

    def owner(self, login: str) -> Owner:
        """An owner, or a test account as a user; else 404."""
        found = self.world.owner(login)
        if found is not None:
            return found
        for name, account in self.github.credentials.accounts.items():
            if name.lower() == login.lower() and account.kind == "user":
                return account_owner(account)
        raise self.not_found()

    def user(self) -> Owner:
        """The user or organisation that the path names, by login or by id; else 404."""
        if "user_id" not in self.params:
            return self.owner(self.params["user"])
        return self._owner_by_id(self.params["user_id"])

    def organization(self) -> Owner:
        """The organisation that the path names, by login or by id; else 404."""
        params = self.params
        found = (
            self.owner(params["org"]) if "org" in params else self._owner_by_id(params["org_id"])
        )
        if found.kind != "Organization":
            raise self.not_found()
        return found

    def _owner_by_id(self, text: str) -> Owner:
        found = self.world.owner_by_id(integer(text, 0))
        if found is None:
            raise self.not_found()
        return found

    def authenticated(self) -> None:
        if self.caller.anonymous:
            raise Refusal(401, "Requires authentication", self.docs)

    def permissions(self, repo: Repo) -> Json | None:
        """What the caller may do, as bodies show it; None for nobody in particular."""
        if self.caller.anonymous:
            return None
        if self.administers(repo.owner):
            return dict(OWNER_PERMISSIONS)
        return (
            READER_PERMISSIONS | {"push": True, "triage": True}
            if self.may_write(repo)
            else dict(READER_PERMISSIONS)
        )


def _lower(repo: Repo) -> str:
    return repo.full_name.lower()
