"""The API's root, its limits, and what it says about itself."""

from __future__ import annotations

from tests.standin.call import Answer, Call
from tests.standin.shapes.site import HTML

# name -> path; braces are GitHub's own URI templates
ROOT = {
    "current_user_url": "/user",
    "code_search_url": "/search/code?q={query}{&page,per_page,sort,order}",
    "commit_search_url": "/search/commits?q={query}{&page,per_page,sort,order}",
    "emails_url": "/user/emails",
    "emojis_url": "/emojis",
    "events_url": "/events",
    "feeds_url": "/feeds",
    "followers_url": "/user/followers",
    "following_url": "/user/following{/target}",
    "gists_url": "/gists{/gist_id}",
    "hub_url": "/hub",
    "issue_search_url": "/search/issues?q={query}{&page,per_page,sort,order}",
    "issues_url": "/issues",
    "keys_url": "/user/keys",
    "label_search_url": "/search/labels?q={query}&repository_id={repository_id}{&page,per_page}",
    "notifications_url": "/notifications",
    "organization_url": "/orgs/{org}",
    "organization_repositories_url": "/orgs/{org}/repos{?type,page,per_page,sort}",
    "organization_teams_url": "/orgs/{org}/teams",
    "public_gists_url": "/gists/public",
    "rate_limit_url": "/rate_limit",
    "repository_url": "/repos/{owner}/{repo}",
    "repository_search_url": "/search/repositories?q={query}{&page,per_page,sort,order}",
    "current_user_repositories_url": "/user/repos{?type,page,per_page,sort}",
    "starred_url": "/user/starred{/owner}{/repo}",
    "starred_gists_url": "/gists/starred",
    "topic_search_url": "/search/topics?q={query}{&page,per_page}",
    "user_url": "/users/{user}",
    "user_organizations_url": "/user/orgs",
    "user_repositories_url": "/users/{user}/repos{?type,page,per_page,sort}",
    "user_search_url": "/search/users?q={query}{&page,per_page,sort,order}",
}


def root(call: Call) -> Answer:
    urls = {name: call.site.api + path for name, path in ROOT.items()}
    page = f"{HTML}/settings/connections/applications{{/client_id}}"
    return Answer(urls | {"current_user_authorizations_html_url": page})


def meta(call: Call) -> Answer:
    return Answer(
        {
            "verifiable_password_authentication": False,
            "hooks": ["127.0.0.0/8"],
            "web": ["127.0.0.0/8"],
            "api": ["127.0.0.0/8"],
            "git": ["127.0.0.0/8"],
        }
    )


def rate_limit(call: Call) -> Answer:
    """Free, and never the same twice."""
    resources = {
        name: call.github.limits.status(call.caller.account, name)
        for name in ("core", "search", "graphql")
    }
    extra = {name: dict(resources["core"]) for name in ("integration_manifest", "code_search")}
    body = {"resources": resources | extra, "rate": resources["core"]}
    return Answer(body, volatile=True, points=0)


def nothing_here(call: Call) -> Answer:
    """A path that GitHub has and where this world has nothing."""
    raise call.not_found()
