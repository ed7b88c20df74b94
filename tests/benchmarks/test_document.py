"""docs/performance.md is what the kept records say, and nothing by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks import document
from benchmarks.capacity import Costs, Step, carried
from benchmarks.document import CHARTS, DOCUMENT, NOTHING, Known, blocks, charts, known, rendered
from benchmarks.goals import GOALS
from benchmarks.records import Record
from benchmarks.remarks import Gain, Remark, Strategy
from tests.benchmarks.test_results import CHAPTER, RUN

AGAIN = "run script/bench --render"
HELD = Known({"sample": Record(RUN, CHAPTER)}, {"starved": Remark("a core", ("this",))}, ())


def test_the_documents_figures_are_the_records() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert rendered(text, known()) == text, AGAIN


def test_the_charts_are_the_records() -> None:
    there = {file.name: file.read_text(encoding="utf-8") for file in CHARTS.glob("*.svg")}
    wanted = charts(known())
    assert set(there) == set(wanted), AGAIN
    assert [name for name in wanted if there[name] != wanted[name]] == [], AGAIN


def test_no_two_chapters_have_a_chart_of_the_same_name() -> None:
    names = [chart.name for each in known().records.values() for chart in each.chapter.charts]
    assert sorted(names) == sorted(set(names))


def test_what_was_tried_stands_beside_the_target() -> None:
    shown = document.targets(HELD)
    assert "| ≤ 5 ms | 4 ms (3–6) | met | a core |" in shown
    assert shown.endswith("- this")


def test_a_goal_without_a_figure_says_so() -> None:
    assert document.targets(HELD).count("| – | not measured |") == len(GOALS) - 1


@pytest.mark.parametrize(
    ("gain", "shown"),
    [
        (Gain("speed", "sample", "fast", "slow"), "speed: 6 with, 3 without: **2.0 times**"),
        (Gain("ms", "sample", "slow", "fast", True), "ms: 3 with, 6 without: **2.0 times**"),
        (Gain("speed", "sample", "fast", "nowhere"), ""),
        (Gain("speed", "nowhere", "fast", "slow"), ""),
    ],
)
def test_a_gain_is_two_figures_and_their_ratio(gain: Gain, shown: str) -> None:
    chapter = document_chapter({"fast": 6.0, "slow": 3.0})
    held = Known({"sample": chapter}, {}, (Strategy("It", "Does.", "Why.", (gain,)),))
    assert document.why_fast(held) == "**It.** Does. Why." + (f"\n\n- {shown}" if shown else "")


def document_chapter(figures: dict[str, float]) -> Record:
    return Record(RUN, replace(CHAPTER, figures=figures))


def test_a_chapter_that_was_never_run_says_so() -> None:
    assert blocks(HELD)["hits"].startswith(NOTHING)


def test_a_mark_that_is_missing_is_an_error() -> None:
    text = DOCUMENT.read_text(encoding="utf-8").replace("<!-- bench hits: end -->", "")
    with pytest.raises(ValueError, match="bench hits: begin"):
        rendered(text, HELD)


def test_what_carries_least_saturates_first() -> None:
    cost = Costs(10_000.0, 2_000.0, 20.0, 4_000.0, 2_000.0, 0.1)
    small = Step("small", 1, 1, 1, 0.025, 20, 1, 20, 5_000)
    limits = carried(small, cost)
    assert min(limits, key=lambda name: limits[name]) == "Redis's memory"
    assert limits["Redis's memory"] == pytest.approx(0.025e9 / 4_000 / 3 / 2)
    assert limits["GitHub's limit"] == pytest.approx(25_000)
