"""docs/grafana: nothing there asks for a metric, a label or an outcome that /metrics hasn't."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.webapp.telemetry.test_prometheus import NAMES
from webapp.outcome import Outcome

DOCS = Path(__file__).resolve().parents[1] / "docs" / "grafana"
BOARD = json.loads((DOCS / "forewarm.json").read_text(encoding="utf-8"))
RULES = (DOCS / "alerts.yml").read_text(encoding="utf-8")
SUFFIX = re.compile(r"_(bucket|sum|count)$")


def board_queries() -> Iterator[tuple[str, str]]:
    """Title and expression."""
    for panel in BOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for each in BOARD["annotations"]["list"]:
        yield each["name"], each["expr"]


def rule_queries() -> Iterator[tuple[str, str]]:
    """Name and expression: `expr: …` on its line, or `|` and the deeper lines after it."""
    for rule in RULES.split("- alert: ")[1:]:
        name = rule.split("\n", 1)[0]
        inline = re.search(r"\n +expr: ([^|\n].*)", rule)
        block = re.search(r"\n( +)expr: \|\n((?:\1  .*\n)+)", rule)
        found = inline[1] if inline else block[2] if block else ""
        yield name, found


QUERIES = [*board_queries(), *rule_queries()]


def known(metric: str) -> set[str] | None:
    """Its labels; None for one that /metrics hasn't."""
    histogram = SUFFIX.sub("", metric)
    if histogram != metric and histogram.endswith("_seconds"):
        return NAMES.get(histogram, set()) | {"le"} if histogram in NAMES else None
    return NAMES.get(metric)


@pytest.mark.parametrize(("title", "query"), QUERIES, ids=[title for title, _ in QUERIES])
def test_a_query_names_what_there_is(title: str, query: str) -> None:
    metrics = re.findall(r"\bforewarm_\w+", query)
    assert metrics
    labels = set()
    for metric in metrics:
        own = known(metric)
        assert own is not None, metric
        labels |= own
    matched = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", query)
    grouped = re.findall(r"by \(([^)]*)\)", query)
    used = {*matched, *(name.strip() for group in grouped for name in group.split(","))}
    assert used <= labels
    for outcomes in re.findall(r'outcome=~?"([^"]*)"', query):
        assert set(outcomes.split("|")) <= {each.value for each in Outcome}
    assert query.count("(") == query.count(")")
    assert query.count("{") == query.count("}")


@pytest.mark.parametrize("metric", sorted(set(NAMES) - {"forewarm_build_info"}))
def test_the_dashboard_shows_every_metric(metric: str) -> None:
    queries = " ".join(query for _, query in board_queries())
    assert re.search(rf"\b{metric}(_bucket|_sum|_count)?\b", queries)


def test_panels_have_ids_of_their_own_and_lie_side_by_side() -> None:
    panels: list[dict[str, Any]] = BOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [
        (panel["gridPos"]["y"] + row, panel["gridPos"]["x"] + column)
        for panel in panels
        for row in range(panel["gridPos"]["h"])
        for column in range(panel["gridPos"]["w"])
    ]
    assert len(set(places)) == len(places)


def test_every_alert_says_what_is_and_what_to_do() -> None:
    rules = RULES.split("- alert: ")[1:]
    names = [rule.split("\n", 1)[0] for rule in rules]
    assert len(set(names)) == len(names) >= 12
    for rule in rules:
        for part in ("expr:", "severity:", "summary:", "action:"):
            assert part in rule
