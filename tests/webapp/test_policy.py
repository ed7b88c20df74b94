"""The table: each path's row and tags, periods, events and refusals."""

from __future__ import annotations

import pytest

from webapp import policy
from webapp.policy import match, purging_events, refused

HOUR = 3600


@pytest.mark.parametrize(
    ("path", "resource", "tags"),
    [
        ("/user/orgs", "org_list", ("orgs:any", "all")),
        ("/users/bob/orgs", "org_list", ("orgs:bob", "owner:bob", "all")),
        ("/organizations", "org_list", ("orgs:any", "all")),
        ("/orgs/pallets", "org", ("org:pallets", "owner:pallets", "all")),
        ("/users/bob", "org", ("org:bob", "owner:bob", "all")),
        ("/orgs/pallets/repos", "repo_list", ("repos:pallets", "owner:pallets", "all")),
        ("/users/bob/repos", "repo_list", ("repos:bob", "owner:bob", "all")),
        ("/user/repos", "repo_list", ("repos:any", "all")),
        ("/repos/a/b", "repo", ("repo:a/b", "owner:a", "all")),
        ("/repos/a/b/languages", "repo_part", ("repo:a/b", "owner:a", "all")),
        ("/repos/a/b/topics", "repo_part", ("repo:a/b", "owner:a", "all")),
        ("/repos/a/b/contributors", "repo_part", ("repo:a/b", "owner:a", "all")),
        ("/repos/a/b/tags", "repo_part", ("repo:a/b", "owner:a", "all")),
        ("/repos/a/b/branches", "repo_part", ("repo:a/b", "owner:a", "all")),
        ("/repos/a/b/releases", "repo_part", ("repo:a/b", "owner:a", "all")),
        ("/repos/a/b/releases/tags/v1", "repo_part", ("repo:a/b", "owner:a", "all")),
        ("/repos/a/b/license", "repo_part", ("repo:a/b", "owner:a", "all")),
        ("/repos/a/b/readme", "repo_part", ("repo:a/b", "owner:a", "all")),
        ("/repos/a/b/issues", "other", ("repo:a/b", "owner:a", "all")),
        ("/repos/a/b/", "other", ("repo:a/b", "owner:a", "all")),
        ("/orgs/pallets/members", "other", ("owner:pallets", "all")),
        ("/search/repositories", "other", ("all",)),
        ("/repos/a", "other", ("all",)),
        ("/repos//b", "other", ("all",)),
        ("/", "other", ("all",)),
    ],
)
def test_a_path_has_one_row_and_its_tags(path: str, resource: str, tags: tuple[str, ...]) -> None:
    found = match(path)
    assert (found.resource.name, found.tags) == (resource, tags)


def test_lists_are_fresh_for_an_hour_and_details_for_three() -> None:
    periods = {row.name: row.fresh for row in policy.RESOURCES}
    assert periods == {
        "org_list": HOUR,
        "org": HOUR,
        "repo_list": HOUR,
        "repo": 3 * HOUR,
        "repo_part": 3 * HOUR,
        "other": 0,
    }


def test_rows_that_share_a_tag_are_purged_by_any_of_their_events() -> None:
    events = purging_events(("repo:a/b", "owner:a", "all"))
    assert {"star", "release", "branch_protection_rule", "push"} <= set(events)
    assert "team" not in events
    assert events["issues"] == ("closed", "deleted", "opened", "reopened", "transferred")


def test_only_a_few_repository_events_purge_an_organisation() -> None:
    events = purging_events(("org:a",))
    assert events["organization"] == policy.ANY
    assert "edited" not in events["repository"]


@pytest.mark.parametrize(
    "path",
    [
        "/user",
        "/user/emails",
        "/app",
        "/app/installations",
        "/installation/repositories",
        "/repos/a/b/hooks",
        "/repos/a/b/hooks/1",
        "/repos/a/b/keys",
        "/repos/a/b/actions/secrets",
        "/repos/a/b/dependabot/secrets/X",
        "/repos/a/b/environments/prod/secrets",
        "/repos/a/b/secret-scanning/alerts",
        "/repositories/1/hooks",
        "/orgs/a/hooks",
        "/orgs/a/actions/secrets",
        "/users/a/keys",
        "/users/a/settings/billing/usage",
        "/notifications",
        "/issues",
        "/repos/a/b/subscription",
        "/repositories/1/notifications",
        "/repositories/1/codespaces",
        "/orgs/a/issues",
        "/organizations/1/issues",
    ],
)
def test_what_is_somebodys_own_is_refused_to_service_and_public(path: str) -> None:
    assert refused(path, service=True)
    assert refused(path, service=False)


@pytest.mark.parametrize(
    "path",
    [
        "/repos/a/hooks",
        "/repos/a/b/contents/hooks/pre-commit",
        "/repos/a/b/git/ref/heads/keys",
        "/repos/a/user",
        "/orgs/hooks",
        "/users/app",
        "/applications",
        "/repos/a/b/issues",
        "/repositories/1/issues",
        "/repos/a/b/subscribers",
    ],
)
def test_a_name_that_only_looks_like_it_is_not_refused(path: str) -> None:
    assert not refused(path, service=False)


def test_the_service_alone_may_read_its_own_lists() -> None:
    for path in ("/user/orgs", "/user/repos"):
        assert not refused(path, service=True)
        assert refused(path, service=False)
