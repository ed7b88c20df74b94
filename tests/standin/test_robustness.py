"""Whatever comes in, an answer goes out: the stand-in must not be what breaks under a fuzzer."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.standin.accounts import SERVICE_TOKEN
from tests.standin.client import Client
from tests.standin.github import GitHub
from tests.standin.message import Request
from tests.standin.shapes.site import Site
from tests.standin.world import Size

PREFIXES = (
    "/repos/initech/website", "/repos/initech/website/topics", "/repos/initech/website/issues",
    "/repos/initech/website/releases", "/orgs/initech/repos", "/graphql", "/user/repos",
    "/", "/repos/pallets/", "/repos/pallets/flask/", "/repositories/", "/organizations/", "/user/",
    "/repos/pallets/flask/contents/", "/repos/pallets/flask/issues/", "/app/installations/",
    "/repos/initech/empty/", "/search/repositories?q=", "/organizations?since=", "/orgs/psf/repos?",
)  # fmt: skip
BODIES = (
    b"{}", b"[]", b'{"name":1}', b'{"names":1}', b'{"names":[1]}', b'{"title":{}}', b'{"query":1}',
    b'{"query":"{viewer{id}}","variables":[1]}', b'{"query":"{viewer{id}}","operationName":1}',
    b'{"tag_name":[]}', b'{"archived":"x"}', b'{"name":"x/y"}',
)  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW")


@pytest.fixture(scope="module")
def unlimited() -> GitHub:
    github = GitHub(Size(), Site("http://127.0.0.1:1"))
    github.limits.numbers = github.limits.numbers.changed({"primary": False, "secondary": False})
    return github


@given(
    method=st.sampled_from(METHODS),
    prefix=st.sampled_from(PREFIXES),
    rest=st.one_of(st.just(""), st.text(max_size=60)),
    raw=st.booleans(),
    body=st.one_of(st.binary(max_size=40), st.sampled_from(BODIES)),
)
@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_target_is_answered(
    unlimited: GitHub, method: str, prefix: str, rest: str, raw: bool, body: bytes
) -> None:
    target = prefix + (rest.encode("utf-8", "replace").decode("latin-1") if raw else quote(rest))
    secret = SERVICE_TOKEN if len(rest) % 4 else "x"
    headers = {"user-agent": "x", "authorization": f"token {secret}"}

    for sent in ({"user-agent": "x"}, headers):
        reply = unlimited.handle(Request(method, target, sent, body, "127.0.0.1"))
        assert 200 <= reply.status < 600


@pytest.mark.parametrize(
    "path",
    [
        "/repositories/" + "9" * 5_000,
        "/repositories/²",
        "/organizations?since=x&per_page=-3",
        "/orgs/pallets/repos?page=-1&per_page=x",
        "/orgs/pallets/repos?page=99999999999999999999",
        "/repos/pallets/flask/tarball/a%0d%0aSet-Cookie:%20x",
    ],
)
def test_odd_numbers_and_names_are_no_server_error(client: Client, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code < 500
    assert "Set-Cookie" not in answer.headers
