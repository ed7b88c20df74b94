"""Repositories: in lists, in full, in search results."""

from __future__ import annotations

from tests.standin.clock import iso
from tests.standin.model import Owner, Repo
from tests.standin.shapes.owners import simple_owner
from tests.standin.shapes.site import HTML, Json, Site, node_id

# key -> what follows the repository's URL; braces are GitHub's own URI templates
REPO_URLS = {
    "forks_url": "/forks",
    "keys_url": "/keys{/key_id}",
    "collaborators_url": "/collaborators{/collaborator}",
    "teams_url": "/teams",
    "hooks_url": "/hooks",
    "issue_events_url": "/issues/events{/number}",
    "events_url": "/events",
    "assignees_url": "/assignees{/user}",
    "branches_url": "/branches{/branch}",
    "tags_url": "/tags",
    "blobs_url": "/git/blobs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "trees_url": "/git/trees{/sha}",
    "statuses_url": "/statuses/{sha}",
    "languages_url": "/languages",
    "stargazers_url": "/stargazers",
    "contributors_url": "/contributors",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "commits_url": "/commits{/sha}",
    "git_commits_url": "/git/commits{/sha}",
    "comments_url": "/comments{/number}",
    "issue_comment_url": "/issues/comments{/number}",
    "contents_url": "/contents/{+path}",
    "compare_url": "/compare/{base}...{head}",
    "merges_url": "/merges",
    "archive_url": "/{archive_format}{/ref}",
    "downloads_url": "/downloads",
    "issues_url": "/issues{/number}",
    "pulls_url": "/pulls{/number}",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "labels_url": "/labels{/name}",
    "releases_url": "/releases{/id}",
    "deployments_url": "/deployments",
}
# SPDX key -> (SPDX id, name)
LICENSES = {
    "0bsd": ("0BSD", "BSD Zero Clause License"),
    "agpl-3.0": ("AGPL-3.0", "GNU Affero General Public License v3.0"),
    "apache-2.0": ("Apache-2.0", "Apache License 2.0"),
    "bsd-2-clause": ("BSD-2-Clause", 'BSD 2-Clause "Simplified" License'),
    "bsd-3-clause": ("BSD-3-Clause", 'BSD 3-Clause "New" or "Revised" License'),
    "cc-by-4.0": ("CC-BY-4.0", "Creative Commons Attribution 4.0 International"),
    "cc0-1.0": ("CC0-1.0", "Creative Commons Zero v1.0 Universal"),
    "gpl-2.0": ("GPL-2.0", "GNU General Public License v2.0"),
    "gpl-3.0": ("GPL-3.0", "GNU General Public License v3.0"),
    "lgpl-2.1": ("LGPL-2.1", "GNU Lesser General Public License v2.1"),
    "lgpl-3.0": ("LGPL-3.0", "GNU Lesser General Public License v3.0"),
    "mit": ("MIT", "MIT License"),
    "mpl-2.0": ("MPL-2.0", "Mozilla Public License 2.0"),
    "other": ("NOASSERTION", "Other"),
    "postgresql": ("PostgreSQL", "PostgreSQL License"),
    "unlicense": ("Unlicense", "The Unlicense"),
}
OWNER_PERMISSIONS = {"admin": True, "maintain": True, "push": True, "triage": True, "pull": True}
READER_PERMISSIONS = {
    "admin": False, "maintain": False, "push": False, "triage": False, "pull": True,
}  # fmt: skip


def license_simple(site: Site, key: str | None) -> Json | None:
    if key is None:
        return None
    spdx, name = LICENSES[key]
    return {
        "key": key,
        "name": name,
        "spdx_id": spdx,
        "url": None if key == "other" else f"{site.api}/licenses/{key}",
        "node_id": node_id("LIC", sum(key.encode())),
    }


def minimal_repo(site: Site, repo: Repo, owner: Owner, permissions: Json | None = None) -> Json:
    """A repository as lists give it. `permissions` only for an authorised reader."""
    url = f"{site.api}/repos/{repo.full_name}"
    html = f"{HTML}/{repo.full_name}"
    found: Json = {
        "id": repo.id,
        "node_id": node_id("R", repo.id),
        "name": repo.name,
        "full_name": repo.full_name,
        "private": repo.private,
        "owner": simple_owner(site, owner),
        "html_url": html,
        "description": repo.description,
        "fork": repo.fork,
        "url": url,
    }
    for key, tail in REPO_URLS.items():
        found[key] = url + tail
    found |= {
        "created_at": iso(repo.created_at),
        "updated_at": iso(repo.updated_at),
        "pushed_at": iso(repo.pushed_at),
        "git_url": f"git://github.com/{repo.full_name}.git",
        "ssh_url": f"git@github.com:{repo.full_name}.git",
        "clone_url": f"{html}.git",
        "svn_url": html,
        "homepage": repo.homepage,
        "size": repo.size,
        "stargazers_count": repo.stars,
        "watchers_count": repo.stars,
        "language": repo.language,
        "has_issues": repo.has_issues,
        "has_projects": repo.has_projects,
        "has_downloads": True,
        "has_wiki": repo.has_wiki,
        "has_pages": repo.has_pages,
        "has_discussions": repo.has_discussions,
        "forks_count": repo.forks,
        "mirror_url": None,
        "archived": repo.archived,
        "disabled": repo.disabled,
        "open_issues_count": repo.open_issues,
        "license": license_simple(site, repo.license),
        "allow_forking": True,
        "is_template": repo.is_template,
        "web_commit_signoff_required": False,
        "topics": list(repo.topics),
        "visibility": repo.visibility,
        "forks": repo.forks,
        "open_issues": repo.open_issues,
        "watchers": repo.stars,
        "default_branch": repo.default_branch,
    }
    if permissions is not None:
        found["permissions"] = permissions
    return found


def full_repo(
    site: Site,
    repo: Repo,
    owner: Owner,
    permissions: Json | None = None,
    parent: Json | None = None,
) -> Json:
    """A repository in full; `parent` is a fork's parent as a list gives it."""
    found = minimal_repo(site, repo, owner, permissions)
    if permissions is not None:
        found["temp_clone_token"] = ""
    if permissions is not None and permissions["admin"]:
        found |= {
            "allow_squash_merge": True,
            "allow_merge_commit": True,
            "allow_rebase_merge": True,
            "allow_auto_merge": False,
            "delete_branch_on_merge": False,
            "allow_update_branch": False,
            "squash_merge_commit_title": "COMMIT_OR_PR_TITLE",
            "squash_merge_commit_message": "COMMIT_MESSAGES",
            "merge_commit_title": "MERGE_MESSAGE",
            "merge_commit_message": "PR_TITLE",
            "security_and_analysis": {
                "secret_scanning": {"status": "enabled"},
                "secret_scanning_push_protection": {"status": "enabled"},
            },
        }
    if owner.kind == "Organization":
        found["custom_properties"] = {}
        found["organization"] = simple_owner(site, owner)
    if parent is not None:
        found |= {"parent": parent, "source": parent}
    return found | {"network_count": repo.forks, "subscribers_count": repo.subscribers}


def search_result(site: Site, repo: Repo, owner: Owner, score: float) -> Json:
    return minimal_repo(site, repo, owner) | {"score": score}
