"""From the world to what the schema's fields want. Connections are made only where asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphql import GraphQLError, GraphQLResolveInfo

from tests.standin.call import Call
from tests.standin.clock import iso
from tests.standin.graphql.cost import Cost
from tests.standin.model import Issue, Owner, Repo
from tests.standin.paging import integer
from tests.standin.shapes.repos import LICENSES
from tests.standin.shapes.site import HTML, node_id

Fields = dict[str, Any]
Info = GraphQLResolveInfo[Any]


class NotFound(GraphQLError):
    """One alias names nothing that the caller sees; the others are answered all the same."""

    def __init__(self, message: str) -> None:
        super().__init__(message, extensions={"type": "NOT_FOUND"})


class Root:
    """The fields of Query and Mutation, for one caller."""

    def __init__(self, call: Call, cost: Cost) -> None:
        self._call = call
        self._cost = cost

    @property
    def fields(self) -> Fields:
        """By the schema's own names."""
        return {
            "repository": self._repository_named,
            "organization": self._organization_named,
            "repositoryOwner": self._organization_named,
            "viewer": self._viewer,
            "rateLimit": self._rate_limit,
            "addStar": lambda info, **asked: self._star(asked["input"], 1),
            "removeStar": lambda info, **asked: self._star(asked["input"], -1),
        }

    def _repository_named(self, info: Info, owner: str, name: str, **asked: bool) -> Fields:
        found = self._call.world.find(owner, name)
        if isinstance(found, int) and asked.get("followRenames", True):
            found = self._call.world.by_id(found)
        if not isinstance(found, Repo) or found.blocked or not self._call.sees(found):
            message = f"Could not resolve to a Repository with the name '{owner}/{name}'."
            raise NotFound(message)
        return self._repository(found)

    def _organization_named(self, info: Info, login: str) -> Fields:
        owner = self._call.world.owner(login)
        if owner is None:
            message = f"Could not resolve to an Organization with the login of '{login}'."
            raise NotFound(message)
        return self._organization(owner)

    def _viewer(self, info: Info) -> Fields:
        account = self._call.caller.account
        number = account.id
        return {
            "id": node_id("U", number),
            "login": account.name,
            "name": account.name,
            "databaseId": number,
            "url": f"{HTML}/{account.name}",
        }

    def _rate_limit(self, info: Info, **asked: bool) -> Fields:
        status = self._call.github.limits.status(self._call.caller.account, "graphql")
        cost = self._cost.points
        return {
            "cost": cost,
            "limit": status["limit"],
            "nodeCount": self._cost.nodes,
            "remaining": max(0, status["remaining"] - cost),
            "used": status["used"] + cost,
            "resetAt": iso(status["reset"]),
        }

    def _star(self, wanted: Fields, by: int) -> Fields:
        call = self._call
        for repo in call.world.all_repos():
            if node_id("R", repo.id) == wanted["starrableId"] and call.sees(repo):
                order = {"full_name": repo.full_name, "by": by, "sender": call.sender}
                call.github.changes.star(order)
                mutation = wanted.get("clientMutationId")
                return {"clientMutationId": mutation, "starrable": self._repository(repo)}
        message = f"Could not resolve to a node with the global id of '{wanted['starrableId']}'"
        raise NotFound(message)

    def _organization(self, owner: Owner) -> Fields:
        def repositories(info: Info, first: int = 0, after: str | None = None) -> Fields:
            world = self._call.world
            repos = [r for r in world.repos_of(owner.login) if self._call.sees(r)]
            repos.sort(key=lambda repo: repo.full_name.lower())
            start = max(0, integer(after, 0))
            end = min(len(repos), start + first)
            return {
                "totalCount": len(repos),
                "nodes": [self._repository(repo) for repo in repos[start:end]],
                "pageInfo": {"hasNextPage": end < len(repos), "endCursor": str(end)},
            }

        return {
            "__typename": owner.kind,
            "id": node_id("O", owner.id),
            "databaseId": owner.id,
            "login": owner.login,
            "name": owner.name,
            "description": owner.description,
            "url": f"{HTML}/{owner.login}",
            "repositories": repositories,
        }

    def _repository(self, repo: Repo) -> Fields:
        owner = self._call.owner_of(repo)
        spdx = LICENSES.get(repo.license or "")
        return {
            "id": node_id("R", repo.id),
            "databaseId": repo.id,
            "name": repo.name,
            "nameWithOwner": repo.full_name,
            "owner": self._organization(owner),
            "description": repo.description,
            "homepageUrl": repo.homepage,
            "url": f"{HTML}/{repo.full_name}",
            "isPrivate": repo.private,
            "visibility": repo.visibility.upper(),
            "isArchived": repo.archived,
            "isDisabled": repo.disabled,
            "isEmpty": repo.empty,
            "isFork": repo.fork,
            "isTemplate": repo.is_template,
            "primaryLanguage": {"name": repo.language, "color": None} if repo.language else None,
            "licenseInfo": spdx and {"key": repo.license, "spdxId": spdx[0], "name": spdx[1]},
            "languages": lambda info, first=0: _languages(repo, first),
            "repositoryTopics": lambda info, first=0: _topics(repo, first),
            "stargazerCount": repo.stars,
            "forkCount": repo.forks,
            "diskUsage": repo.size,
            "watchers": {"totalCount": repo.subscribers},
            "issues": lambda info, **asked: self._numbered(repo, pulls=False, **asked),
            "pullRequests": lambda info, **asked: self._numbered(repo, pulls=True, **asked),
            "releases": lambda info, first=0: self._releases(repo, first),
            "defaultBranchRef": None if repo.empty else {"name": repo.default_branch},
            "createdAt": iso(repo.created_at),
            "updatedAt": iso(repo.updated_at),
            "pushedAt": iso(repo.pushed_at),
        }

    def _numbered(
        self, repo: Repo, *, pulls: bool, first: int = 0, states: Sequence[str] = ()
    ) -> Fields:
        """Open issues and pull requests add up to REST's open_issues_count, listed or not."""
        found: list[Issue] = [i for i in self._call.parts(repo).issues if i.pull == pulls]
        listed = [i for i in found if not states or i.state.upper() in states]
        open_pulls = sum(i.pull and i.state == "open" for i in self._call.parts(repo).issues)
        total = len(listed)
        if list(states) == ["OPEN"]:
            total = open_pulls if pulls else repo.open_issues - open_pulls
        nodes = [{"number": i.number, "title": i.title} for i in listed[:first]]
        return {"totalCount": total, "nodes": nodes}

    def _releases(self, repo: Repo, first: int) -> Fields:
        found = self._call.parts(repo).releases
        nodes = [
            {"name": one.name, "tagName": one.tag, "publishedAt": iso(one.published_at)}
            for one in found[:first]
        ]
        return {"totalCount": len(found), "nodes": nodes}


def _languages(repo: Repo, first: int) -> Fields:
    names = list(repo.languages)
    nodes = [{"name": name, "color": None} for name in names[:first]]
    size = sum(repo.languages.values())
    return {"totalCount": len(names), "totalSize": size, "nodes": nodes}


def _topics(repo: Repo, first: int) -> Fields:
    nodes = [{"topic": {"name": name}} for name in repo.topics[:first]]
    return {"totalCount": len(repo.topics), "nodes": nodes}
