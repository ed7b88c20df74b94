"""Issues, pull requests, commits, events, trees: what happens in a repository."""

from __future__ import annotations

from collections.abc import Callable

from tests.standin.clock import iso
from tests.standin.generator import sha
from tests.standin.model import Commit, Event, Issue, Owner, Repo
from tests.standin.parts import LABELS, person_id
from tests.standin.shapes.owners import simple_user
from tests.standin.shapes.parts import repo_url
from tests.standin.shapes.repos import full_repo
from tests.standin.shapes.site import HTML, Json, Site, node_id

HUGE_TREE = 12_000


def person(site: Site, login: str) -> Json:
    return simple_user(site, login, person_id(login))


def label(site: Site, repo: Repo, name: str) -> Json:
    number = LABELS.index(name) if name in LABELS else len(LABELS)
    return {
        "id": repo.id * 10 + number,
        "node_id": node_id("LA", repo.id * 10 + number),
        "url": f"{repo_url(site, repo)}/labels/{name.replace(' ', '%20')}",
        "name": name,
        "color": f"{person_id(name) % 0xFFFFFF:06x}",
        "default": True,
        "archived_by": None,
        "description": None,
    }


def issue(site: Site, repo: Repo, one: Issue) -> Json:
    """An issue; a pull request has `pull_request` in it, as GitHub's issue list has."""
    url = f"{repo_url(site, repo)}/issues/{one.number}"
    html = f"{HTML}/{repo.full_name}/{'pull' if one.pull else 'issues'}/{one.number}"
    found: Json = {
        "url": url,
        "repository_url": repo_url(site, repo),
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "html_url": html,
        "id": one.id,
        "node_id": node_id("PR" if one.pull else "I", one.id),
        "number": one.number,
        "title": one.title,
        "user": person(site, one.author),
        "labels": [label(site, repo, name) for name in one.labels],
        "state": one.state,
        "locked": False,
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "comments": one.comments,
        "created_at": iso(one.created_at),
        "updated_at": iso(one.updated_at),
        "closed_at": iso(one.updated_at) if one.state == "closed" else None,
        "author_association": "CONTRIBUTOR",
        "active_lock_reason": None,
        "body": one.body,
        "closed_by": None,
        "reactions": {"url": f"{url}/reactions", "total_count": 0}
        | dict.fromkeys(("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes"), 0),
        "timeline_url": f"{url}/timeline",
        "performed_via_github_app": None,
        "state_reason": "completed" if one.state == "closed" else None,
    }
    if one.pull:
        pull = f"{repo_url(site, repo)}/pulls/{one.number}"
        found["draft"] = False
        found["pull_request"] = {
            "url": pull,
            "html_url": html,
            "diff_url": f"{html}.diff",
            "patch_url": f"{html}.patch",
            "merged_at": None,
        }
    return found


def pull(site: Site, repo: Repo, owner: Owner, one: Issue) -> Json:
    """A pull request as its own list gives it."""
    url = f"{repo_url(site, repo)}/pulls/{one.number}"
    issue_url = f"{repo_url(site, repo)}/issues/{one.number}"
    html = f"{HTML}/{repo.full_name}/pull/{one.number}"
    head = sha(repo.id, "head", one.number)
    repository = full_repo(site, repo, owner)

    def side(ref: str, tip: str) -> Json:
        return {
            "label": f"{repo.owner}:{ref}",
            "ref": ref,
            "sha": tip,
            "user": repository["owner"],
            "repo": repository,
        }

    links = {
        "self": url,
        "html": html,
        "issue": issue_url,
        "comments": f"{issue_url}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": f"{url}/comments{{/number}}",
        "commits": f"{url}/commits",
        "statuses": f"{repo_url(site, repo)}/statuses/{head}",
    }
    return {
        "url": url,
        "id": one.id,
        "node_id": node_id("PR", one.id),
        "html_url": html,
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        "issue_url": issue_url,
        "number": one.number,
        "state": one.state,
        "locked": False,
        "title": one.title,
        "user": person(site, one.author),
        "body": one.body,
        "created_at": iso(one.created_at),
        "updated_at": iso(one.updated_at),
        "closed_at": iso(one.updated_at) if one.state == "closed" else None,
        "merged_at": None,
        "merge_commit_sha": sha(repo.id, "merge", one.number),
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [],
        "requested_teams": [],
        "labels": [label(site, repo, name) for name in one.labels],
        "milestone": None,
        "draft": False,
        "commits_url": links["commits"],
        "review_comments_url": links["review_comments"],
        "review_comment_url": links["review_comment"],
        "comments_url": links["comments"],
        "statuses_url": links["statuses"],
        "head": side(f"change-{one.number}", head),
        "base": side(repo.default_branch, sha(repo.id, "commit", 0)),
        "_links": {name: {"href": target} for name, target in links.items()},
        "author_association": "CONTRIBUTOR",
        "auto_merge": None,
        "active_lock_reason": None,
    }


def full_pull(simple: Json) -> Json:
    """What a single pull request, and its webhook, has besides."""
    return simple | {
        "merged": False,
        "mergeable": None,
        "rebaseable": None,
        "mergeable_state": "unknown",
        "merged_by": None,
        "comments": 0,
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": 1,
        "additions": 12,
        "deletions": 3,
        "changed_files": 2,
    }


def commit(site: Site, repo: Repo, one: Commit) -> Json:
    url = repo_url(site, repo)
    html = f"{HTML}/{repo.full_name}/commit"
    who = {
        "name": one.author.replace("-", " ").title(),
        "email": f"{one.author}@users.noreply.github.com",
        "date": iso(one.at),
    }
    parents = (one.parent,) if one.parent else ()
    return {
        "sha": one.sha,
        "node_id": node_id("C", int(one.sha[:8], 16)),
        "commit": {
            "author": who,
            "committer": who,
            "message": one.message,
            "tree": {"sha": one.tree, "url": f"{url}/git/trees/{one.tree}"},
            "url": f"{url}/git/commits/{one.sha}",
            "comment_count": 0,
            "verification": {
                "verified": False,
                "reason": "unsigned",
                "signature": None,
                "payload": None,
                "verified_at": None,
            },
        },
        "url": f"{url}/commits/{one.sha}",
        "html_url": f"{html}/{one.sha}",
        "comments_url": f"{url}/commits/{one.sha}/comments",
        "author": person(site, one.author),
        "committer": person(site, one.author),
        "parents": [
            {"sha": parent, "url": f"{url}/commits/{parent}", "html_url": f"{html}/{parent}"}
            for parent in parents
        ],
    }


def event(site: Site, owner_of: Callable[[str], Owner | None], one: Event) -> Json:
    """One entry of a feed."""
    avatar = "https://avatars.githubusercontent.com/u"
    actor_id = person_id(one.actor)
    found: Json = {
        "id": str(one.id),
        "type": one.type,
        "actor": {
            "id": actor_id,
            "login": one.actor,
            "display_login": one.actor,
            "gravatar_id": "",
            "url": f"{site.api}/users/{one.actor}",
            "avatar_url": f"{avatar}/{actor_id}?",
        },
        "repo": {
            "id": one.repo_id,
            "name": one.repo_name,
            "url": f"{site.api}/repos/{one.repo_name}",
        },
        "payload": one.payload,
        "public": one.public,
        "created_at": iso(one.at),
    }
    owner = owner_of(one.owner)
    if owner is not None and owner.kind == "Organization":
        found["org"] = {
            "id": owner.id,
            "login": owner.login,
            "gravatar_id": "",
            "url": f"{site.api}/orgs/{owner.login}",
            "avatar_url": f"{avatar}/{owner.id}?",
        }
    return found


def tree(site: Site, repo: Repo, name: str, files: list[str]) -> Json:
    """A git tree; the huge repository's is above 2 MB of JSON."""
    url = f"{repo_url(site, repo)}/git"
    if repo.huge:
        files = [*files, *(f"data/part-{n // 100:03}/sample-{n:05}.json" for n in range(HUGE_TREE))]
    rows = []
    for path in files:
        blob = sha(repo.id, path)
        rows.append(
            {
                "path": path,
                "mode": "100644",
                "type": "blob",
                "sha": blob,
                "size": 100 + len(path),
                "url": f"{url}/blobs/{blob}",
            }
        )
    return {"sha": name, "url": f"{url}/trees/{name}", "tree": rows, "truncated": False}
