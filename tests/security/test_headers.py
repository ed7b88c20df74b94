"""What browsers are told of each answer: every route of the table, whoever asks."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from werkzeug.wrappers import Response

from script.embedded import Postgres, Valkey
from tests.serving import ADMIN_PASSWORD, Forewarm
from tests.standin.process import StandIn
from tests.webapp.lasting import lasting_applications
from webapp.views.security_headers import DASHBOARD_POLICY, ELSEWHERE, PAGE, transport

DETAIL = "/api/v3/repos/pallets/flask"


@pytest.fixture(scope="module")
def forewarm(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Forewarm]:
    """One that asks for a password, under a name of its own."""
    with lasting_applications(valkey, postgres, standin, "headers") as applications:
        yield applications(ADMIN_PASSWORD=ADMIN_PASSWORD)


def routes(forewarm: Forewarm) -> list[str]:
    rules = forewarm.app.url_map.iter_rules()
    paths = {re.sub(r"<(?:int:)?[^>]+>", "1", rule.rule) for rule in rules}
    return sorted(paths | {"/static/css/forewarm.css", "/nope", "/api/nope", DETAIL})


def answers(forewarm: Forewarm) -> Iterator[tuple[str, Response]]:
    for path in routes(forewarm):
        for accept in ("text/html", "*/*"):
            for token in ("", ADMIN_PASSWORD):
                mirrored = path.startswith("/api/v3")
                who = "" if mirrored else token
                with forewarm.request("GET", path, who, Accept=accept) as answer:
                    yield path, answer


def test_every_route_leaves_with_its_headers(forewarm: Forewarm) -> None:
    seen = set()
    for path, answer in answers(forewarm):
        headers = answer.headers
        seen.add(answer.status_code)
        assert headers["X-Content-Type-Options"] == "nosniff", path
        if answer.mimetype == "text/html":
            policy = headers["Content-Security-Policy"]
            assert policy in {PAGE["Content-Security-Policy"], DASHBOARD_POLICY}, path
            wanted = {**PAGE, "Content-Security-Policy": policy}
        elif path.startswith(("/api/v3", "/api/graphql")):
            wanted = {}
        else:
            wanted = dict(ELSEWHERE)
        assert {name: headers.get(name) for name in wanted} == wanted, path
    assert seen >= {200, 401, 404}


def test_what_is_private_is_kept_by_nobody_else(forewarm: Forewarm) -> None:
    for path, answer in answers(forewarm):
        kept = answer.headers["Cache-Control"]
        if path.startswith("/static/"):
            continue
        assert "no-store" in kept or "private" in kept, (path, kept)


def test_a_hit_before_flask_says_nosniff_too(forewarm: Forewarm) -> None:
    first, second = (forewarm.request("GET", DETAIL) for _ in range(2))
    assert (first.status_code, second.headers["X-Cache"]) == (200, "HIT")
    assert second.headers["X-Content-Type-Options"] == "nosniff"
    assert len(second.headers.getlist("X-Content-Type-Options")) == 1


def test_a_page_of_githubs_runs_nothing_in_our_origin(forewarm: Forewarm, standin: StandIn) -> None:
    standin.fault("html", path="/repos/pallets/flask/readme", status=200)
    answer = forewarm.request("GET", f"{DETAIL}/readme")
    assert answer.mimetype == "text/html"
    assert answer.headers["Content-Security-Policy"] == PAGE["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("public_url", "promised"),
    [
        ("https://forewarm.example", True),
        ("https://forewarm.example:443", True),
        ("https://tools.example:8443", False),  # browsers heed it for all of the name's ports
        ("http://forewarm.example", False),
        ("", False),
    ],
)
def test_https_is_promised_where_the_whole_name_is_ours(public_url: str, promised: bool) -> None:
    assert bool(transport(public_url)) is promised
