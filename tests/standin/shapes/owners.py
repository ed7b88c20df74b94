"""Users and organisations, in each length that GitHub has for them."""

from __future__ import annotations

from tests.standin.accounts import Account
from tests.standin.clock import iso
from tests.standin.generator import EPOCH, YEAR
from tests.standin.model import Owner
from tests.standin.shapes.site import HTML, Json, Site, node_id


def simple_user(site: Site, login: str, user_id: int, kind: str = "User") -> Json:
    """The short form that stands as `owner`, `author`, `user` in other objects."""
    url = f"{site.api}/users/{login}"
    return {
        "login": login,
        "id": user_id,
        "node_id": node_id("O" if kind == "Organization" else "U", user_id),
        "avatar_url": f"https://avatars.githubusercontent.com/u/{user_id}?v=4",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{HTML}/{login}",
        "followers_url": f"{url}/followers",
        "following_url": f"{url}/following{{/other_user}}",
        "gists_url": f"{url}/gists{{/gist_id}}",
        "starred_url": f"{url}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{url}/subscriptions",
        "organizations_url": f"{url}/orgs",
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events{{/privacy}}",
        "received_events_url": f"{url}/received_events",
        "type": kind,
        "user_view_type": "public",
        "site_admin": False,
    }


def simple_owner(site: Site, owner: Owner) -> Json:
    return simple_user(site, owner.login, owner.id, owner.kind)


def simple_org(site: Site, owner: Owner) -> Json:
    """An organisation as lists give it."""
    url = f"{site.api}/orgs/{owner.login}"
    return {
        "login": owner.login,
        "id": owner.id,
        "node_id": node_id("O", owner.id),
        "url": url,
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events",
        "hooks_url": f"{url}/hooks",
        "issues_url": f"{url}/issues",
        "members_url": f"{url}/members{{/member}}",
        "public_members_url": f"{url}/public_members{{/member}}",
        "avatar_url": f"https://avatars.githubusercontent.com/u/{owner.id}?v=4",
        "description": owner.description,
    }


def full_org(site: Site, owner: Owner, public_repos: int) -> Json:
    return simple_org(site, owner) | {
        "name": owner.name,
        "company": owner.company,
        "blog": owner.blog,
        "location": owner.location,
        "email": owner.email,
        "twitter_username": None,
        "is_verified": False,
        "has_organization_projects": True,
        "has_repository_projects": True,
        "public_repos": public_repos,
        "public_gists": owner.public_gists,
        "followers": owner.followers,
        "following": owner.following,
        "html_url": f"{HTML}/{owner.login}",
        "created_at": iso(owner.created_at),
        "updated_at": iso(owner.updated_at),
        "archived_at": None,
        "type": "Organization",
    }


def org_for_owner(full: Json, private_repos: int) -> Json:
    """What only an organisation's owners see besides."""
    return full | {
        "total_private_repos": private_repos,
        "owned_private_repos": private_repos,
        "private_gists": 0,
        "disk_usage": 4096,
        "collaborators": 0,
        "billing_email": f"billing@{full['login']}.example",
        "default_repository_permission": "read",
        "members_can_create_repositories": True,
        "two_factor_requirement_enabled": True,
        "plan": {"name": "team", "space": 976562499, "private_repos": 999999, "seats": 10},
    }


def full_user(site: Site, owner: Owner, public_repos: int) -> Json:
    return simple_owner(site, owner) | {
        "name": owner.name,
        "company": owner.company,
        "blog": owner.blog or "",
        "location": owner.location,
        "email": owner.email,
        "hireable": None,
        "bio": owner.description,
        "twitter_username": None,
        "public_repos": public_repos,
        "public_gists": owner.public_gists,
        "followers": owner.followers,
        "following": owner.following,
        "created_at": iso(owner.created_at),
        "updated_at": iso(owner.updated_at),
    }


def account_owner(account: Account) -> Owner:
    """A test account as a user, for /users/{login} and /user."""
    return Owner(
        id=account.id,
        login=account.name,
        kind="User",
        name=account.name.replace("-", " ").title(),
        created_at=EPOCH - 3 * YEAR,
        updated_at=EPOCH - YEAR,
    )


def private_user(full: Json, private_repos: int) -> Json:
    """The token's own account, as /user gives it."""
    return full | {
        "user_view_type": "private",
        "private_gists": 0,
        "total_private_repos": private_repos,
        "owned_private_repos": 0,
        "disk_usage": 1024,
        "collaborators": 0,
        "two_factor_authentication": True,
        "notification_email": None,
        "plan": {"name": "free", "space": 976562499, "collaborators": 0, "private_repos": 10000},
    }
