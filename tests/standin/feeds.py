"""Event feeds: what happened, newest first. They listen to the world as webhooks do.

As on GitHub they say less than webhooks: settings that are edited appear in no feed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.standin.generator import sha
from tests.standin.model import Event, Repo
from tests.standin.shapes.repos import full_repo
from tests.standin.shapes.site import Json
from tests.standin.world import Change

if TYPE_CHECKING:
    from tests.standin.github import GitHub

MOST = 300
FIRST_ID = 40_000_000_000
PUSHER = "greta-s"


class Feeds:
    """Events by owner. Before anything happened, an owner's newest pushes stand in its feed."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self._payloads: dict[tuple[str, str | None], tuple[str, Callable[[Change], Json]]] = {
            ("star", "created"): ("WatchEvent", lambda change: {"action": "started"}),
            ("push", None): ("PushEvent", lambda change: push_payload(change.repo, change.extra)),
            ("fork", None): ("ForkEvent", self._forked),
            ("issues", "opened"): ("IssuesEvent", self._issue),
            ("issues", "closed"): ("IssuesEvent", self._issue),
            ("pull_request", "opened"): ("PullRequestEvent", self._pull),
            ("release", "published"): ("ReleaseEvent", self._release),
            ("repository", "created"): ("CreateEvent", self._created),
            ("repository", "publicized"): ("PublicEvent", lambda change: {}),
        }
        self.reset()

    def reset(self) -> None:
        self._by_owner: dict[str, deque[Event]] = {}
        self._next_id = FIRST_ID

    def of_owner(self, login: str) -> list[Event]:
        return list(self._feed(login))

    def of_repo(self, repo: Repo) -> list[Event]:
        return [event for event in self._feed(repo.owner) if event.repo_id == repo.id]

    def _feed(self, login: str) -> deque[Event]:
        key = login.lower()
        if key not in self._by_owner:
            self._by_owner[key] = deque(maxlen=MOST)
            repos = sorted(self._github.world.repos_of(login), key=lambda repo: repo.pushed_at)
            for repo in repos[-20:]:
                if not repo.empty:
                    self._add(repo, "PushEvent", PUSHER, repo.pushed_at, push_payload(repo, {}))
        return self._by_owner[key]

    def _add(self, repo: Repo, kind: str, actor: str, at: float, payload: Json) -> None:
        event = Event(
            id=self._next_id,
            type=kind,
            actor=actor,
            repo_id=repo.id,
            repo_name=repo.full_name,
            owner=repo.owner,
            public=not repo.private,
            at=at,
            payload=payload,
        )
        self._next_id += 1
        self._by_owner[repo.owner.lower()].appendleft(event)

    def happened(self, change: Change) -> None:
        """A listener of the world."""
        row = self._payloads.get((change.event, change.action))
        if row is None or change.silent:
            return
        self._feed(change.repo.owner)
        kind, payload = row
        now = self._github.clock.now()
        self._add(change.repo, kind, change.sender, now, payload(change))

    def _forked(self, change: Change) -> Json:
        owner = self._github.world.owner(change.repo.owner)
        assert owner is not None
        return {"action": "forked", "forkee": full_repo(self._github.site, change.repo, owner)}

    def _issue(self, change: Change) -> Json:
        return {"action": change.action, "issue": change.extra.get("issue", {})}

    def _pull(self, change: Change) -> Json:
        request = change.extra["pull_request"]
        number = change.extra["number"]
        short = {name: request[name] for name in ("url", "id", "number", "head", "base")}
        return {"action": change.action, "number": number, "pull_request": short}

    def _release(self, change: Change) -> Json:
        return {"action": "published", "release": change.extra["release"]}

    def _created(self, change: Change) -> Json:
        return {
            "ref": None,
            "ref_type": "repository",
            "full_ref": "",
            "master_branch": change.repo.default_branch,
            "description": change.repo.description,
            "pusher_type": "user",
        }


def push_payload(repo: Repo, extra: Json) -> Json:
    """A PushEvent's payload in the short form that feeds have since 2025."""
    return {
        "repository_id": repo.id,
        "push_id": repo.id * 7 + len(extra),
        "ref": f"refs/heads/{repo.default_branch}",
        "head": extra.get("after", sha(repo.id, "commit", 0)),
        "before": extra.get("before", sha(repo.id, "commit", 1)),
    }
