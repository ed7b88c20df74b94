"""What a write purges."""

from __future__ import annotations

import pytest

from webapp.mutations import mutated


@pytest.mark.parametrize(
    ("method", "path", "tags", "hard"),
    [
        ("PATCH", "/repos/a/b", {"repo:a/b", "repos:a", "repos:any", "org:a"}, True),
        ("DELETE", "/repos/a/b", {"repo:a/b", "repos:a", "repos:any", "org:a"}, True),
        ("POST", "/repos/a/b/transfer", {"repo:a/b", "repos:a", "repos:any", "org:a"}, True),
        ("PUT", "/repos/a/b/topics", {"repo:a/b", "repos:a", "repos:any"}, False),
        ("POST", "/repos/a/b/issues", {"repo:a/b", "repos:a", "repos:any"}, False),
        ("PUT", "/user/starred/a/b", {"repo:a/b", "repos:a", "repos:any"}, False),
        ("POST", "/orgs/a/repos", {"repos:a", "repos:any", "org:a"}, False),
        ("POST", "/user/repos", {"repos:any"}, False),
        ("PUT", "/orgs/a/memberships/bob", {"org:a", "orgs:bob", "orgs:any"}, False),
        ("POST", "/markdown", set(), False),
    ],
)
def test_a_write_purges_what_it_makes_untrue(
    method: str, path: str, tags: set[str], hard: bool
) -> None:
    found, is_hard = mutated(method, path)
    assert (set(found), is_hard) == (tags, hard)
