"""docs/clients.md lists what API keys and anonymous callers aren't shown, as the policy has it."""

from __future__ import annotations

import re

from tests.docs.documents import ROOT
from webapp.policy import ALLOWED_TO_SERVICE, REFUSED

SECTION = (
    (ROOT / "docs/clients.md")
    .read_text(encoding="utf-8")
    .partition("\n## What API keys and anonymous callers can't do\n")[2]
    .partition("\n## ")[0]
)
SAID = set(re.findall(r"`((?:…|/)[^`]+)`", SECTION))
ENDINGS = {each.removeprefix("…") for each in SAID if each.startswith("…")}


def ending(pattern: str) -> str | None:
    """Which of the documented endings a pattern has."""
    return next((each for each in ENDINGS if pattern.endswith(each)), None)


def test_every_refused_path_is_documented() -> None:
    assert [each for each in REFUSED if each not in SAID and not ending(each)] == []


def test_nothing_else_is_said_to_be_refused() -> None:
    whole = {each for each in SAID if not each.startswith("…")}
    assert whole - set(REFUSED) == ALLOWED_TO_SERVICE
    assert {ending(each) for each in REFUSED} - {None} == ENDINGS
