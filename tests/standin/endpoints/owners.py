"""Organisations, users, and the lists of their repositories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.standin.call import Answer, Call
from tests.standin.model import Owner, Repo
from tests.standin.paging import Page, integer
from tests.standin.parts import person_id
from tests.standin.shapes.owners import (
    account_owner,
    full_org,
    full_user,
    org_for_owner,
    private_user,
    simple_org,
    simple_user,
)
from tests.standin.shapes.repos import minimal_repo
from tests.standin.shapes.site import Json


def user(call: Call) -> Answer:
    owner = call.user()
    if owner.kind == "Organization":
        full = full_org(call.site, owner, call.world.public_count(owner.login))
        body = simple_user(call.site, owner.login, owner.id, owner.kind) | {
            name: full[name] for name in full if name not in ("url", "repos_url", "events_url")
        }
        return Answer(body | {"hireable": None, "bio": None}, modified=owner.updated_at)
    count = call.world.public_count(owner.login)
    return Answer(full_user(call.site, owner, count), modified=owner.updated_at)


def own_user(call: Call) -> Answer:
    call.authenticated()
    owner = account_owner(call.caller.account)
    full = full_user(call.site, owner, call.world.public_count(owner.login))
    return Answer(private_user(full, len(call.caller.account.sees)), modified=owner.updated_at)


def org(call: Call) -> Answer:
    owner = call.organization()
    full = full_org(call.site, owner, call.world.public_count(owner.login))
    if call.administers(owner.login):
        private = sum(repo.private for repo in call.world.repos_of(owner.login))
        full = org_for_owner(full, private)
    return Answer(full, modified=owner.updated_at)


def all_orgs(call: Call) -> Answer:
    """By id, from `since` on; its Link has no last page."""
    since, size = integer(call.query.get("since"), 0), Page.asked(call.query).size
    orgs = [o for o in call.world.owners() if o.kind == "Organization" and o.id > since]
    headers = {}
    if len(orgs) > size:
        following = f"{call.site.api}/organizations?per_page={size}&since={orgs[size - 1].id}"
        headers["Link"] = f'<{following}>; rel="next"'
    return Answer([simple_org(call.site, owner) for owner in orgs[:size]], headers=headers)


def _orgs_of(call: Call, account: str, path: str) -> Answer:
    known = call.github.credentials.accounts.get(account)
    logins = known.member_of if known else set()
    orgs = [o for o in call.world.owners() if o.kind == "Organization"]
    mine = [o for o in orgs if o.login.lower() in logins or account in o.members]
    return call.page(mine, path, lambda owner: simple_org(call.site, owner))


def own_orgs(call: Call) -> Answer:
    call.authenticated()
    return _orgs_of(call, call.caller.account.name, "/user/orgs")


def user_orgs(call: Call) -> Answer:
    owner = call.user()
    return _orgs_of(call, owner.login, f"/user/{owner.id}/orgs")


def members(call: Call) -> Answer:
    owner = call.organization()

    def shape(login: str) -> Json:
        known = call.github.credentials.accounts.get(login)
        return simple_user(call.site, login, known.id if known else person_id(login))

    return call.page(owner.members, f"/organizations/{owner.id}/members", shape)


SORTS: dict[str, Callable[[Repo], Any]] = {
    "created": lambda repo: repo.created_at,
    "updated": lambda repo: repo.updated_at,
    "pushed": lambda repo: repo.pushed_at,
    "full_name": lambda repo: repo.full_name.lower(),
}
TYPES: dict[str, Callable[[Repo], bool]] = {
    "all": lambda repo: True,
    "public": lambda repo: not repo.private,
    "private": lambda repo: repo.private,
    "forks": lambda repo: repo.fork,
    "sources": lambda repo: not repo.fork,
    "owner": lambda repo: True,
    "member": lambda repo: False,
}


def _sorted(call: Call, repos: list[Repo], sort: str, kind: str) -> list[Repo]:
    """As asked; GitHub ignores values that it doesn't know."""
    query = call.query
    name = query.get("sort", sort)
    if name not in SORTS:
        name = sort
    ascending = query.get("direction", "asc" if name == "full_name" else "desc") == "asc"
    wanted = TYPES.get(query.get("type", kind), TYPES["all"])
    visible = [repo for repo in repos if wanted(repo) and not repo.blocked and call.sees(repo)]
    return sorted(visible, key=SORTS[name], reverse=not ascending)


def _repo_page(call: Call, repos: list[Repo], path: str) -> Answer:
    def shape(repo: Repo) -> Json:
        return minimal_repo(call.site, repo, call.owner_of(repo), call.permissions(repo))

    return call.page(repos, path, shape)


def _owner_repos(call: Call, owner: Owner, path: str, sort: str, kind: str) -> Answer:
    repos = call.world.repos_of(owner.login)
    return _repo_page(call, _sorted(call, repos, sort, kind), path)


def org_repos(call: Call) -> Answer:
    owner = call.organization()
    return _owner_repos(call, owner, f"/organizations/{owner.id}/repos", "created", "all")


def user_repos(call: Call) -> Answer:
    """Public ones only, whoever asks: GitHub lists private ones under /user/repos."""
    owner = call.user()
    path = f"/user/{owner.id}/repos"
    repos = [repo for repo in call.world.repos_of(owner.login) if not repo.private]
    return _repo_page(call, _sorted(call, repos, "full_name", "owner"), path)


def own_repos(call: Call) -> Answer:
    """Everything that the account was let into: its organisations' and its own."""
    call.authenticated()
    account = call.caller.account
    owners = sorted(account.member_of | {account.name.lower()})
    repos = [repo for login in owners for repo in call.world.repos_of(login)]
    return _repo_page(call, _sorted(call, repos, "full_name", "all"), "/user/repos")
