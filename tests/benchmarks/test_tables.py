"""Figures as they are shown."""

from __future__ import annotations

import pytest

from benchmarks.results import Spread, Table, Target
from benchmarks.tables import cell, measured, number, table_text, verdict, wanted


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        *((0, "0"), (3, "3"), (12_345, "12,345"), (12_345.6, "12,346"), (99.94, "99.9")),
        *((12.34, "12.3"), (1.234, "1.23"), (0.1234, "0.123"), (0.012345, "0.0123")),
        (-2.5, "-2.50"),
    ],
)
def test_a_number_has_three_significant_digits(value: float, shown: str) -> None:
    assert number(value) == shown


def test_what_was_not_measured_is_a_dash() -> None:
    assert cell(None) == "–"


def test_a_spread_shows_its_ends() -> None:
    assert cell(Spread(1_000.0, 900.0, 1_200.0)) == "1,000 (900–1,200)"


def test_a_spread_of_one_measurement_is_that() -> None:
    assert cell(Spread(2.5, 2.5, 2.5)) == "2.50"


def test_columns_of_numbers_are_aligned_right() -> None:
    shown = table_text(Table("T", ("what", "ms"), (("a|b", 1.5),), "a note"))
    assert shown == "**T**\n\n| what | ms |\n| --- | --: |\n| a\\|b | 1.50 |\n\na note"


@pytest.mark.parametrize(
    ("name", "figure", "said"),
    [
        ("starved", 4.0, "met"),
        ("starved", 6.0, "**missed** by 20%"),
        ("near/nginx", 0.4, "**missed** by 20%"),
        ("catalog/scans", 2.0, "**missed**"),
    ],
)
def test_a_missed_target_says_by_how_much(name: str, figure: float, said: str) -> None:
    assert verdict(Target(name, figure)) == said


def test_a_figure_and_its_limit_have_the_goals_unit() -> None:
    target = Target("near/varnish", Spread(0.7, 0.65, 0.8))
    assert measured(target) == "0.700× (0.650–0.800)"
    assert wanted(target.goal) == "≥ 0.6×"
