"""What the operators' handbook says of alerts is what the table of rules says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from webapp.telemetry.alerts.messages import figure
from webapp.telemetry.alerts.overrides import RULE_FIELDS, TIMING_FIELDS, overridden
from webapp.telemetry.alerts.rules import RULES, Rule

HANDBOOK = (Path(__file__).parents[4] / "docs" / "operations.md").read_text(encoding="utf-8")
SECTION = HANDBOOK.partition("\n## Alerts\n")[2].partition("\n## ")[0]


def period(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s" if seconds else "–"


def threshold(rule: Rule, value: float | None) -> str:
    return "–" if value is None else f"{'≤' if rule.below else '≥'} {figure(value, rule.unit)}"


def row(rule: Rule) -> str:
    short = f" and {period(rule.short)}" if rule.short else ""
    window = period(rule.window) + short if rule.window else "now"
    cells = (
        *(f"`{rule.name}`", threshold(rule, rule.warn), threshold(rule, rule.critical), window),
        *(period(rule.wait), rule.meaning, rule.action),
    )
    return f"| {' | '.join(cells)} |"


def test_the_handbook_has_every_alert_as_it_is() -> None:
    table = [line for line in SECTION.splitlines() if re.match(r"\| `[a-z0-9_]+` \|", line)]
    assert table == [row(rule) for rule in RULES]


def test_every_rule_says_what_it_means_and_what_to_do() -> None:
    assert [rule.name for rule in RULES if not (rule.meaning.strip() and rule.action.strip())] == []


def test_the_handbooks_file_of_thresholds_is_accepted() -> None:
    example = SECTION.partition("```toml\n")[2].partition("```")[0]
    tables = tomllib.loads(example)
    assert overridden(tables)[0] != RULES


def test_the_handbook_names_every_field_of_the_file() -> None:
    example = SECTION.partition("```toml\n")[2].partition("```")[0]
    fields = {*RULE_FIELDS, *TIMING_FIELDS}
    assert {field for field in fields if not re.search(rf"\b{field}\b", example)} == set()
