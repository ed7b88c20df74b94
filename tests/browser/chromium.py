"""A real Chromium, headless. Without one these tests are skipped, under CI they fail."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from script.all_tests import CHROMIUM

# Its own connections (updates, safe browsing, sync) are nobody's business in a test.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WATCH_POLICY = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.violations.push(event.violatedDirective + " " + event.blockedURI));
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for a module's tests; each opens a context of its own.

    No longer: Playwright keeps an event loop running in this thread, and others want theirs.
    """
    path = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if path is None:
        missing = "no Chromium here: install it (apt install chromium)"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page as it was opened, and all that the browser had to say or ask while it was."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    @property
    def violations(self) -> list[str]:
        """Of the content security policy."""
        found: list[str] = self.page.evaluate("window.violations")
        return found


def visit(context: BrowserContext, url: str) -> Visit:
    """Open a page, with all that it names."""
    page = context.new_page()
    page.add_init_script(WATCH_POLICY)
    seen = Visit(page)
    page.on("console", lambda message: seen.said.append(message.text))
    page.on("pageerror", lambda error: seen.said.append(str(error)))
    page.on("request", lambda request: seen.asked.append(request.url))
    page.goto(url, wait_until="load")
    return seen
