"""Every page: closed to strangers, there with stores or without, hostile data shown as text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from flask import url_for

from script.embedded import Postgres, Valkey
from tests.serving import ADMIN_PASSWORD, Forewarm, ForewarmFactory
from tests.standin.process import StandIn
from tests.webapp.lasting import Applications, lasting_applications
from webapp.views.dashboard.frame import PAGES, SAID

NOWHERE_REDIS = {"REDIS_URL": "redis://127.0.0.1:1", "BROKER_URL": "redis://127.0.0.1:1/1"}
NOWHERE_POSTGRES = {"DATABASE_URL": "postgresql://127.0.0.1:1/forewarm"}
PATHS = tuple(
    "/" if page.endpoint == "dashboard.overview" else f"/{page.endpoint.rpartition('.')[2]}"
    for page in PAGES
)
LIVE = tuple(path for path in PATHS if path not in {"/connect", "/repos"})
HOSTILE = "<script>alert(1)</script>\u202e\U0001f642\"'&" + "x" * 9_000


@pytest.fixture(scope="module")
def applications(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    with lasting_applications(valkey, postgres, standin, "pages") as made:
        yield made


@pytest.fixture
def start_forewarm(applications: Applications, standin: StandIn) -> ForewarmFactory:
    applications.empty(standin)
    return applications


def html(forewarm: Forewarm, path: str) -> str:
    response = forewarm.request("GET", path, Accept="text/html")
    assert response.status_code == 200, path
    return response.get_data(as_text=True)


def test_the_navigation_names_every_page_once(forewarm: Forewarm) -> None:
    with forewarm.app.test_request_context(base_url="http://127.0.0.1:8000"):
        urls = [url_for(page.endpoint) for page in PAGES]
    shown = re.findall(r'<li><a href="([^"]+)"', html(forewarm, "/connect"))
    assert shown == urls == list(PATHS)


def test_every_page_comes_and_says_which_it_is(forewarm: Forewarm) -> None:
    for path in PATHS:
        page = html(forewarm, path)
        assert page.count('aria-current="page"') == 1, path
        assert page.count("<h1>") == 1, path


@pytest.mark.parametrize(
    "away", [NOWHERE_REDIS, NOWHERE_POSTGRES, {**NOWHERE_REDIS, **NOWHERE_POSTGRES}]
)
def test_a_page_comes_or_says_what_is_away(
    start_forewarm: ForewarmFactory, away: dict[str, str]
) -> None:
    forewarm = start_forewarm(**away)
    for path in (*PATHS, "/repos/pallets/flask"):
        response = forewarm.request("GET", path, Accept="text/html")
        assert response.status_code in {200, 503}, path
        assert response.mimetype == "text/html", (path, response.text[:300])


def test_the_overview_comes_whatever_is_away(start_forewarm: ForewarmFactory) -> None:
    page = html(start_forewarm(**NOWHERE_REDIS, **NOWHERE_POSTGRES), "/")
    assert "Redis can’t be reached" in page
    assert "PostgreSQL can’t be reached" in page


def test_a_page_is_small(forewarm: Forewarm) -> None:
    assert [path for path in PATHS if len(html(forewarm, path).encode()) > 100_000] == []


# The live part


def test_the_live_part_is_the_same_to_whoever_has_it(forewarm: Forewarm) -> None:
    for path in LIVE:
        first = forewarm.request("GET", f"{path}?live=1&period=7d")
        again = forewarm.request(
            "GET", f"{path}?live=1&period=7d", If_None_Match=first.headers["ETag"]
        )
        assert first.status_code == 200
        assert again.status_code in {200, 304}, path
        assert "<html" not in first.get_data(as_text=True)
    assert again.status_code == 304


def test_every_live_section_has_an_id_to_be_put_in_place_by(forewarm: Forewarm) -> None:
    for path in LIVE:
        part = forewarm.request("GET", f"{path}?live=1").get_data(as_text=True)
        assert [each for each in top_level(part) if "id" not in each] == [], path


class _Top(HTMLParser):
    """The attributes of the elements that lie in no other."""

    EMPTY = frozenset({"br", "input", "path", "rect", "circle", "polygon", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0
        self.found: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if not self.depth:
            self.found.append(dict(attrs))
        self.depth += tag not in self.EMPTY

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Closed at once."""

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag not in self.EMPTY


def top_level(part: str) -> list[dict[str, str | None]]:
    parser = _Top()
    parser.feed(part)
    assert parser.depth == 0
    return parser.found


def test_an_unknown_period_is_refused_by_its_name(forewarm: Forewarm) -> None:
    response = forewarm.request("GET", "/requests?period=2y", Accept="text/html")
    assert response.status_code == 400
    assert "period: one of 15m, 1h, 6h, 24h, 7d" in response.get_data(as_text=True)


# Who may


@pytest.fixture
def closed(start_forewarm: ForewarmFactory) -> Forewarm:
    return start_forewarm(ADMIN_PASSWORD=ADMIN_PASSWORD)


def test_every_page_is_closed_to_strangers(closed: Forewarm) -> None:
    for path in (*PATHS, "/design", "/repos/pallets/flask", f"/traces/{'0' * 32}"):
        assert closed.request("GET", path).status_code == 401, path


def test_behind_a_local_proxy_every_page_is_closed(forewarm: Forewarm) -> None:
    for path in PATHS:
        response = forewarm.request("GET", path, X_Forwarded_For="203.0.113.9")
        assert response.status_code == 401, path


FORMS = ("/theme", "/cache/purge", "/jobs", "/warming", "/webhooks", "/alerts")


def test_a_form_without_its_token_changes_nothing(forewarm: Forewarm) -> None:
    for path in FORMS:
        assert forewarm.request("POST", path).status_code == 403, path


def test_a_form_from_another_origin_changes_nothing(forewarm: Forewarm) -> None:
    token = csrf_token(forewarm)
    for path in FORMS:
        response = forewarm.request("POST", path, Origin="https://evil.example", X_CSRF_Token=token)
        assert response.status_code == 403, path


def csrf_token(forewarm: Forewarm) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', html(forewarm, "/connect"))
    assert found
    return found[1]


# Hostile data


def test_hostile_data_is_shown_as_text(forewarm: Forewarm, github: StandIn) -> None:
    github.change_repo("pallets/flask", description=HOSTILE)
    forewarm.get("/repos/pallets/flask")
    forewarm.services.harvest.flush()
    forewarm.services.audit.note("someone", "purged", HOSTILE)
    for path in ("/repos?q=flask", "/repos/pallets/flask"):
        page = html(forewarm, path)
        assert "&lt;script&gt;alert(1)" in page
        assert "<script>alert" not in page
    page = html(forewarm, f"/cache?path=/repos/{HOSTILE[:200]}")
    assert "<script>alert" not in page


def test_what_a_form_says_is_one_of_ours(forewarm: Forewarm) -> None:
    assert "<b>" not in html(forewarm, "/connect?said=<b>owned</b>")
    for state, text in SAID.values():
        assert state in {"ok", "warn", "fail"}
        assert text.endswith(".")


@pytest.mark.parametrize(
    ("back", "leads"),
    [
        ("/jobs?period=6h", "/jobs?period=6h"),
        ("//evil.example/", "/"),
        ("https://evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("", "/"),
    ],
)
def test_the_theme_leads_back_to_a_page_of_ours(forewarm: Forewarm, back: str, leads: str) -> None:
    client = forewarm.app.test_client()
    response = client.post(
        "/theme",
        data={"theme": "dark", "back": back, "csrf_token": csrf_token(forewarm)},
        base_url="http://127.0.0.1:8000",
    )
    assert response.status_code == 303
    assert response.headers["Location"] == leads
    assert "theme=dark" in response.headers["Set-Cookie"]
