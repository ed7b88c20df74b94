"""Markdown of what benchmarks found: figures shown alike everywhere, three significant digits.

A spread is its median with the ends behind it. Names in a table's cells may be Markdown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.goals import Goal
from benchmarks.results import Cell, Chapter, Spread, Table, Target

NOT_MEASURED = "–"


def number(value: float) -> str:
    """Three significant digits, integers whole, thousands by commas: 0.123, 12.3, 1,235."""
    if isinstance(value, int) or value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    for limit, digits in ((10, 1), (1, 2), (0.1, 3)):
        if abs(value) >= limit:
            return f"{value:,.{digits}f}"
    return f"{value:.3g}"


def spread(value: Spread) -> str:
    """The median, and from where to where if it was measured more than once."""
    if value.low == value.high:
        return number(value.median)
    return f"{number(value.median)} ({number(value.low)}–{number(value.high)})"


def cell(value: Cell) -> str:
    """As it stands in a table."""
    if value is None:
        return NOT_MEASURED
    if isinstance(value, str):
        return value.replace("|", r"\|")
    return spread(value) if isinstance(value, Spread) else number(value)


def table(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A Markdown table; columns of numbers are aligned right."""
    listed = [list(row) for row in rows]
    right = [
        bool(listed) and all(not isinstance(row[place], str) for row in listed)
        for place in range(len(columns))
    ]
    lines = [columns, ["--:" if each else "---" for each in right]]
    lines += [[cell(value) for value in row] for row in listed]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def table_text(found: Table) -> str:
    """With its title and its note."""
    parts = [f"**{found.title}**", table(found.columns, found.rows)]
    return "\n\n".join([*parts, found.note] if found.note else parts)


def with_unit(value: str, unit: str) -> str:
    """As "3 ms", "5 %", "2×"."""
    return value + unit if unit == "×" else f"{value} {unit}".rstrip()


def measured(target: Target) -> str:
    """A target's figure with its unit and, where there is one, its spread."""
    value = target.measured
    shown = with_unit(number(target.figure), target.goal.unit)
    if isinstance(value, Spread) and value.low < value.high:
        return f"{shown} ({number(value.low)}–{number(value.high)})"
    return shown


def wanted(goal: Goal) -> str:
    """As "≤ 5 ms"."""
    return f"{goal.bound} {with_unit(f'{goal.limit:,g}', goal.unit)}"


def verdict(target: Target) -> str:
    """ "met", or missed by how much of the limit."""
    if target.met:
        return "met"
    limit = target.goal.limit
    if not limit:
        return "**missed**"
    return f"**missed** by {abs(target.figure - limit) / limit:.0%}"


def chapter_text(chapter: Chapter, *, targets: bool) -> str:
    """All of a chapter but its charts; its targets where they aren't told elsewhere."""
    parts = [chapter.method]
    parts += [table_text(each) for each in chapter.tables]
    if targets and chapter.targets:
        rows = [(each.goal.row, each.goal.what, wanted(each.goal), measured(each), verdict(each))
                for each in chapter.targets]  # fmt: skip
        parts.append(table(("target", "figure", "wanted", "measured", ""), rows))
    parts += [f"Left out: {each}." for each in chapter.missing]
    return "\n\n".join(parts)
