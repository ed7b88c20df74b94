"""docs/performance.md: its marked blocks and its charts, made of the records and of nothing else.

    <!-- bench targets: begin --> … <!-- bench targets: end -->

What stands between such marks is this module's; the prose around them is written by hand and tells
no figure. A test holds the committed document to the committed records.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.capacity import capacity
from benchmarks.chapters import CHAPTERS
from benchmarks.drawing.charts import chart_svg
from benchmarks.goals import GOALS
from benchmarks.machine import ROOT
from benchmarks.records import Record, kept
from benchmarks.remarks import Gain, Remark, Strategy, remarks, strategies
from benchmarks.results import Chart, Effort
from benchmarks.tables import (
    NOT_MEASURED,
    chapter_text,
    measured,
    number,
    table,
    verdict,
    wanted,
)

DOCUMENT = ROOT / "docs" / "performance.md"
CHARTS = ROOT / "docs" / "performance"
NOTHING = "Not measured yet."


@dataclass(frozen=True, slots=True)
class Known:
    """All that the document is made of."""

    records: Mapping[str, Record]
    remarks: Mapping[str, Remark]
    strategies: tuple[Strategy, ...]


def known() -> Known:
    """What is kept in this checkout."""
    return Known(kept(), remarks(), strategies())


def targets(held: Known) -> str:
    """Section 16: each goal with what was measured, and what limits the missed ones."""
    found = {
        target.name: (target, record.run.effort)
        for record in held.records.values()
        for target in record.chapter.targets
    }
    rows = []
    for name, goal in GOALS.items():
        shown, judged = NOT_MEASURED, "not measured"
        if name in found:
            target, effort = found[name]
            shown = measured(target)
            judged = verdict(target) if effort is Effort.FULL else "not judged: a quick run"
        limits = held.remarks.get(name, Remark()).limits
        rows.append((goal.row, goal.what, wanted(goal), shown, judged, limits))
    text = table(("what", "figure", "wanted", "measured", "", "what limits it"), rows)
    return "\n\n".join([text, *_tried(held.remarks)])


def _tried(said: Mapping[str, Remark]) -> list[str]:
    parts = []
    for name, goal in GOALS.items():
        if tried := said.get(name, Remark()).tried:
            listed = "\n".join(f"- {each}" for each in tried)
            parts.append(f"Tried for *{goal.row}: {goal.what}*:\n\n{listed}")
    return parts


def why_fast(held: Known) -> str:
    """Each strategy with why it is there, and what it gains."""
    parts = []
    for each in held.strategies:
        parts.append(f"**{each.name}.** {each.what} {each.why}")
        if listed := [said for gain in each.gains if (said := _gain(held, gain))]:
            parts.append("\n".join(f"- {said}" for said in listed))
    return "\n\n".join(parts)


def _gain(held: Known, gain: Gain) -> str:
    """As "hits a second: 20,000 with, 5,000 without: **4 times**"; "" where it isn't measured."""
    record = held.records.get(gain.chapter)
    figures = record.chapter.figures if record else {}
    if record is None or gain.with_it not in figures or gain.without not in figures:
        return ""
    with_it, without = figures[gain.with_it], figures[gain.without]
    better, worse = (without, with_it) if gain.less else (with_it, without)
    said = f"{gain.of}: {number(with_it)} with, {number(without)} without"
    return f"{said}: **{better / worse:.1f} times**" if worse else said


def _chapter(held: Known, name: str) -> str:
    record = held.records.get(name)
    if record is None:
        return f"{NOTHING} `python -m benchmarks.{name}` measures it."
    run, chapter = record.run, record.chapter
    quick = " **A quick run: only to see that it works.**" if run.effort is Effort.QUICK else ""
    taken = (
        f"`{chapter.command}`, {run.taken} UTC, commit {run.commit or 'unknown'},"
        f" {run.seconds:.0f} s; load of the machine {run.load_before:g} before,"
        f" {run.load_after:g} after.{quick}"
    )
    images = [f"![{_about(chart)}](performance/{chart.name}.svg)" for chart in chapter.charts]
    return "\n\n".join([taken, chapter_text(chapter, targets=False), *images])


def _about(chart: Chart) -> str:
    return (chart.about or chart.title).replace("[", "(").replace("]", ")")


def machine(held: Known) -> str:
    """What the records were taken on; one table for each machine there was."""
    parts = []
    seen = {record.run.machine.processor: record.run.machine for record in held.records.values()}
    for each in seen.values():
        rows = [
            ("processor", f"{each.processor}, {each.cores} cores used"),
            ("memory", f"{each.memory_gb:g} GB"),
            ("kernel", each.kernel),
            ("Python", each.python),
            ("versions", ", ".join(f"{name} {number}" for name, number in each.versions.items())),
        ]
        parts.append(table(("machine", ""), rows))
    return "\n\n".join(parts) or NOTHING


BLOCKS: dict[str, Callable[[Known], str]] = {
    "targets": targets,
    "strategies": why_fast,
    "capacity": lambda held: capacity(held.records),
    "machine": machine,
}
"""Besides a block for each chapter, by its name."""


def blocks(held: Known) -> dict[str, str]:
    """Each block's text, by its mark."""
    listed = {each.name: _chapter(held, each.name) for each in CHAPTERS}
    return listed | {name: render(held) for name, render in BLOCKS.items()}


def rendered(text: str, held: Known) -> str:
    """The document with its blocks as they should be. Raises ValueError where a mark is missing."""
    for name, block in blocks(held).items():
        begin, end = f"<!-- bench {name}: begin -->", f"<!-- bench {name}: end -->"
        marked = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        before, *rest = marked.split(text)
        if len(rest) != 1:
            raise ValueError(f"docs/performance.md has {begin} {len(rest)} times")
        text = f"{before}{begin}\n\n{block}\n\n{end}{rest[0]}"
    return text


def charts(held: Known) -> dict[str, str]:
    """Each chart's file name and text."""
    return {
        f"{chart.name}.svg": chart_svg(chart)
        for record in held.records.values()
        for chart in record.chapter.charts
    }


def write(document: Path = DOCUMENT, folder: Path = CHARTS) -> None:
    """Rewrite the blocks and the charts; charts that nobody has go."""
    held = known()
    document.write_text(rendered(document.read_text(encoding="utf-8"), held), encoding="utf-8")
    folder.mkdir(exist_ok=True)
    wanted_files = charts(held)
    for file in folder.glob("*.svg"):
        if file.name not in wanted_files:
            file.unlink()
    for name, drawn in wanted_files.items():
        (folder / name).write_text(drawn, encoding="utf-8")
