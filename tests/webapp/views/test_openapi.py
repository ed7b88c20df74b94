"""/api/openapi.json is true: every route is in it, it is OpenAPI 3.1, fuzzing finds nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok

from script.embedded import Postgres, Valkey
from tests.serving import ADMIN_PASSWORD, API_KEY, Forewarm
from tests.standin.process import StandIn
from tests.webapp.catalog.conftest import Api, emptied, filled_with_lists
from tests.webapp.lasting import Applications, lasting_applications
from webapp.views.guard import KEY_MAY_POST

NOT_OURS = ("/api/v3", "/api/graphql")
"""GitHub describes both."""


@pytest.fixture(scope="module")
def applications(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    with lasting_applications(valkey, postgres, standin, "openapi") as started:
        yield started


@pytest.fixture(scope="module")
def closed(applications: Applications, standin: StandIn) -> Forewarm:
    """One that asks for credentials."""
    filled_with_lists(Api(emptied(applications, standin)))
    return applications(ADMIN_PASSWORD=ADMIN_PASSWORD)


@pytest.fixture(scope="module")
def document(closed: Forewarm) -> dict[str, Any]:
    answer = closed.request("GET", "/api/openapi.json", API_KEY)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.get_json()
    return found


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method, path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


def test_every_route_of_the_api_is_described_and_no_other(
    closed: Forewarm, document: dict[str, Any]
) -> None:
    routes = {
        (method.lower(), re.sub(r"<(?:[^<:]+:)?([^>]+)>", r"{\1}", rule.rule))
        for rule in closed.app.url_map.iter_rules()
        if rule.rule.startswith("/api/") and not rule.rule.startswith(NOT_OURS)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert set(operations(document)) == routes


def test_it_says_what_it_is(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["title"] == "Forewarm"
    assert document["servers"] == [{"url": "http://127.0.0.1:8000"}]


def test_each_schema_is_one(document: dict[str, Any]) -> None:
    schemas = [*document["components"]["schemas"].values()]
    for operation in operations(document).values():
        schemas += [each["schema"] for each in operation.get("parameters", ())]
        contents = [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in contents:
            schemas += [each["schema"] for each in content.get("content", {}).values()]
    for schema in schemas:
        jsonschema_rs.meta.validate(
            {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
        )


def test_what_it_refers_to_is_there(document: dict[str, Any]) -> None:
    left: list[Any] = [document]
    while left:
        value = left.pop()
        if isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            left += value.values()
            if isinstance(reference := value.get("$ref"), str):
                found = document
                for part in reference.removeprefix("#/").split("/"):
                    found = found[part]


def test_each_operation_says_what_it_does_and_how_it_fails(document: dict[str, Any]) -> None:
    ids = [each["operationId"] for each in operations(document).values()]
    assert len(set(ids)) == len(ids)
    for where, operation in operations(document).items():
        assert operation["summary"], where
        assert any(status.startswith("2") for status in operation["responses"]), where
        for status in ("400", "401", "403", "404", "502", "503"):
            schema = operation["responses"][status]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Error"}, where


def test_who_may_is_what_the_guard_says(closed: Forewarm, document: dict[str, Any]) -> None:
    for (method, path), operation in operations(document).items():
        assert operation["security"] == [{"administrator": []}, {"bearer": []}]
        asked = re.sub(r"\{[^}]+\}", "1", path)
        bare = closed.request(method.upper(), asked, "", json={})
        assert bare.status_code == 401, path
        keyed = closed.request(method.upper(), asked, API_KEY, json={})
        may = method == "get" or path in KEY_MAY_POST
        assert (keyed.status_code == 403) is not may, path
        assert ("an API key may only read" in operation["description"]) is not may, path


def test_where_it_is_open_to_this_machine_it_says_so(applications: Applications) -> None:
    document = applications().request("GET", "/api/openapi.json").get_json()
    for operation in operations(document).values():
        assert {} in operation["security"]


def test_an_example_is_one_that_works(closed: Forewarm, document: dict[str, Any]) -> None:
    asked = operations(document)["post", "/api/repos/lookup"]["requestBody"]
    example = asked["content"]["application/json"]["example"]
    answer = closed.request("POST", "/api/repos/lookup", API_KEY, json=example)
    assert answer.status_code == 200
    assert [item["full_name"] for item in answer.get_json()["items"]] == example["names"]


# schemathesis's own use of `random`
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
def test_fuzzing_finds_nothing(closed: Forewarm, document: dict[str, Any]) -> None:
    """A few cases an operation, of what fits; schemathesis's command line makes thousands, of what
    doesn't too."""
    described = schemathesis.openapi.from_dict(document)
    described.app = closed.app
    headers = {"Authorization": f"Bearer {ADMIN_PASSWORD}"}
    for result in described.get_all_operations():
        assert isinstance(result, Ok)

        @given(case=result.ok().as_strategy())
        @settings(
            max_examples=3,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def run(case: Any) -> None:
            case.call_and_validate(headers=headers, base_url="http://127.0.0.1:8000")

        run()
