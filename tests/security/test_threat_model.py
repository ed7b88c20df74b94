"""The threat model in docs/operations.md names tests that exist, and numbers that are true."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from webapp.limits import CHANGES, GUESSES, LIMITS, REPORTS, STRANGERS

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
SECTION = TEXT.partition("\n## Threat model\n")[2].partition("\n## ")[0]
THREATS = [
    line.strip("| ").split(" | ")
    for line in SECTION.partition("### ")[0].splitlines()
    if line.startswith("| ") and "|---" not in line
][1:]
SUBJECTS = (
    *("Tokens", "Scopes", "Webhooks", "Dashboard", "SSRF", "Cache poisoning"),
    *("Deserialisation", "Logs, traces", "Denial of service", "Supply chain"),
)


@cache
def functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_subject_has_its_threats() -> None:
    assert [each for each in SUBJECTS if f"**{each}" not in SECTION] == []


@pytest.mark.parametrize("threat", THREATS, ids=lambda each: each[0][:40])
def test_a_threat_is_held_off_and_a_test_shows_it(threat: list[str]) -> None:
    name, defence, shown = threat
    assert name
    assert defence
    tests = re.findall(r"`([\w/]+\.py)::(\w+)`", shown)
    assert tests
    assert [each for path, each in tests if each not in functions(path)] == []


def test_the_limits_are_the_tables() -> None:
    told = re.findall(r"^\| .* \| ([\d,]+)(?: in 5 minutes)? \|$", SECTION, re.MULTILINE)
    every = (*LIMITS.values(), REPORTS, CHANGES, STRANGERS, GUESSES)
    assert sorted(int(each.replace(",", "")) for each in told) == sorted(
        each.most for each in every
    )
    assert {each.seconds for each in every} == {60, 300}
