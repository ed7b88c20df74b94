"""One name for a request, in metrics and traces: of patterns, never of paths."""

from __future__ import annotations

import pytest

from webapp.telemetry.routes import mirrored, route


@pytest.mark.parametrize(
    ("method", "path", "rule", "called"),
    [
        ("GET", "/api/v3/repos/Pallets/flask", "/api/v3/x", "GET /api/v3/repos/{owner}/{repo}"),
        ("POST", "/api/v3/orgs/a/repos", None, "POST /api/v3/orgs/{owner}/repos"),
        ("POST", "/api/graphql", "/api/graphql", "POST /api/graphql"),
        ("GET", "/api/repos/a/b", "/api/repos/<owner>/<name>", "GET /api/repos/<owner>/<name>"),
        ("BREW", "/pot", "/pot", "OTHER /pot"),
        ("GET", "/nowhere", None, "unmatched"),
    ],
)
def test_a_request_is_called_by_its_pattern(
    method: str, path: str, rule: str | None, called: str
) -> None:
    assert route(method, path, rule) == called


@pytest.mark.parametrize("path", ["/api/v30/repos", "/apiv3", "/"])
def test_what_only_looks_like_the_mirror_is_none_of_its(path: str) -> None:
    assert mirrored(path) is None
