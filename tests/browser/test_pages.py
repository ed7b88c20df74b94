"""Every page in a real Chromium, with traffic: quiet, self-contained, accessible, light and dark,
wide and narrow; current without a reload, and whole without a script.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, expect

from script.embedded import Postgres, Valkey
from tests.browser.chromium import visit
from tests.serving import Server, serve
from tests.standin.process import StandIn
from tests.webapp.lasting import lasting_environ
from tests.workers.processes import wait_for
from webapp.views.dashboard.frame import PAGES

PATHS = (
    *(
        "/" if page.endpoint == "dashboard.overview" else f"/{page.endpoint.rpartition('.')[2]}"
        for page in PAGES
    ),
    "/cache?path=/repos/pallets/flask",
    "/database?query=catalog_lookup",
    "/repos/pallets/flask",
    "/design",
)
SIZES = ((1360, 900, "light"), (390, 844, "dark"))


@pytest.fixture(scope="module")
def dashboard(
    valkey: Valkey,
    postgres: Postgres,
    standin: StandIn,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """A server of its own that has answered: hits, misses, a 404, a webhook's refusal."""
    log: Path = tmp_path_factory.mktemp("dashboard") / "server.log"
    with lasting_environ(valkey, postgres, standin, "dashboard") as environ:
        settings = {
            **environ,
            "ANONYMOUS_SCOPE": "service",
            "DEMO": "on",
            "WATCH": "pallets",
            "GITHUB_WEBHOOK_SECRET": "a secret of the tests",
        }
        with serve(settings, log) as server:
            for _ in range(3):
                for path in ("/repos/pallets/flask", "/orgs/pallets/repos", "/repos/no/such"):
                    requests.get(server.api + path, timeout=10)
            requests.post(f"{server.url}/webhooks/github", json={}, timeout=10)
            assert_counted(server)
            yield server


def assert_counted(server: Server) -> None:
    """The recorder hands on every five seconds."""
    wait_for(
        lambda: requests.get(f"{server.url}/api/requests", timeout=10).json()["count"] >= 9,
        "nine answers counted",
    )


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[2]}-{size[0]}")
def context(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    width, height, scheme = request.param
    # The rules' own script is no part of a page, and its policy would refuse it.
    made = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": height}, bypass_csp=True
    )
    yield made
    made.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    made = browser.new_context()
    yield made.new_page()
    made.close()


def test_no_page_breaks_a_rule_of_accessibility(context: BrowserContext, dashboard: Server) -> None:
    broken: list[Any] = []
    page = context.new_page()
    for path in PATHS:
        page.goto(dashboard.url + path)
        broken += [
            (path, each["id"], each["nodes"][0]["html"][:120])
            for each in Axe().run(page).response["violations"]
        ]
    assert broken == []


@pytest.mark.parametrize("width", [320, 390, 768, 1360, 2200])
def test_a_page_fits_the_width_of_a_screen(browser: Browser, dashboard: Server, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = context.new_page()
    wide = []
    for path in PATHS:
        page.goto(dashboard.url + path)
        if page.evaluate("document.documentElement.scrollWidth") > width:
            wide.append(path)
    context.close()
    assert wide == []


@pytest.mark.parametrize("path", PATHS)
def test_the_console_stays_empty_and_the_policy_is_kept(
    browser: Browser, dashboard: Server, path: str
) -> None:
    context = browser.new_context()
    seen = visit(context, dashboard.url + path)
    assert (seen.said, seen.violations) == ([], [])
    assert [url for url in seen.asked if not url.startswith(f"{dashboard.url}/")] == []
    context.close()


def test_a_page_keeps_itself_current_without_a_reload(page: Page, dashboard: Server) -> None:
    page.clock.install()
    page.goto(f"{dashboard.url}/cache")
    page.evaluate("window.same = true")
    before = page.locator("#tiles").inner_text()
    requests.post(f"{dashboard.url}/api/purge", json={"tags": ["repo:psf/requests"]}, timeout=10)
    wait_for_purge(dashboard)
    page.clock.fast_forward(6_000)
    expect(page.locator("#tiles")).not_to_have_text(before)
    expect(page.locator("#shelves-and-purges")).to_contain_text("operator")
    assert page.evaluate("window.same")


def wait_for_purge(server: Server) -> None:
    def told() -> bool:
        purges = requests.get(f"{server.url}/api/cache", timeout=10).json()["purges"]
        return any(each["cause"] == "operator" for each in purges)

    wait_for(told, "the purge counted")


def test_a_page_says_when_it_is_no_longer_current(page: Page, dashboard: Server) -> None:
    page.clock.install()
    page.goto(f"{dashboard.url}/jobs")
    page.route("**/*live=1*", lambda route: route.abort())
    page.clock.fast_forward(6_000)
    expect(page.locator("[data-as-of]")).to_contain_text("not updated")


def test_an_open_table_stays_open_when_its_section_is_renewed(
    page: Page, dashboard: Server
) -> None:
    page.clock.install()
    page.goto(f"{dashboard.url}/requests")
    page.locator("#chart-latency summary").click()
    page.evaluate("document.activeElement.blur()")
    page.evaluate("document.querySelector('#charts').dataset.old = 'yes'")
    page.mouse.move(0, 0)
    page.clock.fast_forward(6_000)
    expect(page.locator("#charts[data-old]")).to_have_count(0)
    expect(page.locator("#chart-latency details")).to_have_attribute("open", "")


def test_the_theme_is_kept(page: Page, dashboard: Server) -> None:
    page.goto(f"{dashboard.url}/jobs?period=6h")
    page.get_by_label("Light or dark").select_option("dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.url.startswith(f"{dashboard.url}/jobs?period=6h")
    page.goto(f"{dashboard.url}/")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_everything_works_without_a_script(browser: Browser, dashboard: Server) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{dashboard.url}/")
    page.get_by_role("link", name="6h").click()
    assert page.url.endswith("period=6h")
    page.get_by_role("link", name="Cache", exact=True).click()
    page.get_by_label("Tags or paths").fill("repo:pallets/flask")
    page.get_by_role("button", name="Purge").click()
    expect(page.get_by_role("status")).to_contain_text("Purged.")
    page.get_by_label("GitHub path").fill("/repos/pallets/flask")
    page.get_by_role("button", name="Look").click()
    expect(page.locator(".facts")).to_contain_text("repo:pallets/flask")
    context.close()


def test_the_keyboard_reaches_every_form(page: Page, dashboard: Server) -> None:
    for path in PATHS:
        page.goto(dashboard.url + path)
        fields = page.locator(
            "main :is(input, select, button, textarea):not([type=hidden]):visible"
        ).count()
        reached: set[str] = set()
        for _ in range(400):
            page.keyboard.press("Tab")
            at = page.evaluate(
                "(() => { const e = document.activeElement;"
                " if (!e.closest('main')) return e.tagName == 'BODY' ? 'end' : '';"
                " return e.matches('input, select, button, textarea')"
                " ? String([...document.querySelectorAll('*')].indexOf(e)) : ''; })()"
            )
            if at == "end":
                break
            reached.add(at)
        assert len(reached - {""}) == fields, path


def test_a_purge_asks_first(page: Page, dashboard: Server) -> None:
    asked: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.goto(f"{dashboard.url}/cache")
    page.get_by_label("Tags or paths").fill("all")
    page.get_by_role("button", name="Purge").click()
    assert asked == ["Purge this now?"]
    assert "said=" not in page.url
