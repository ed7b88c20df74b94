"""docs/api.md against the API's own description: every route, parameter and field is there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.docs.conftest import Reader
from tests.docs.documents import ROOT
from tests.serving import API_KEY

TEXT = (ROOT / "docs/api.md").read_text(encoding="utf-8")
PROSE = re.sub(r"^```.*?^```", "", TEXT, flags=re.DOTALL | re.MULTILINE)
QUOTED = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", PROSE))))
METHODS = ("GET", "POST", "DELETE", "PUT", "PATCH")


@pytest.fixture(scope="module")
def description(reader: Reader) -> dict[str, Any]:
    """openapi.json."""
    answer = requests.get(
        f"{reader.server.url}/api/openapi.json",
        headers={"Authorization": f"Bearer {API_KEY}"},
        timeout=10,
    )
    described: dict[str, Any] = answer.json()
    return described


def operations(description: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def test_every_route_is_documented_and_none_besides(description: dict[str, Any]) -> None:
    there = {f"{method} {path}" for method, path, _ in operations(description)}
    table = TEXT.partition("\n## ")[0]
    said = re.findall(rf"`((?:{'|'.join(METHODS)}) /api/[^`]+)`", table)
    assert set(said) == there


def test_every_parameter_is_documented(description: dict[str, Any]) -> None:
    there = {
        each["name"]
        for _, path, operation in operations(description)
        for each in operation.get("parameters", [])
        if each["in"] == "query"
    }
    assert there - QUOTED == set()


def test_every_field_is_documented(description: dict[str, Any]) -> None:
    schemas = description["components"]["schemas"]
    there = {field for schema in schemas.values() for field in schema.get("properties", {})}
    assert there - QUOTED == set()
