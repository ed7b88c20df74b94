"""Connect: what it tells, what it never shows, and what its headers forbid."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from tests.serving import API_KEY, SECRET_KEY, Forewarm, ForewarmFactory
from tests.standin.accounts import PUBLIC_TOKEN, SERVICE_TOKEN
from tests.standin.process import StandIn
from webapp.jobs import SCHEDULER_HEARTBEAT, WORKER_HEARTBEAT, client
from webapp.views.dashboard.connect import Part, period_text, verdict
from webapp.views.security_headers import DASHBOARD_POLICY, PAGE

NOWHERE = {"REDIS_URL": "redis://127.0.0.1:1", "DATABASE_URL": "postgresql://127.0.0.1:1/forewarm"}


def page(forewarm: Forewarm) -> str:
    response = forewarm.request("GET", "/connect")
    assert response.status_code == 200
    return response.get_data(as_text=True)


class Elements(HTMLParser):
    """Every tag with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_it_gives_the_base_url_for_clients(forewarm: Forewarm) -> None:
    assert '<p class="url"><code>http://127.0.0.1:8000/api/v3</code></p>' in page(forewarm)


def test_the_base_url_is_the_public_one_where_it_is_set(start_forewarm: ForewarmFactory) -> None:
    forewarm = start_forewarm(PUBLIC_URL="https://forewarm.example.com")
    assert "<code>https://forewarm.example.com/api/v3</code>" in page(forewarm)


def test_it_names_the_api_keys_and_shows_none(start_forewarm: ForewarmFactory) -> None:
    html = page(start_forewarm(API_KEYS=f"robots:{API_KEY},{API_KEY}-bare"))
    assert '<span class="tag">robots</span>' in html
    assert '<span class="tag">key-' in html
    assert "fwk_" not in html


def test_it_shows_no_secret(start_forewarm: ForewarmFactory) -> None:
    forewarm = start_forewarm(GITHUB_PUBLIC_TOKEN=PUBLIC_TOKEN, GITHUB_WEBHOOK_SECRET="whsecret")
    settings = forewarm.settings
    urls = (settings.redis_url.reveal(), settings.database_url.reveal())
    secrets = (SERVICE_TOKEN, PUBLIC_TOKEN, "whsecret", SECRET_KEY, API_KEY, *urls)
    html = page(forewarm)
    assert [secret for secret in secrets if secret in html] == []


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ("service", "They see what the service’s credentials see"),
        ("public", "They see what is public"),
        ("none", "They are refused with 401"),
    ],
)
def test_it_explains_what_anonymous_callers_see(
    start_forewarm: ForewarmFactory, scope: str, words: str
) -> None:
    assert words in page(start_forewarm(ANONYMOUS_SCOPE=scope))


@pytest.mark.parametrize(("scope", "shown"), [("service", False), ("public", True)])
def test_examples_show_a_key_only_where_it_opens_more(
    start_forewarm: ForewarmFactory, scope: str, shown: bool
) -> None:
    assert ("FOREWARM_KEY" in page(start_forewarm(ANONYMOUS_SCOPE=scope))) is shown


@pytest.mark.parametrize(("demo", "shown"), [("on", True), ("off", False)])
def test_a_demo_is_called_one(start_forewarm: ForewarmFactory, demo: str, shown: bool) -> None:
    assert ("made-up data" in page(start_forewarm(DEMO=demo))) is shown


def test_watched_names_are_listed_and_used_in_examples(start_forewarm: ForewarmFactory) -> None:
    html = page(start_forewarm(WATCH="psf/requests, redis"))
    assert '<span class="tag">psf/requests</span> <span class="tag">redis</span>' in html
    assert "/api/v3/orgs/psf/repos</code>" in html


def test_periods_are_those_that_are_set(start_forewarm: ForewarmFactory) -> None:
    html = page(start_forewarm(CACHE_FRESH_REPO="90m", CACHE_GRACE="2d"))
    assert "<td>90 min</td>" in html
    assert "in grace for 2 days" in html


def test_a_part_that_is_down_does_not_take_the_page_with_it(
    start_forewarm: ForewarmFactory,
) -> None:
    html = page(start_forewarm(**NOWHERE))
    assert "Serving, not in full" in html
    assert "Out of reach: Redis and PostgreSQL." in html


def test_processes_that_show_themselves_are_running(forewarm: Forewarm) -> None:
    assert "Not seen in the last three minutes: worker and scheduler." in page(forewarm)
    with client(forewarm.settings.broker_url, timeout=1, connections=1) as broker:
        broker.mset({WORKER_HEARTBEAT: "1700000000", SCHEDULER_HEARTBEAT: "1700000000"})
    assert "Serving in full" in page(forewarm)


def test_html_leaves_with_its_headers(forewarm: Forewarm) -> None:
    headers = forewarm.request("GET", "/connect").headers
    assert {name: headers.get(name) for name in PAGE} == {
        **PAGE,
        "Content-Security-Policy": DASHBOARD_POLICY,
    }
    assert headers["Cache-Control"] == "no-store"


def test_html_of_githubs_own_runs_no_script_here(forewarm: Forewarm, github: StandIn) -> None:
    github.fault("html", path="/repos/pallets/flask/readme", status=200)
    response = forewarm.get("/repos/pallets/flask/readme")
    assert response.mimetype == "text/html"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none';")
    assert "script-src" not in response.headers["Content-Security-Policy"]


def test_the_mirrors_json_is_left_as_githubs(forewarm: Forewarm) -> None:
    headers = forewarm.get("/repos/pallets/flask").headers
    assert [name for name in PAGE if name in headers] == []


def test_nothing_is_inline_and_nothing_comes_from_elsewhere(
    start_forewarm: ForewarmFactory,
) -> None:
    elements = Elements(page(start_forewarm(DEMO="on"))).found
    fetched = [
        attributes.get("href") or attributes.get("src") or ""
        for tag, attributes in elements
        if tag in {"link", "img", "script"}
    ]
    assert fetched
    assert all(url.startswith("/static/") for url in fetched)
    assert [tag for tag, _ in elements if tag in {"style", "iframe", "object"}] == []
    inline = [name for _, attributes in elements for name in attributes if name.startswith("on")]
    assert inline == []
    assert [tag for tag, attributes in elements if "style" in attributes] == []


def test_a_page_is_open_to_the_administrator_alone(start_forewarm: ForewarmFactory) -> None:
    forewarm = start_forewarm(ADMIN_PASSWORD="for-tests-alone")
    assert forewarm.request("GET", "/").status_code == 401
    assert forewarm.request("GET", "/", token="for-tests-alone").status_code == 200


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (45, "45 s"),
        (60, "1 min"),
        (90, "90 s"),
        (5400, "90 min"),
        (10_800, "3 h"),
        (86_400, "1 day"),
        (604_800, "7 days"),
        (0.5, "0.5 s"),
    ],
)
def test_a_period_has_the_largest_unit_that_keeps_it_whole(seconds: float, text: str) -> None:
    assert period_text(seconds) == text


def test_nothing_to_serve_from_is_said_first() -> None:
    parts = [Part(name, "fail", "down", "") for name in ("Redis", "PostgreSQL", "GitHub")]
    assert verdict(parts, "down").headline == "Nothing can be served"
