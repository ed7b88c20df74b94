"""GraphQL documents: what they would do; answers: what they say of limits and repositories."""

from __future__ import annotations

import json

import pytest
from graphql import GraphQLSyntaxError, OperationDefinitionNode, parse
from hypothesis import given
from hypothesis import strategies as st

from webapp.github.graphql import limited, only_queries, operations, repositories_named


@pytest.mark.parametrize(
    ("document", "kinds"),
    [
        ("{ viewer { login } }", {"query"}),
        ("query { viewer { login } }", {"query"}),
        ("query Q($n: Int = 1) @d(a: [1, 2]) { a(first: $n) { b } }", {"query"}),
        ('mutation { addStar(input: {starrableId: "x"}) { clientMutationId } }', {"mutation"}),
        ("query A { a } mutation B { b }", {"query", "mutation"}),
        ("subscription { a }", {"subscription"}),
        ("fragment mutation on Query { a } query { ...mutation }", {"query"}),
        ("# mutation { a }\n{ a }", {"query"}),
        ('{ a(b: "mutation { c }") }', {"query"}),
        ('{ a(b: """ } mutation { c }""") }', {"query"}),
        ("{ mutation }", {"query"}),
        ("\ufeff{ a }", {"query"}),
    ],
)
def test_a_documents_operations_are_told(document: str, kinds: set[str]) -> None:
    assert operations(document) == frozenset(kinds)


@pytest.mark.parametrize(
    "document",
    ["", "{", "}", "{ a", "query", "type A { a: Int }", '{ a(b: "', "{ a } ;", "mutation"],
)
def test_what_cant_be_read_is_no_query(document: str) -> None:
    assert operations(document) is None
    assert not only_queries(json.dumps({"query": document}).encode())


PIECES = st.lists(
    st.sampled_from(
        [
            *("{", "}", "(", ")", "query", "mutation", "a", "Q", '"x"', '"""y"""', "#", "\n"),
            *(":", "1", "fragment", "on", "...", "$", "subscription", " "),
        ]
    ),
    max_size=14,
).map(" ".join)


@given(PIECES)
def test_no_mutation_that_a_real_parser_sees_passes_for_a_query(document: str) -> None:
    try:
        parsed = parse(document)
    except GraphQLSyntaxError:
        return
    real = {
        each.operation.value
        for each in parsed.definitions
        if isinstance(each, OperationDefinitionNode)
    }
    if real:
        assert operations(document) == frozenset(real)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"query": 1}',
        b'{"mutation": "{ a }"}',
        b"\xff",
        b'{"query": "mutation { a }"}',
    ],
)
def test_only_a_query_passes_for_one(body: bytes) -> None:
    assert not only_queries(body)


def test_a_limit_inside_a_200_is_seen() -> None:
    assert limited(b'{"errors":[{"type":"RATE_LIMITED","message":"API rate limit exceeded"}]}')
    assert limited(b'{"errors":[{"message":"You have exceeded a secondary rate limit."}]}')
    assert not limited(b'{"data":{"repository":{"description":"rate limit RATE_LIMITED"}}}')
    assert not limited(b'{"errors":[{"type":"NOT_FOUND"}],"data":{"a":"rate limit"}}')


def test_the_repositories_in_an_answer_are_named_once() -> None:
    body = b'{"a":{"nameWithOwner":"o/r"},"b":{"nameWithOwner": "o/r"},"c":{"nameWithOwner":"p/q"}}'
    assert repositories_named(body) == ("o/r", "p/q")
