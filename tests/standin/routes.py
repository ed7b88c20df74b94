"""THE TABLE of what is served: method, path, endpoint, its page in GitHub's documentation.

Paths below a repository are given once and answer under /repos/{owner}/{repo} and under
/repositories/{repo_id}. `{name...}` takes the rest of the path.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.standin.call import Answer, Call
from tests.standin.endpoints import activity, apps, owners, repositories, root, search, writes
from tests.standin.graphql.endpoint import graphql
from tests.standin.shapes.errors import DOCS

ORG_HOOK = "/orgs/{org}/hooks/{hook}"
INSTALLATION = "/app/installations/{installation}"
Endpoint = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """One row. `resource` is the rate limit's; `creates` counts as content creation."""

    method: str
    path: str
    endpoint: Endpoint
    docs: str = ""
    resource: str = "core"
    creates: bool = False


ROUTES = (
    Route("GET", "/", root.root, "meta/meta#github-api-root"),
    Route("GET", "/meta", root.meta, "meta/meta#get-apiname-meta-information"),
    Route("GET", "/rate_limit", root.rate_limit, "rate-limit/rate-limit"),
    Route("GET", "/user", owners.own_user, "users/users#get-the-authenticated-user"),
    Route("GET", "/user/orgs", owners.own_orgs, "orgs/orgs#list-organizations"),
    Route("GET", "/user/repos", owners.own_repos, "repos/repos#list-repositories"),
    Route("GET", "/user/{user_id}/repos", owners.user_repos, "repos/repos"),
    Route("GET", "/users/{user}", owners.user, "users/users#get-a-user"),
    Route("GET", "/users/{user}/orgs", owners.user_orgs, "orgs/orgs"),
    Route("GET", "/users/{user}/repos", owners.user_repos, "repos/repos"),
    Route("GET", "/organizations", owners.all_orgs, "orgs/orgs#list-organizations"),
    Route("GET", "/organizations/{org_id}/repos", owners.org_repos, "repos/repos"),
    Route("GET", "/orgs/{org}", owners.org, "orgs/orgs#get-an-organization"),
    Route("GET", "/orgs/{org}/repos", owners.org_repos, "repos/repos"),
    Route("GET", "/orgs/{org}/members", owners.members, "orgs/members"),
    Route("POST", "/orgs/{org}/repos", writes.create_org_repo, "repos/repos", creates=True),
    Route("POST", "/user/repos", writes.create_own_repo, "repos/repos", creates=True),
    Route("GET", "/user/starred/{owner}/{repo}", writes.is_starred, "activity/starring"),
    Route("PUT", "/user/starred/{owner}/{repo}", writes.star, "activity/starring"),
    Route("DELETE", "/user/starred/{owner}/{repo}", writes.unstar, "activity/starring"),
    Route("GET", "/orgs/{org}/events", activity.org_events, "activity/events"),
    Route("GET", "/organizations/{org_id}/events", activity.org_events, "activity/events"),
    Route("GET", "/organizations/{org_id}/members", owners.members, "orgs/members"),
    Route("GET", "/users/{user}/events", activity.user_events, "activity/events"),
    Route("GET", "/user/{user_id}/events", activity.user_events, "activity/events"),
    Route("GET", "/user/{user_id}/orgs", owners.user_orgs, "orgs/orgs"),
    Route("GET", "/search/repositories", search.repositories, "search/search", "search"),
    Route("GET", "/_codeload/{owner}/{repo}/legacy.tar.gz/{ref...}", activity.codeload),
    Route("POST", "/graphql", graphql, "graphql", "graphql"),
    Route("GET", "/orgs/{org}/hooks", apps.org_hooks, "orgs/webhooks"),
    Route("GET", f"{ORG_HOOK}/deliveries", apps.hook_deliveries, "orgs/webhooks"),
    Route(
        "POST",
        f"{ORG_HOOK}/deliveries/{{delivery}}/attempts",
        apps.hook_redeliver,
        "orgs/webhooks",
    ),
    Route("GET", "/app", apps.app, "apps/apps#get-the-authenticated-app"),
    Route("GET", "/app/installations", apps.installations, "apps/apps"),
    Route("GET", INSTALLATION, apps.installation, "apps/apps"),
    Route("POST", f"{INSTALLATION}/access_tokens", apps.create_token, "apps/apps"),
    Route("GET", "/app/hook/deliveries", apps.deliveries, "apps/webhooks"),
    Route("POST", "/app/hook/deliveries/{delivery}/attempts", apps.redeliver, "apps/webhooks"),
    Route("GET", "/orgs/{org}/installation", apps.installation, "apps/apps"),
    Route("GET", "/users/{user}/installation", apps.installation, "apps/apps"),
    Route("GET", "/installation/repositories", apps.installation_repos, "apps/installations"),
    Route("DELETE", "/installation/token", apps.revoke_token, "apps/installations"),
    Route("GET", "/gists/{gist_id}", root.nothing_here, "gists/gists#get-a-gist"),
)
BELOW_REPO = (
    Route("GET", "", repositories.repository, "repos/repos#get-a-repository"),
    Route("GET", "/languages", repositories.languages, "repos/repos#list-repository-languages"),
    Route("GET", "/topics", repositories.topics, "repos/repos#get-all-repository-topics"),
    Route("GET", "/contributors", repositories.contributors, "repos/repos"),
    Route("GET", "/tags", repositories.tags, "repos/repos#list-repository-tags"),
    Route("GET", "/branches", repositories.branches, "branches/branches#list-branches"),
    Route("GET", "/releases", repositories.releases, "releases/releases#list-releases"),
    Route("GET", "/releases/latest", repositories.latest_release, "releases/releases"),
    Route("GET", "/releases/{release_id}", repositories.release, "releases/releases"),
    Route("GET", "/releases/tags/{tag}", repositories.release, "releases/releases"),
    Route("GET", "/license", repositories.license_file, "licenses/licenses"),
    Route("GET", "/installation", apps.installation, "apps/apps"),
    Route("GET", "/issues", activity.issues, "issues/issues#list-repository-issues"),
    Route("GET", "/issues/{number}", activity.issue, "issues/issues#get-an-issue"),
    Route("GET", "/pulls", activity.pulls, "pulls/pulls#list-pull-requests"),
    Route("GET", "/pulls/{number}", activity.pull, "pulls/pulls#get-a-pull-request"),
    Route("GET", "/commits", activity.commits, "commits/commits#list-commits"),
    Route("GET", "/commits/{ref}", activity.commit, "commits/commits#get-a-commit"),
    Route("GET", "/events", activity.repo_events, "activity/events"),
    Route("GET", "/contents", activity.contents, "repos/contents#get-repository-content"),
    Route("GET", "/contents/{path...}", activity.contents, "repos/contents"),
    Route("GET", "/git/trees/{tree}", activity.tree, "git/trees#get-a-tree"),
    Route("GET", "/tarball", activity.tarball, "repos/contents#download-an-archive-tar"),
    Route("GET", "/tarball/{ref...}", activity.tarball, "repos/contents"),
    Route("PATCH", "", writes.update_repo, "repos/repos#update-a-repository"),
    Route("DELETE", "", writes.delete_repo, "repos/repos#delete-a-repository"),
    Route("PUT", "/topics", writes.replace_topics, "repos/repos"),
    Route("POST", "/issues", writes.create_issue, "issues/issues", creates=True),
    Route("PATCH", "/issues/{number}", writes.update_issue, "issues/issues"),
    Route("POST", "/releases", writes.create_release, "releases/releases", creates=True),
    Route("POST", "/transfer", writes.transfer, "repos/repos#transfer-a-repository"),
    Route("GET", "/readme", repositories.readme, "repos/contents#get-a-repository-readme"),
)


@dataclass(slots=True)
class _Node:
    literal: dict[str, _Node] = field(default_factory=dict)
    any: _Node | None = None
    rest: bool = False
    routes: dict[str, tuple[Route, tuple[str, ...]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """A route and its parameters; no route where the path is known but not the method."""

    route: Route | None
    params: dict[str, str]


class Router:
    """Finds rows by path; literal segments win over parameters."""

    def __init__(self, routes: tuple[Route, ...], below_repo: tuple[Route, ...]) -> None:
        self._root = _Node()
        for route in routes:
            self._add(route, route.path)
        for route in below_repo:
            for prefix in ("/repos/{owner}/{repo}", "/repositories/{repo_id}"):
                self._add(route, prefix + route.path)

    def _add(self, route: Route, path: str) -> None:
        node, names = self._root, []
        for segment in path.split("/")[1:]:
            if not segment.startswith("{"):
                node = node.literal.setdefault(segment, _Node())
                continue
            names.append(segment.strip("{}."))
            if node.any is None:
                node.any = _Node()
            node = node.any
            node.rest = node.rest or segment.endswith("...}")
        node.routes[route.method] = (route, tuple(names))

    def match(self, method: str, segments: list[str]) -> Match | None:
        """None for a path that nobody serves; HEAD reads GET's row."""
        found = _walk(self._root, segments, 0, [])
        if found is None:
            return None
        node, values = found
        row = node.routes.get("GET" if method == "HEAD" else method)
        if row is None:
            return Match(None, {})
        return Match(row[0], dict(zip(row[1], values, strict=True)))


def _walk(
    node: _Node, segments: list[str], at: int, values: list[str]
) -> tuple[_Node, list[str]] | None:
    if at == len(segments):
        return (node, values) if node.routes else None
    literal = node.literal.get(segments[at])
    if literal is not None:
        found = _walk(literal, segments, at + 1, values)
        if found is not None:
            return found
    if node.any is None or not segments[at]:
        return None
    if node.any.rest:
        return node.any, [*values, "/".join(segments[at:])]
    return _walk(node.any, segments, at + 1, [*values, segments[at]])


def docs_url(route: Route | None) -> str:
    """The documentation_url of an answer."""
    return f"{DOCS}/{route.docs}" if route is not None and route.docs else DOCS
