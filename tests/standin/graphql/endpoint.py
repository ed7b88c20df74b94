"""POST /graphql: errors and limits arrive as HTTP 200, one alias can fail while others succeed."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    build_schema,
    execute_sync,
    parse,
    validate,
)

from tests.standin.call import Answer, Call
from tests.standin.graphql.cost import Cost, measure
from tests.standin.graphql.resolvers import Root
from tests.standin.shapes.errors import Refusal

SCHEMA = Path(__file__).with_name("schema.graphql")
TOO_LARGE = (
    "Something went wrong while executing your query. This may be the result of a timeout, or it "
    "could be a GitHub bug. Please include the request ID when reporting this issue."
)


@cache
def schema() -> GraphQLSchema:
    return build_schema(SCHEMA.read_text())


def graphql(call: Call) -> Answer:
    """One operation. Points are the cost, 1 where it doesn't run."""
    if call.caller.anonymous:
        message = "This endpoint requires you to be authenticated."
        raise Refusal(401, message, call.docs)
    body = call.json()
    account, limits = call.caller.account, call.github.limits
    if limits.exhausted(account, "graphql"):
        error = f"API rate limit exceeded for user ID {account.id}."
        return _failed([{"type": "RATE_LIMITED", "message": error}], points=0)
    text, variables = body.get("query"), body.get("variables") or {}
    if not isinstance(text, str) or not text.strip():
        raise Refusal(400, "A query attribute must be specified and must be a string.", call.docs)
    if not isinstance(variables, dict):
        raise Refusal(400, "Variables must be an object.", call.docs)
    try:
        document = parse(text)
    except GraphQLSyntaxError as error:
        return _failed([_shown(error)])
    problems = validate(schema(), document)
    if problems:
        return _failed([_shown(problem) for problem in problems])
    cost = measure(document, variables)
    if cost.roots > call.github.switches.graphql_most_roots:
        return Answer({"data": None, "errors": [{"message": TOO_LARGE}]}, 502, volatile=True)
    if cost.problems:
        return _failed([{"type": kind, "message": text} for kind, text in cost.problems])
    return _run(call, document, cost, variables, body.get("operationName"))


def _run(
    call: Call, document: DocumentNode, cost: Cost, variables: dict[str, Any], name: str | None
) -> Answer:
    result = execute_sync(
        schema(),
        document,
        root_value=Root(call, cost).fields,
        variable_values=variables,
        operation_name=name,
    )
    found: dict[str, Any] = {"data": result.data}
    if result.errors:
        found["errors"] = [_shown(error) for error in result.errors]
    return Answer(found, volatile=True, points=cost.points)


def _failed(errors: list[dict[str, Any]], points: int = 1) -> Answer:
    return Answer({"errors": errors}, volatile=True, points=points)


def _shown(error: GraphQLError) -> dict[str, Any]:
    """GitHub puts an error's type beside its message, not into extensions."""
    found: dict[str, Any] = dict(error.formatted)
    extensions = found.pop("extensions", None) or {}
    return {name: extensions[name] for name in ("type",) if name in extensions} | found
