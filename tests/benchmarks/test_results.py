"""What benchmarks find, and its way to a file and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.machine import Machine
from benchmarks.records import Record, Run, from_json, keep, to_json
from benchmarks.results import Chapter, Chart, Effort, Series, Spread, Table, Target

MACHINE = Machine("a processor", 2, 8.0, "Linux 6", "3.11.2", {"granian": "2.8.7"})
RUN = Run("2026-11-22 21:00", "abc1234", Effort.FULL, 12.5, 0.1, 1.9, MACHINE)
CHAPTER = Chapter(
    "sample",
    "A sample",
    "measured so",
    (Table("Cells", ("what", "a", "b", "c"), (("this", 1, 2.5, Spread(1.0, 0.5, 2.0)),), "note"),),
    (
        Chart("bars", "Bars", "bars", ("x", "y"), (Series("s", (1.0, None)),), "ms"),
        Chart("lines", "Lines", "lines", (1.0, 2.0), (Series("s", (1.0, 2.0)),), "ms"),
    ),
    (Target("starved", Spread(4.0, 3.0, 6.0)),),
    {"a figure": 3.0},
    ("a peer: not installed",),
)


def test_a_spread_is_the_median_and_the_ends() -> None:
    assert Spread.of([3.0, 1.0, 2.0, 10.0]) == Spread(2.5, 1.0, 10.0)


def test_ratios_are_taken_round_by_round() -> None:
    assert Spread.ratios([10.0, 20.0], [5.0, 10.0]) == Spread(2.0, 2.0, 2.0)


def test_a_row_as_wide_as_its_table_is_wanted() -> None:
    with pytest.raises(ValueError, match="every row has 2 cells"):
        Table("Cells", ("what", "ms"), (("this",),))


def test_a_series_as_long_as_its_axis_is_wanted() -> None:
    with pytest.raises(ValueError, match="every series has 2 values"):
        Chart("c", "C", "bars", ("x", "y"), (Series("s", (1.0,)),), "ms")


def test_a_target_of_no_goal_is_refused() -> None:
    with pytest.raises(ValueError, match="no goal"):
        Target("as fast as light", 1.0)


def test_of_a_spread_the_median_is_held_to_the_goal() -> None:
    assert Target("starved", Spread(4.0, 3.0, 6.0)).met
    assert not Target("starved", Spread(6.0, 3.0, 7.0)).met


def test_a_record_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    keep(Record(RUN, CHAPTER), tmp_path / "results" / "sample.json")
    assert from_json((tmp_path / "results" / "sample.json").read_bytes()) == Record(RUN, CHAPTER)


def test_a_record_of_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="chapter"):
        from_json(to_json(Record(RUN, CHAPTER)).replace(b'"chapter"', b'"chaptre"'))
