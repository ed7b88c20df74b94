"""What GitHub's answers show, read without trusting any field."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from webapp.harvesting.sights import owner, repository, rows_seen, shows_sights, sights

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ROW: dict[str, Any] = {
    "id": 1,
    "full_name": "a/b",
    "private": False,
    "visibility": "public",
    "archived": False,
    "fork": True,
    "owner": {"login": "a", "id": 7},
    "description": None,
    "language": "C",
    "topics": ["x"],
    "stargazers_count": 1,
    "forks_count": 2,
    "open_issues_count": 3,
    "pushed_at": None,
    "updated_at": "2026-02-01T00:00:00Z",
    "created_at": "2026-01-01T00:00:00Z",
    "default_branch": "main",
    "html_url": "https://github.com/a/b",
}


@pytest.mark.parametrize(
    ("path", "looked_into"),
    [
        ("/repos/a/b", True),
        ("/orgs/a/repos", True),
        ("/user/repos", True),
        ("/users/a", True),
        ("/organizations", True),
        ("/search/repositories", True),
        ("/repositories/1", True),
        ("/repos/a/b/issues", False),
        ("/repos/a/b/topics", False),
        ("/repositories/1/issues", False),
        ("/search/code", False),
        ("/rate_limit", False),
    ],
)
def test_some_paths_show_repositories_or_owners(path: str, looked_into: bool) -> None:
    assert shows_sights(path) is looked_into


def test_githubs_null_is_said_and_what_is_missing_is_not() -> None:
    said = repository(ROW, NOW)
    silent = repository({key: ROW[key] for key in ROW if key not in ("description", "topics")}, NOW)
    assert said
    assert silent
    assert (said.description, said.topics, said.pushed_at) == ("", ["x"], None)
    assert (silent.description, silent.topics) == (None, None)


@pytest.mark.parametrize(("private", "visibility"), [(False, "public"), (True, "private")])
def test_visibility_follows_from_private_where_it_is_not_said(
    private: bool, visibility: str
) -> None:
    found = repository({**ROW, "private": private, "visibility": None}, NOW)
    assert found
    assert found.visibility == visibility


@pytest.mark.parametrize(
    "odd",
    [
        {"id": 0},
        {"id": True},
        {"id": "1"},
        {"id": 2**63},
        {"full_name": "a"},
        {"full_name": "a/b/c"},
        {"full_name": "/b"},
        {"private": None},
        {"archived": 1},
        {"visibility": "secret"},
        {"stargazers_count": -1},
        {"stargazers_count": 2**31},
        {"stargazers_count": 1.5},
        {"topics": [1]},
        {"topics": 3},
        {"created_at": "yesterday"},
        {"created_at": 1_700_000_000},
        {"html_url": None},
        {"owner": {"id": "7"}},
    ],
)
def test_a_row_that_is_not_whole_is_no_sight(odd: dict[str, Any]) -> None:
    assert repository(ROW | odd, NOW) is None


def test_a_nul_is_left_out() -> None:
    found = repository(ROW | {"description": "a\x00b"}, NOW)
    assert found
    assert found.description == "ab"


def test_a_list_that_shows_one_twice_shows_it_once() -> None:
    assert len(rows_seen([ROW, ROW], NOW).repositories) == 1


def test_a_detail_is_not_a_list() -> None:
    assert not sights("/repos/a/b", orjson.dumps(ROW), NOW).listed
    assert sights("/orgs/a/repos", orjson.dumps([ROW]), NOW).listed


def test_an_owner_is_seen_wherever_it_stands() -> None:
    row = owner({"login": "a", "id": 7, "type": "Organization"}, NOW)
    assert row
    assert (row.type, row.name, row.public_repos) == ("Organization", None, None)
    detail = owner({"login": "a", "id": 7, "name": None, "public_repos": 3}, NOW)
    assert detail
    assert (detail.name, detail.public_repos) == ("", 3)
