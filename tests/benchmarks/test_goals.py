"""Section 16 against the benchmarks: no goal without a chapter, no chapter that can't be run."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks.chapters import ALL_MINUTES, CHAPTERS, Listed
from benchmarks.goals import GOALS, Bound, Goal
from benchmarks.records import kept
from benchmarks.remarks import remarks, strategies
from benchmarks.results import Effort

RECORDS = kept()
ROWS = 12
"""Of the contract's table."""
chapters = pytest.mark.parametrize("listed", CHAPTERS, ids=lambda each: each.name)


def test_each_goal_is_one_chapters() -> None:
    listed = [goal for each in CHAPTERS for goal in each.goals]
    assert sorted(listed) == sorted(GOALS)


def test_each_row_of_the_contract_has_a_goal() -> None:
    assert len({goal.row for goal in GOALS.values()}) == ROWS


def test_each_goal_has_been_measured() -> None:
    measured = {each.name for record in RECORDS.values() for each in record.chapter.targets}
    assert set(GOALS) - measured == set()


@chapters
def test_a_chapter_is_a_module_that_measures(listed: Listed) -> None:
    spec = find_spec(f"benchmarks.{listed.name}")
    assert spec is not None
    assert spec.origin is not None
    text = Path(spec.origin).read_text(encoding="utf-8")
    assert "def measure(effort: Effort) -> Chapter:" in text
    assert "sys.exit(alone(measure, __doc__))" in text


@chapters
def test_a_chapters_record_holds_the_goals_that_are_listed(listed: Listed) -> None:
    record = RECORDS.get(listed.name)
    if record is None or record.chapter.missing or record.run.effort is Effort.QUICK:
        return
    assert {each.name for each in record.chapter.targets} == set(listed.goals)


def test_records_are_of_chapters_that_are_listed() -> None:
    assert set(RECORDS) - {each.name for each in CHAPTERS} == set()
    assert [name for name, record in RECORDS.items() if record.chapter.name != name] == []


def test_a_full_run_is_bounded() -> None:
    assert sum(each.minutes for each in CHAPTERS if not each.by_name_only) <= ALL_MINUTES


def test_a_quick_run_takes_a_minute_each_at_most() -> None:
    assert [each.name for each in CHAPTERS if each.quick > 1] == []


def test_remarks_are_about_goals() -> None:
    assert set(remarks()) - set(GOALS) == set()


def test_a_strategys_gains_are_figures_of_their_chapters() -> None:
    unknown = [
        f"{gain.chapter}: {name}"
        for strategy in strategies()
        for gain in strategy.gains
        if gain.chapter in RECORDS
        for name in (gain.with_it, gain.without)
        if name not in RECORDS[gain.chapter].chapter.figures
    ]
    assert unknown == []


@pytest.mark.parametrize(
    ("bound", "measured", "met"),
    [
        (Bound.AT_LEAST, 2.0, True),
        (Bound.AT_LEAST, 1.9, False),
        (Bound.AT_MOST, 2.0, True),
        (Bound.AT_MOST, 2.1, False),
    ],
)
def test_a_goal_is_met_on_its_side_of_the_limit(bound: Bound, measured: float, met: bool) -> None:
    assert Goal("a row", "a figure", bound, 2.0, "ms").met(measured) is met
