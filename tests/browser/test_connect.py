"""Connect in a real Chromium: quiet, self-contained, readable, wide or narrow, with keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext

from tests.browser.chromium import visit
from tests.serving import Server

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")

# WCAG 2.2, 1.4.3: the contrast of each text to what is behind it; those below 4.5 are returned.
TOO_FAINT = """() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => v / 255)
      .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const texts = [...document.body.querySelectorAll("*")].filter((element) =>
    [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  return texts.map((element) => {
    const [a, b] = [parse(getComputedStyle(element).color), behind(element)].map(luminance);
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), element.textContent.trim()];
  }).filter(([contrast]) => contrast < 4.5);
}"""


@pytest.fixture(params=SCHEMES)
def context(browser: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """A light one and a dark one."""
    context = browser.new_context(color_scheme=request.param)
    yield context
    context.close()


def test_the_console_stays_empty_and_the_policy_is_kept(
    context: BrowserContext, server: Server
) -> None:
    seen = visit(context, f"{server.url}/connect")
    assert (seen.said, seen.violations) == ([], [])


def test_it_asks_nobody_but_its_own_server(context: BrowserContext, server: Server) -> None:
    asked = visit(context, f"{server.url}/connect").asked
    assert any(url.endswith(".css") for url in asked)
    assert [url for url in asked if not url.startswith(f"{server.url}/")] == []


def test_every_text_stands_out_from_what_is_behind_it(
    context: BrowserContext, server: Server
) -> None:
    assert visit(context, f"{server.url}/connect").page.evaluate(TOO_FAINT) == []


def test_light_and_dark_follow_the_system(browser: Browser, server: Server) -> None:
    grounds = []
    for scheme in SCHEMES:
        context = browser.new_context(color_scheme=scheme)
        page = visit(context, f"{server.url}/connect").page
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        context.close()
    assert grounds[0] != grounds[1]


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_it_fits_the_width_of_a_screen(browser: Browser, server: Server, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800})
    page = visit(context, f"{server.url}/connect").page
    assert page.evaluate("document.documentElement.scrollWidth") == width
    context.close()


def test_the_first_tab_skips_to_the_content(context: BrowserContext, server: Server) -> None:
    page = visit(context, f"{server.url}/connect").page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")


def test_an_example_is_selected_whole_by_one_click(context: BrowserContext, server: Server) -> None:
    page = visit(context, f"{server.url}/connect").page
    page.locator("pre code").first.click()
    selected = page.evaluate("getSelection().toString()")
    assert selected == f"curl -i {server.api}/orgs/pallets/repos"


def test_each_state_has_a_word_beside_its_icon(context: BrowserContext, server: Server) -> None:
    page = visit(context, f"{server.url}/connect").page
    states = page.locator(".parts .state")
    assert [text.strip() for text in states.all_inner_texts()].count("") == 0
    assert page.locator(".parts .state svg[aria-hidden=true]").count() == states.count() == 5


def test_no_link_leads_nowhere(context: BrowserContext, server: Server) -> None:
    page = visit(context, f"{server.url}/connect").page
    links = page.eval_on_selector_all("a[href]", "links => links.map((link) => link.href)")
    assert len(links) >= 4
    assert [url for url in links if requests.get(url, timeout=5).status_code != 200] == []
