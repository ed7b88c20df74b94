"""Webhook payloads in full size: repository, organisation, sender, and the event's own part."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.standin.clock import iso
from tests.standin.generator import sha
from tests.standin.model import Owner, Repo
from tests.standin.shapes.activity import person
from tests.standin.shapes.owners import account_owner, simple_org, simple_owner
from tests.standin.shapes.repos import full_repo, minimal_repo
from tests.standin.shapes.site import HTML, Json, Site, node_id
from tests.standin.world import Change

if TYPE_CHECKING:
    from tests.standin.github import GitHub

# What GitHub sends besides: (event, action) -> (event, action)
COMPANIONS: dict[tuple[str, str | None], tuple[str, str | None]] = {
    ("star", "created"): ("watch", "started"),
    ("repository", "publicized"): ("public", None),
}


def payload(github: GitHub, change: Change, installation: int | None) -> Json:
    """The body of one delivery, as the data stands now."""
    site, repo = github.site, change.repo
    owner = github.world.owner(repo.owner)
    assert owner is not None
    found: Json = {} if change.action is None else {"action": change.action}
    repository = full_repo(site, repo, owner)
    own = OWN_PARTS.get(change.event)
    if own is not None:
        found |= own(github, change)
    found |= change.extra
    if change.former_owner is not None:
        found["changes"] = {"owner": {"from": _former(site, change.former_owner)}}
    if change.event == "push":
        # Pushes alone give these as numbers.
        repository |= {"created_at": int(repo.created_at), "pushed_at": int(repo.pushed_at)}
        repository |= {"stargazers": repo.stars, "master_branch": repo.default_branch}
        repository["owner"] |= {"name": owner.login, "email": owner.email}
        if "organization" in repository:
            repository["organization"] = owner.login
    found["repository"] = repository
    if owner.kind == "Organization":
        found["organization"] = simple_org(site, owner)
    found["sender"] = _sender(github, change.sender)
    if installation is not None:
        found["installation"] = {"id": installation, "node_id": node_id("MDI", installation)}
    return found


def _former(site: Site, owner: Owner) -> Json:
    if owner.kind == "Organization":
        return {"organization": simple_org(site, owner)}
    return {"user": simple_owner(site, owner)}


def _sender(github: GitHub, login: str) -> Json:
    account = github.credentials.accounts.get(login)
    if account is None:
        return person(github.site, login)
    return simple_owner(github.site, account_owner(account))


def _push(github: GitHub, change: Change) -> Json:
    repo, extra = change.repo, change.extra
    after = extra.get("after", sha(repo.id, "commit", 0))
    before = extra.get("before", sha(repo.id, "commit", 1))
    html = f"{HTML}/{repo.full_name}"
    who = {"name": change.sender, "email": f"{change.sender}@users.noreply.github.com"}
    commit = {
        "id": after,
        "tree_id": sha(after),
        "distinct": True,
        "message": "Improve things",
        "timestamp": iso(repo.pushed_at),
        "url": f"{html}/commit/{after}",
        "author": who | {"username": change.sender},
        "committer": who | {"username": change.sender},
        "added": [],
        "removed": [],
        "modified": ["README.md"],
    }
    return {
        "ref": f"refs/heads/{repo.default_branch}",
        "before": before,
        "after": after,
        "created": False,
        "deleted": False,
        "forced": False,
        "base_ref": None,
        "compare": f"{html}/compare/{before[:12]}...{after[:12]}",
        "commits": [commit],
        "head_commit": commit,
        "pusher": who,
    }


def _star(github: GitHub, change: Change) -> Json:
    at = iso(github.clock.now()) if change.action == "created" else None
    return {"starred_at": at}


def _fork(github: GitHub, change: Change) -> Json:
    fork = Repo(**{name: getattr(change.repo, name) for name in Repo.__slots__})
    fork.id, fork.fork, fork.stars, fork.forks = change.repo.id + 1, True, 0, 0
    fork.language = None  # Not known yet while it is made.
    fork.owner = change.sender
    account = github.credentials.accounts.get(change.sender)
    owner = github.world.owner(change.repo.owner) if account is None else account_owner(account)
    assert owner is not None
    return {"forkee": minimal_repo(github.site, fork, owner) | {"public": True}}


OWN_PARTS: dict[str, Callable[[GitHub, Change], Json]] = {
    "push": _push,
    "star": _star,
    "fork": _fork,
}
