"""Batches by aliases: their text, cost and answers, against GitHub's grammar and the stand-in's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from graphql import parse, validate
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.standin.graphql.cost import measure
from tests.standin.graphql.endpoint import schema
from webapp.github.aliases import MOST, cost, document, rest_shape, told
from webapp.github.graphql import only_queries

NODE: dict[str, Any] = {
    "databaseId": 7,
    "nameWithOwner": "a/b",
    "name": "b",
    "owner": {"__typename": "User", "login": "a", "databaseId": 9},
    "description": None,
    "url": "https://github.com/a/b",
    "isPrivate": True,
    "visibility": "INTERNAL",
    "isArchived": False,
    "isFork": True,
    "stargazerCount": 3,
    "forkCount": 2,
    "primaryLanguage": {"name": "C"},
    "defaultBranchRef": {"name": "main"},
    "repositoryTopics": {"nodes": [{"topic": {"name": "x"}}, {"topic": {"name": "y"}}]},
    "issues": {"totalCount": 4},
    "pullRequests": {"totalCount": 1},
    "pushedAt": "2026-01-02T03:04:05Z",
    "updatedAt": "2026-01-02T03:04:06Z",
    "createdAt": "2020-01-02T03:04:07Z",
}


def body(data: Any, *errors: dict[str, Any]) -> bytes:
    return json.dumps({"data": data, "errors": list(errors)}).encode()


@settings(max_examples=25)
@given(st.lists(st.text(min_size=1).map(lambda text: f"a/{text}"), min_size=1, max_size=5))
def test_any_names_make_one_valid_query(names: list[str]) -> None:
    text = document(names)
    assert not validate(schema(), parse(text))
    assert only_queries(json.dumps({"query": text}).encode())


@pytest.mark.parametrize("count", [1, 16, 17, 34, 50, 51, 99, MOST])
def test_the_cost_is_known_before_it_is_charged(count: int) -> None:
    text = document([f"a/b{number}" for number in range(count)])
    assert abs(cost(count) - max(1.0, measure(parse(text), {}).requests / 100)) <= 0.5


def test_a_repository_gets_rests_names() -> None:
    assert rest_shape(NODE) == {
        "id": 7,
        "full_name": "a/b",
        "name": "b",
        "owner": {"login": "a", "type": "User", "id": 9},
        "description": None,
        "private": True,
        "visibility": "internal",
        "archived": False,
        "fork": True,
        "language": "C",
        "topics": ["x", "y"],
        "stargazers_count": 3,
        "forks_count": 2,
        "open_issues_count": 5,
        "pushed_at": "2026-01-02T03:04:05Z",
        "updated_at": "2026-01-02T03:04:06Z",
        "created_at": "2020-01-02T03:04:07Z",
        "default_branch": "main",
        "html_url": "https://github.com/a/b",
    }


@pytest.mark.parametrize("part", ["databaseId", "issues", "pullRequests", "repositoryTopics"])
def test_a_repository_that_isnt_whole_is_none(part: str) -> None:
    assert rest_shape(NODE | {part: None}) is None


def test_an_empty_repository_has_no_branch_and_no_language() -> None:
    shaped = rest_shape(NODE | {"defaultBranchRef": None, "primaryLanguage": None})
    assert shaped
    assert (shaped["default_branch"], shaped["language"]) == (None, None)


def test_each_alias_is_answered_for_itself() -> None:
    said = told(
        body(
            {"r0": NODE, "r1": None, "r2": None, "r3": NODE | {"issues": None}, "r4": None},
            {"type": "NOT_FOUND", "path": ["r1"]},
            {"type": "SERVICE_UNAVAILABLE", "path": ["r2"]},
            {"type": "NOT_FOUND", "path": ["r4", "owner"]},
        ),
        ["a/b", "a/none", "a/later", "a/half", "a/odd"],
    )
    assert said
    assert list(said.found) == ["a/b"]
    assert said.missing == ("a/none",)
    assert said.failed == ("a/later", "a/half", "a/odd")


@pytest.mark.parametrize(
    "raw",
    [b"", b"<html>", b"[]", b"null", b"{}", b'{"data": null}', b'{"errors": [{"message": "x"}]}'],
)
def test_an_answer_without_data_answers_nobody(raw: bytes) -> None:
    assert told(raw, ["a/b"]) is None


@settings(max_examples=50)
@given(
    st.recursive(
        st.none() | st.booleans() | st.text(),
        lambda it: st.lists(it) | st.dictionaries(st.sampled_from([*NODE, "r0", "nodes"]), it),
    )
)
def test_no_answer_breaks_the_reading(data: Any) -> None:
    said = told(json.dumps({"data": {"r0": data}, "errors": data}).encode(), ["a/b"])
    assert said
    assert [*said.found, *said.missing, *said.failed] == ["a/b"]
