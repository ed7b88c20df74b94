"""What a query costs, read off its text before it runs.

Source: GitHub's GraphQL rate limit documentation. Each connection is one request for each parent
node; points are those requests divided by 100, rounded, at least one. First and last are 1 to 100,
and a query may name 500,000 nodes at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
)

CONNECTIONS = frozenset(
    ("repositories", "repositoryTopics", "languages", "issues", "pullRequests", "releases")
)
MOST_NODES = 500_000
MOST_A_PAGE = 100


@dataclass(slots=True)
class Cost:
    """Requests and nodes of one operation, and why it may not run: (type, message)."""

    requests: int = 0
    nodes: int = 0
    roots: int = 0
    mutates: bool = False
    problems: list[tuple[str, str]] = field(default_factory=list)

    @property
    def points(self) -> int:
        return max(1, round(self.requests / 100))


def measure(document: DocumentNode, variables: Mapping[str, Any]) -> Cost:
    """The cost of the document's operations."""
    cost = Cost()
    fragments: dict[str, FragmentDefinitionNode] = {}
    for definition in document.definitions:
        if isinstance(definition, FragmentDefinitionNode):
            fragments[definition.name.value] = definition

    def fields_of(selections: SelectionSetNode | None) -> Iterator[FieldNode]:
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                yield node
            elif isinstance(node, InlineFragmentNode):
                yield from fields_of(node.selection_set)
            elif isinstance(node, FragmentSpreadNode) and node.name.value in fragments:
                yield from fields_of(fragments[node.name.value].selection_set)

    def walk(selections: SelectionSetNode | None, parents: int) -> None:
        for node in fields_of(selections):
            if node.name.value not in CONNECTIONS:
                walk(node.selection_set, parents)
                continue
            cost.requests += parents
            size = _page_size(node, variables)
            inner = {one.name.value for one in fields_of(node.selection_set)}
            if size is None and inner & {"nodes", "edges"}:
                cost.problems.append(_unbounded(node.name.value))
            elif size is not None and not 1 <= size <= MOST_A_PAGE:
                cost.problems.append(_excessive(node.name.value, size))
            cost.nodes += parents * (size or 0)
            walk(node.selection_set, parents * (size or 1))

    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            cost.mutates = cost.mutates or definition.operation.value == "mutation"
            cost.roots += sum(1 for _ in fields_of(definition.selection_set))
            walk(definition.selection_set, 1)
    if cost.nodes > MOST_NODES:
        message = (
            f"This query requests up to {cost.nodes:,} possible nodes which exceeds the maximum "
            f"limit of {MOST_NODES:,}."
        )
        cost.problems.append(("MAX_NODE_LIMIT_EXCEEDED", message))
    return cost


def _page_size(node: FieldNode, variables: Mapping[str, Any]) -> int | None:
    for argument in node.arguments or ():
        if argument.name.value not in ("first", "last"):
            continue
        if isinstance(argument.value, IntValueNode):
            return int(argument.value.value)
        if isinstance(argument.value, VariableNode):
            value = variables.get(argument.value.name.value)
            return value if isinstance(value, int) else None
    return None


def _unbounded(name: str) -> tuple[str, str]:
    must = "You must provide a `first` or `last` value to properly paginate"
    return "MISSING_PAGINATION_BOUNDARIES", f"{must} the `{name}` connection."


def _excessive(name: str, size: int) -> tuple[str, str]:
    asked = f"Requesting {size} records on the `{name}` connection"
    return "EXCESSIVE_PAGINATION", f"{asked} exceeds the `first` limit of {MOST_A_PAGE} records."
