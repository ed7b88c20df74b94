"""githubkit's models, generated from GitHub's own OpenAPI description, judge every resource."""

from __future__ import annotations

from typing import Any

import githubkit_schemas.latest.models as models
import pytest
from pydantic import TypeAdapter

from tests.standin.client import Client

FLASK = "/repos/pallets/flask"
# path -> the type that GitHub's description gives its 200
SHAPES: list[tuple[str, Any]] = [
    ("/", models.Root),
    ("/meta", models.ApiOverview),
    ("/rate_limit", models.RateLimitOverview),
    ("/user", models.PrivateUser),
    ("/users/mitsuhiko", models.PublicUser),
    ("/users/alice", models.PublicUser),
    ("/users/pallets", models.PublicUser),
    ("/orgs/pallets", models.OrganizationFull),
    ("/orgs/initech", models.OrganizationFull),
    ("/organizations", list[models.OrganizationSimple]),
    ("/user/orgs", list[models.OrganizationSimple]),
    ("/users/alice/orgs", list[models.OrganizationSimple]),
    ("/user/repos", list[models.Repository]),
    ("/orgs/pallets/repos?per_page=100", list[models.MinimalRepository]),
    ("/orgs/initech/repos", list[models.MinimalRepository]),
    ("/users/mitsuhiko/repos", list[models.MinimalRepository]),
    ("/organizations/16748505/repos", list[models.MinimalRepository]),
    ("/orgs/initech/members", list[models.SimpleUser]),
    ("/orgs/pallets/events", list[models.Event]),
    (FLASK, models.FullRepository),
    ("/repos/initech/flask", models.FullRepository),
    ("/repos/initech/payroll", models.FullRepository),
    ("/repos/mitsuhiko/insta", models.FullRepository),
    ("/repositories/596892", models.FullRepository),
    (f"{FLASK}/languages", models.Language),
    (f"{FLASK}/topics", models.Topic),
    (f"{FLASK}/contributors", list[models.Contributor]),
    (f"{FLASK}/tags", list[models.Tag]),
    (f"{FLASK}/branches", list[models.ShortBranch]),
    (f"{FLASK}/releases", list[models.Release]),
    (f"{FLASK}/releases/latest", models.Release),
    (f"{FLASK}/license", models.LicenseContent),
    (f"{FLASK}/readme", models.ContentFile),
    (f"{FLASK}/issues", list[models.Issue]),
    (f"{FLASK}/pulls", list[models.PullRequestSimple]),
    (f"{FLASK}/commits", list[models.Commit]),
    (f"{FLASK}/events", list[models.Event]),
    (f"{FLASK}/contents/README.md", models.ContentFile),
    (f"{FLASK}/contents", list[models.ContentDirectoryItems]),
    (f"{FLASK}/git/trees/main", models.GitTree),
    ("/search/repositories?q=flask", models.SearchRepositoriesGetResponse200),
]


@pytest.mark.parametrize(("path", "shape"), SHAPES, ids=[path for path, _ in SHAPES])
def test_a_resource_has_githubs_shape(client: Client, path: str, shape: Any) -> None:
    answer = client.get(path)

    assert answer.status_code == 200, answer.text
    TypeAdapter(shape).validate_python(answer.json())
