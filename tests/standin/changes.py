"""Orders of the control API that change data, each with the webhook that GitHub would send."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.standin.generator import sha
from tests.standin.model import Commit, Issue, Release, Repo
from tests.standin.parts import parts_of
from tests.standin.shapes import activity
from tests.standin.shapes import parts as shapes
from tests.standin.world import REPO_FIELDS, Change, Unknown

if TYPE_CHECKING:
    from tests.standin.github import GitHub

Order = dict[str, Any]
# The JSON names that differ from the model's.
ALIASES = {
    "stargazers_count": "stars",
    "forks_count": "forks",
    "open_issues_count": "open_issues",
    "subscribers_count": "subscribers",
}
# field -> (event, action) of the webhook; the first that changes decides, `private` and
# `archived` by their new value. Everything else is repository.edited.
EVENTS: dict[str, Callable[[Any, Any], tuple[str, str | None]]] = {
    "private": lambda old, new: ("repository", "privatized" if new else "publicized"),
    "archived": lambda old, new: ("repository", "archived" if new else "unarchived"),
    "stars": lambda old, new: ("star", "created" if new > old else "deleted"),
    "forks": lambda old, new: ("fork", None),
    "open_issues": lambda old, new: ("issues", "opened" if new > old else "closed"),
    "pushed_at": lambda old, new: ("push", None),
}


class Changes:
    """What can be done to the world from outside. Bodies name a repository by `full_name`."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self.orders: dict[tuple[str, str], Callable[[Order], Any]] = {
            ("POST", "/repos"): self.create,
            ("PATCH", "/repos"): self.change,
            ("DELETE", "/repos"): self.delete,
            ("POST", "/repos/rename"): self.rename,
            ("POST", "/repos/transfer"): self.transfer,
            ("POST", "/repos/push"): self.push,
            ("POST", "/repos/star"): self.star,
            ("POST", "/repos/release"): self.release,
            ("POST", "/repos/issue"): self.issue,
            ("PATCH", "/repos/issue"): self.edit_issue,
            ("POST", "/orgs"): self.create_org,
            ("PATCH", "/orgs"): self.change_org,
            ("POST", "/orgs/repos"): self.add_repos,
        }

    def _repo(self, order: Order) -> Repo:
        return self._github.world.truth(order["full_name"])

    def _sender(self, order: Order) -> str:
        return str(order.get("sender", "forewarm-bot"))

    def _tell(self, order: Order, change: Change) -> Change:
        return change if order.get("webhook", True) else replace(change, silent=True)

    def shown(self, repo: Repo) -> Order:
        return {"id": repo.id, "full_name": repo.full_name, "updated_at": repo.updated_at}

    def create(self, order: Order) -> Order:
        """`full_name` and any fields."""
        owner, _, name = order["full_name"].partition("/")
        values = _fields(order)
        return self.shown(
            self._github.world.create_repo(owner, name, self._sender(order), **values)
        )

    def change(self, order: Order) -> Order:
        """`full_name` and the fields to set; `webhook: false` keeps silent about it."""
        repo, values = self._repo(order), _fields(order)
        event: tuple[str, str | None] = ("repository", "edited")
        for name, tell in EVENTS.items():
            if name in values and values[name] != getattr(repo, name):
                event = tell(getattr(repo, name), values[name])
                break
        extra: Order = {}
        if event == ("repository", "edited"):
            extra["changes"] = {n: {"from": getattr(repo, n)} for n in values if n != "parts"}
        change = self._tell(order, Change(*event, repo, self._sender(order), extra))
        self._github.world.change_repo(repo, change, **values)
        return self.shown(repo)

    def delete(self, order: Order) -> None:
        self._github.world.delete_repo(self._repo(order), self._sender(order))

    def rename(self, order: Order) -> Order:
        """`full_name`, `name`: the new one, without owner."""
        repo = self._repo(order)
        self._github.world.rename_repo(repo, order["name"], self._sender(order))
        return self.shown(repo)

    def transfer(self, order: Order) -> Order:
        """`full_name`, `owner`: the new one."""
        repo = self._repo(order)
        self._github.world.transfer_repo(repo, order["owner"], self._sender(order))
        return self.shown(repo)

    def star(self, order: Order) -> Order:
        """One more star, or with `by` any number more or fewer."""
        repo = self._repo(order)
        by = int(order.get("by", 1))
        change = Change("star", "created" if by > 0 else "deleted", repo, self._sender(order))
        stars = max(0, repo.stars + by)
        self._github.world.change_repo(repo, self._tell(order, change), stars=stars)
        return self.shown(repo)

    def push(self, order: Order) -> Order:
        """A commit on the default branch."""
        world, repo = self._github.world, self._repo(order)
        parts, now = parts_of(world.size.seed, repo), world.clock.now()
        before = parts.commits[0].sha if parts.commits else "0" * 40
        sender = self._sender(order)
        message = str(order.get("message", "Improve things"))
        tip = Commit(
            sha(repo.id, now, before), sha(repo.id, now), before if parts.commits else None,
            message, sender, now,
        )  # fmt: skip
        branches = tuple(b for b in parts.branches if b[0] != repo.default_branch)
        parts = replace(
            parts,
            commits=(tip, *parts.commits),
            branches=((repo.default_branch, tip.sha), *branches),
        )
        ref = f"refs/heads/{repo.default_branch}"
        extra = {"ref": ref, "before": before, "after": tip.sha, "forced": False}
        change = self._tell(order, Change("push", None, repo, sender, extra))
        world.change_repo(repo, change, parts=parts, pushed_at=now, empty=False)
        return self.shown(repo)

    def release(self, order: Order) -> Order:
        """`tag`, and perhaps `name`, `body`, `prerelease`, `draft`."""
        world, repo = self._github.world, self._repo(order)
        parts, now = parts_of(world.size.seed, repo), world.clock.now()
        tag, sender = str(order["tag"]), self._sender(order)
        one = Release(
            id=repo.id * 100 + 50_000 + len(parts.releases),
            tag=tag,
            name=str(order.get("name", tag)),
            body=str(order.get("body", "")),
            author=sender,
            created_at=now,
            published_at=now,
            prerelease=bool(order.get("prerelease", False)),
            draft=bool(order.get("draft", False)),
            assets=0,
        )
        parts = replace(
            parts,
            releases=(one, *parts.releases),
            tags=((tag, sha(repo.id, "tag", tag)), *parts.tags),
        )
        extra = {"release": shapes.release(self._github.site, repo, one)}
        change = self._tell(order, Change("release", "published", repo, sender, extra))
        world.change_repo(repo, change, parts=parts)
        return self.shown(repo) | {"release_id": one.id}

    def issue(self, order: Order) -> Order:
        """A new open issue, or pull request with `pull`; `title`, `body`."""
        world, repo = self._github.world, self._repo(order)
        parts, now = parts_of(world.size.seed, repo), world.clock.now()
        number = max((issue.number for issue in parts.issues), default=0) + 1
        pull = bool(order.get("pull", False))
        one = Issue(
            id=repo.id * 1_000 + number,
            number=number,
            title=str(order.get("title", "Something is odd")),
            body=str(order.get("body", "")),
            author=self._sender(order),
            labels=tuple(order.get("labels", ())),
            comments=0,
            created_at=now,
            updated_at=now,
            pull=pull,
        )
        change = self._issue_change("opened", repo, one)
        world.change_repo(
            repo,
            self._tell(order, change),
            parts=replace(parts, issues=(one, *parts.issues)),
            open_issues=repo.open_issues + 1,
        )
        return self.shown(repo) | {"number": number}

    def edit_issue(self, order: Order) -> Order:
        """`number`, and perhaps `title`, `body`, `state` (open, closed)."""
        world, repo = self._github.world, self._repo(order)
        parts = parts_of(world.size.seed, repo)
        number = int(order["number"])
        old = next((issue for issue in parts.issues if issue.number == number), None)
        if old is None:
            raise Unknown(f"{repo.full_name}#{number}")
        known = ("title", "body", "state")
        values: Order = {name: order[name] for name in known if name in order}
        new = replace(old, updated_at=world.clock.now(), **values)
        by = (new.state == "open") - (old.state == "open")
        action = {-1: "closed", 0: "edited", 1: "reopened"}[by]
        change = self._issue_change(action, repo, new)
        world.change_repo(
            repo,
            self._tell(order, change),
            parts=replace(parts, issues=tuple(new if i is old else i for i in parts.issues)),
            open_issues=max(0, repo.open_issues + by),
        )
        return self.shown(repo) | {"number": number}

    def _issue_change(self, action: str, repo: Repo, one: Issue) -> Change:
        site, owner = self._github.site, self._github.world.owner(repo.owner)
        assert owner is not None
        if not one.pull:
            body = activity.issue(site, repo, one)
            return Change("issues", action, repo, one.author, {"issue": body})
        pull = activity.full_pull(activity.pull(site, repo, owner, one))
        extra = {"number": one.number, "pull_request": pull}
        return Change("pull_request", action, repo, one.author, extra)

    def create_org(self, order: Order) -> Order:
        """`login`, perhaps `kind` (User) and fields."""
        values = {n: v for n, v in order.items() if n not in ("login", "kind", "repos")}
        kind = order.get("kind", "Organization")
        owner = self._github.world.create_owner(order["login"], kind, **values)
        if order.get("repos"):
            self._github.world.add_repos(owner.login, int(order["repos"]))
        return {"id": owner.id, "login": owner.login}

    def change_org(self, order: Order) -> Order:
        values = {n: v for n, v in order.items() if n != "login"}
        owner = self._github.world.change_owner(order["login"], **values)
        return {"id": owner.id, "login": owner.login}

    def add_repos(self, order: Order) -> None:
        """`login`, `count`: generated public repositories, without webhooks."""
        self._github.world.add_repos(order["login"], int(order["count"]))


def _fields(order: Order) -> Order:
    values = {ALIASES.get(n, n): v for n, v in order.items()}
    for name in ("full_name", "webhook", "sender"):
        values.pop(name, None)
    unknown = set(values) - REPO_FIELDS
    if unknown:
        raise ValueError(f"a repository has no field {', '.join(sorted(unknown))}")
    return values
