"""What a write that passed through makes untrue: path -> the tags to purge, hard or softly."""

from __future__ import annotations

from webapp.patterns import fit, split, tidied

Mutation = tuple[str, tuple[str, ...], frozenset[str]]
"""Hard for the methods named: the old answer may show what is gone, or private from now on."""

_REPO_TAGS = ("repo:{owner}/{repo}", "repos:{owner}", "repos:any")
MUTATIONS: tuple[Mutation, ...] = (
    (
        "/repos/{owner}/{repo}",
        (*_REPO_TAGS, "org:{owner}"),
        frozenset({"PATCH", "DELETE"}),
    ),
    ("/repos/{owner}/{repo}/transfer", (*_REPO_TAGS, "org:{owner}"), frozenset({"POST"})),
    ("/repos/{owner}/{repo}/**", _REPO_TAGS, frozenset()),
    # Which one it is only GitHub's answer says: repository_tags.
    ("/repositories/{id}/**", (), frozenset({"PATCH", "DELETE"})),
    ("/user/starred/{owner}/{repo}", _REPO_TAGS, frozenset()),
    ("/user/subscriptions/{owner}/{repo}", _REPO_TAGS, frozenset()),
    ("/user/repos", ("repos:any",), frozenset()),
    ("/user/memberships/orgs/{owner}", ("org:{owner}", "orgs:any"), frozenset()),
    ("/orgs/{owner}/repos", ("repos:{owner}", "repos:any", "org:{owner}"), frozenset()),
    (
        "/orgs/{owner}/memberships/{member}",
        ("org:{owner}", "orgs:{member}", "orgs:any"),
        frozenset(),
    ),
    ("/orgs/{owner}/members/{member}", ("org:{owner}", "orgs:{member}", "orgs:any"), frozenset()),
    ("/orgs/{owner}", ("org:{owner}", "orgs:any", "repos:{owner}"), frozenset({"DELETE"})),
    ("/orgs/{owner}/**", ("org:{owner}", "repos:{owner}", "repos:any"), frozenset()),
)

_MUTATIONS = tuple((split(path), tags, hard) for path, tags, hard in MUTATIONS)


def mutated(method: str, path: str) -> tuple[tuple[str, ...], bool]:
    """The tags that a write to this canonical path makes untrue, and whether to purge them hard."""
    segments = tidied(path)
    for pattern, tags, hard in _MUTATIONS:
        names = fit(pattern, segments)
        if names is not None:
            lowered = {name: value.lower() for name, value in names.items()}
            return tuple(tag.format(**lowered) for tag in tags), method in hard
    return (), False


def repository_tags(full_name: str) -> tuple[str, ...]:
    """The tags of all that shows a repository, by its `owner/name`; none for ''."""
    owner, _, repo = full_name.lower().partition("/")
    tags = (*_REPO_TAGS, "org:{owner}") if owner and repo else ()
    return tuple(tag.format(owner=owner, repo=repo) for tag in tags)
