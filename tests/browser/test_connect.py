"""Connect in a real Chromium: what is only there. What holds on every page is in test_pages.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
import requests
from playwright.sync_api import Browser, Page

from script.embedded import Postgres, Valkey
from tests.browser.chromium import visit
from tests.serving import Server, serve
from tests.standin.process import StandIn
from tests.webapp.lasting import lasting_environ

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


@pytest.fixture(scope="module")
def server(
    valkey: Valkey, postgres: Postgres, standin: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server of its own, shown to anonymous visitors."""
    log = tmp_path_factory.mktemp("connect") / "server.log"
    with (
        lasting_environ(valkey, postgres, standin, "connect") as environ,
        serve({**environ, "ANONYMOUS_SCOPE": "service"}, log) as running,
    ):
        yield running


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """Connect, opened."""
    context = browser.new_context()
    yield visit(context, f"{server.url}/connect").page
    context.close()


def test_light_and_dark_follow_the_system(browser: Browser, server: Server) -> None:
    grounds = []
    for scheme in SCHEMES:
        context = browser.new_context(color_scheme=scheme)
        page = visit(context, f"{server.url}/connect").page
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        context.close()
    assert grounds[0] != grounds[1]


def test_the_first_tab_skips_to_the_content(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.wait_for_url("**#main")


def test_an_example_is_selected_whole_by_one_click(page: Page, server: Server) -> None:
    page.locator("pre code").first.click()
    selected = page.evaluate("getSelection().toString()")
    assert selected == f"curl -i {server.api}/orgs/pallets/repos"


def test_each_state_has_a_word_beside_its_icon(page: Page) -> None:
    states = page.locator(".parts .state")
    assert [text.strip() for text in states.all_inner_texts()].count("") == 0
    assert page.locator(".parts .state svg[aria-hidden=true]").count() == states.count() == 5


def test_no_link_leads_nowhere(page: Page) -> None:
    links = page.eval_on_selector_all("a[href]", "links => links.map((link) => link.href)")
    assert len(links) >= 4
    assert [url for url in links if requests.get(url, timeout=5).status_code != 200] == []
