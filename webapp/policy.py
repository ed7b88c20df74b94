"""THE TABLE: which GitHub path is which resource, how long it is fresh, what it is tagged with and
which webhook events purge it. Everything that needs to know reads it off a row here.

Tags are a pure function of the canonical path, because they must be known before the cache is
read and before GitHub is asked. A path in the table names `{owner}` for GitHub's org, user or
owner alike; `**` stands for any rest, none included. Owner and repo are lower-case in tags.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Literal

from webapp.patterns import fit, split, tidied

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


Events = Mapping[str, tuple[str, ...]]
"""Webhook event -> the actions that count; ANY where every action does."""
ANY = ("*",)

COUNTERS: Events = {
    "star": ANY,
    "fork": ANY,
    "watch": ANY,
    "push": ANY,
    "issues": ("opened", "closed", "reopened", "deleted", "transferred"),
    "pull_request": ("opened", "closed", "reopened"),
}
"""They purge a repository's detail at once, its owner's lists at most once in COUNTER_PAUSE."""
COUNTER_PAUSE = 60.0

HARD: Events = {
    "repository": ("deleted", "privatized", "transferred", "renamed"),
    "organization": ("deleted", "renamed"),
    "installation": ("deleted", "suspend"),
    "installation_repositories": ("removed",),
    "installation_target": ("renamed",),
}
"""After these the old answer must not even be grace; everything else purges softly."""

OWNER_WIDE: Events = {
    "organization": ("deleted", "renamed"),
    "installation": ANY,
    "installation_target": ANY,
}
"""These purge everything of an owner, by its tag `owner:{owner}`."""

INSTALLED: Events = {"installation": ANY, "installation_target": ANY}
"""After these what was learnt of where a GitHub App is installed is forgotten."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A row: `fresh` in seconds; `tag` where the path names an owner, else `unnamed`.

    `named_by` says whose login of an event stands for {owner}: the account's that owns what
    changed, or the person's whose membership did.
    """

    name: str
    paths: tuple[str, ...]
    fresh: float
    tag: str
    unnamed: str | None
    purged_by: Events
    named_by: Literal["owner", "member"] = "owner"


ORG_LIST = Resource(
    name="org_list",
    paths=("/user/orgs", "/users/{owner}/orgs", "/organizations"),
    fresh=1 * HOUR,
    tag="orgs:{owner}",
    unnamed="orgs:any",
    purged_by={"organization": ANY, "member": ANY, "installation": ANY, "installation_target": ANY},
    named_by="member",
)
ORG = Resource(
    name="org",
    paths=("/orgs/{owner}", "/users/{owner}"),
    fresh=1 * HOUR,
    tag="org:{owner}",
    unnamed=None,
    purged_by={
        "organization": ANY,
        "repository": ("created", "deleted", "publicized", "privatized", "transferred"),
    },
)
REPO_LIST = Resource(
    name="repo_list",
    paths=("/orgs/{owner}/repos", "/users/{owner}/repos", "/user/repos"),
    fresh=1 * HOUR,
    tag="repos:{owner}",
    unnamed="repos:any",
    purged_by={
        **COUNTERS,
        "repository": ANY,
        "public": ANY,
        "team": ANY,
        "team_add": ANY,
        "member": ANY,
        "organization": ("deleted", "renamed"),
        "installation": ANY,
        "installation_repositories": ANY,
        "installation_target": ANY,
    },
)
REPO = Resource(
    name="repo",
    paths=("/repos/{owner}/{repo}",),
    fresh=3 * HOUR,
    tag="repo:{owner}/{repo}",
    unnamed=None,
    purged_by={
        **COUNTERS,
        "repository": ANY,
        "public": ANY,
        "security_and_analysis": ANY,
        "custom_property_values": ANY,
        "branch_protection_rule": ANY,
        "member": ANY,
        "installation_repositories": ANY,
    },
)
REPO_PART = Resource(
    name="repo_part",
    paths=tuple(
        f"/repos/{{owner}}/{{repo}}/{part}"
        for part in (
            "languages",
            "topics",
            "contributors",
            "tags",
            "branches",
            "releases/**",
            "license",
            "readme",
        )
    ),
    fresh=3 * HOUR,
    tag="repo:{owner}/{repo}",
    unnamed=None,
    purged_by={"push": ANY, "create": ANY, "delete": ANY, "release": ANY, "repository": ANY},
)
OTHER = Resource(
    name="other",
    paths=(
        "/repos/{owner}/{repo}/**",
        "/user/starred/{owner}/{repo}",
        "/orgs/{owner}/**",
        "/users/{owner}/**",
        "/**",
    ),
    fresh=0.0,
    tag="repo:{owner}/{repo}",
    unnamed=None,
    purged_by={},
)
RESOURCES = (ORG_LIST, ORG, REPO_LIST, REPO, REPO_PART, OTHER)
"""In order of precedence; rows that share a tag are purged by any of their events."""

STALE = 5 * MINUTE
GRACE = 7 * DAY
NEGATIVE = 60.0
JITTER = 0.05
"""Periods are shortened by up to this share, so that a warmed set doesn't expire at once."""

# An answer that a caller's own token saw and that isn't known to be public: GitHub's word that
# this token may see it is trusted no longer than this (why.md: someone who lost access reads on).
UNPROVEN_FRESH = 5 * MINUTE
UNPROVEN_GRACE = 1 * HOUR

NEGATIVE_STATUSES = frozenset({301, 404, 410, 451})
ENDING_STATUSES = frozenset({401, 403})
"""Answers that end an entry without leaving one; a 403 only where it is no rate limit."""

REFUSED = (
    "/user/**",
    "/app/**",
    "/installation/**",
    # Whose name no path has: the account's own that asks, as little to be shown as /user.
    "/notifications/**",
    "/issues",
    "/gists",
    "/gists/starred",
    "/feeds",  # URLs with a token in them
    "/applications/{id}/**",
    "/marketplace_listing/**",
    "/orgs/{owner}/issues",
    "/organizations/{id}/issues",
    "/users/{owner}/events/orgs/**",
    "/users/{owner}/settings/**",
    *(
        f"{owner}/{part}"
        for owner in (
            "/repos/{owner}/{repo}",
            "/repositories/{id}",
            "/orgs/{owner}",
            "/organizations/{id}",
            "/enterprises/{owner}",
        )
        for part in (
            "hooks/**",
            "keys/**",
            "{product}/secrets/**",
            "{product}/organization-secrets/**",
            "environments/{name}/secrets/**",
            "secret-scanning/**",
            "personal-access-tokens/**",
            "personal-access-token-requests/**",
            "credential-authorizations/**",
            "notifications",
            "subscription",
            "codespaces/**",
        )
    ),
    "/users/{owner}/keys",
)
"""What the service's and the public's eyes never look at for a caller."""
ALLOWED_TO_SERVICE = frozenset({"/user/orgs", "/user/repos"})


@dataclass(frozen=True, slots=True)
class Match:
    """What the table says of one canonical path."""

    resource: Resource
    pattern: str
    """Which of the row's paths it fits."""
    owner: str | None
    repo: str | None
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Periods:
    """Seconds by resource name, and what follows them; Settings may change each."""

    fresh: Mapping[str, float]
    stale: float = STALE
    grace: float = GRACE
    negative: float = NEGATIVE

    def fresh_of(self, resource: Resource) -> float:
        """Seconds for which an answer of this resource is served as is."""
        return self.fresh.get(resource.name, resource.fresh)


DEFAULT_PERIODS = Periods(MappingProxyType({row.name: row.fresh for row in RESOURCES}))


_ROWS = tuple((row, path, split(path)) for row in RESOURCES for path in row.paths)
_REFUSED = tuple(split(path) for path in REFUSED)


@lru_cache(maxsize=16_384)
def match(path: str) -> Match:
    """The row and tags of a canonical path, which starts with a slash; every path has one."""
    segments = split(path)
    for row, path_pattern, pattern in _ROWS:
        names = fit(pattern, segments)
        if names is None:
            continue
        owner, repo = names.get("owner"), names.get("repo")
        return Match(
            row, path_pattern, owner, repo, (*_own_tags(row, owner, repo), *_shared_tags(owner))
        )
    raise AssertionError("the table's last row takes every path")


def _own_tags(row: Resource, owner: str | None, repo: str | None) -> tuple[str, ...]:
    if owner is None or ("{repo}" in row.tag and repo is None):
        return (row.unnamed,) if row.unnamed else ()
    return (row.tag.format(owner=owner.lower(), repo=(repo or "").lower()),)


def _shared_tags(owner: str | None) -> tuple[str, ...]:
    return (f"owner:{owner.lower()}", "all") if owner else ("all",)


def refused(path: str, *, service: bool) -> bool:
    """Whether callers without a GitHub token of their own are kept from this canonical path."""
    if service and path in ALLOWED_TO_SERVICE:
        return False
    segments = tidied(path.lower())
    return any(fit(pattern, segments) is not None for pattern in _REFUSED)


def listed(events: Events, event: str, action: str) -> bool:
    """Whether this action of this event is among those."""
    actions = events.get(event, ())
    return actions == ANY or action in actions


def purging_events(tags: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Event -> actions that purge an entry with these tags: the union over rows that share one."""
    kinds = {tag.partition(":")[0] for tag in tags}
    events: dict[str, set[str]] = {}
    for row in RESOURCES:
        if row.tag.partition(":")[0] in kinds:
            for event, actions in row.purged_by.items():
                events.setdefault(event, set()).update(actions)
    if "owner" in kinds:
        for event, actions in OWNER_WIDE.items():
            events.setdefault(event, set()).update(actions)
    return {
        event: ANY if "*" in actions else tuple(sorted(actions))
        for event, actions in sorted(events.items())
    }
