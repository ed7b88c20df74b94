"""What a benchmark found: a chapter of tables, charts, targets and figures, kept as JSON.

Every benchmark is a module with `measure(effort) -> Chapter`; `script/bench` runs them and keeps
what they return in benchmarks/results/, and docs/performance.md is rendered from there. Nothing in
a chapter is text that tells a figure: prose that explains a miss lives in remarks.toml.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from benchmarks.goals import GOALS, Goal


class Effort(StrEnum):
    """How long a benchmark may take: `quick` says that it works, `full` is for the document."""

    QUICK = "quick"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure measured several times."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """The median and the ends of at least one value."""
        ordered = sorted(values)
        return cls(statistics.median(ordered), ordered[0], ordered[-1])

    @classmethod
    def ratios(cls, over: Iterable[float], under: Iterable[float]) -> Spread:
        """Of two subjects' values, round by round: interleaved rounds drift together."""
        return cls.of(a / b for a, b in zip(over, under, strict=True))


Cell = str | int | float | Spread | None
"""None is "not measured" (left out and said in the table's note)."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows as wide as `columns`; a column's name says its unit. The first column names the row."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        """A row of another width is a mistake of the benchmark's."""
        if any(len(row) != len(self.columns) for row in self.rows):
            raise ValueError(f"{self.title}: every row has {len(self.columns)} cells")


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one line, or one bar in each of a chart's groups. A Spread's ends are drawn."""

    name: str
    values: tuple[float | Spread | None, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars: `at` are group names. Lines: `at` are numbers. A series has a value for each of `at`.

    `name` is its file's: docs/performance/<name>.svg. `about` is the text for who can't see it.
    """

    name: str
    title: str
    kind: Literal["bars", "lines"]
    at: tuple[str, ...] | tuple[float, ...]
    series: tuple[Series, ...]
    unit: str
    across: str = ""
    log_x: bool = False
    log_y: bool = False
    about: str = ""

    def __post_init__(self) -> None:
        """Values that belong nowhere are a mistake of the benchmark's."""
        if any(len(each.values) != len(self.at) for each in self.series):
            raise ValueError(f"{self.name}: every series has {len(self.at)} values")


@dataclass(frozen=True, slots=True)
class Target:
    """A figure measured for a goal of section 16, by the goal's name in `goals.GOALS`."""

    name: str
    measured: float | Spread

    def __post_init__(self) -> None:
        """A name that is nobody's is a mistake of the benchmark's."""
        if self.name not in GOALS:
            raise ValueError(f"{self.name}: no goal of benchmarks/goals.py")

    @property
    def goal(self) -> Goal:
        """What it is held to."""
        return GOALS[self.name]

    @property
    def figure(self) -> float:
        """What is held to it: of a spread, the median."""
        return self.measured.median if isinstance(self.measured, Spread) else self.measured

    @property
    def met(self) -> bool:
        """Whether it holds."""
        return self.goal.met(self.figure)


@dataclass(frozen=True, slots=True)
class Chapter:
    """What one benchmark found.

    `name` is the module's (and its JSON's); `method` says in a sentence or two how it was measured
    (subjects, sizes, rounds); `missing` what was left out, and why ("varnish is not installed");
    `figures` are named numbers that other chapters and the capacity guide calculate with.
    """

    name: str
    title: str
    method: str
    tables: tuple[Table, ...] = ()
    charts: tuple[Chart, ...] = ()
    targets: tuple[Target, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """What measures it alone."""
        return f"python -m benchmarks.{self.name}"

    def figure(self, name: str) -> float:
        """A named number. Raises KeyError."""
        return self.figures[name]


def rows(values: Iterable[Sequence[Cell]]) -> tuple[tuple[Cell, ...], ...]:
    """A table's rows, of anything."""
    return tuple(tuple(value) for value in values)
