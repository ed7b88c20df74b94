"""`flask doctor`: everything that Forewarm needs, each part ok or with its remedy.

Exit codes: 0 nothing FAILs, 1 something does. Shows no secret: its output may be pasted anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import click
import orjson
from flask import current_app
from flask.cli import with_appcontext

from webapp.doctor.checkup import Section, examine
from webapp.doctor.finding import Finding, State, counted

# icon, colour; the word is the state's own
LOOKS = {
    State.OK: ("✓", "green"),
    State.WARN: ("!", "yellow"),
    State.FAIL: ("✗", "red"),
}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of lines.")
@with_appcontext
def doctor(as_json: bool) -> None:
    """Check settings, Redis, PostgreSQL, GitHub, tokens and address; exit code 1 if any FAILs."""
    sections = examine(current_app.extensions["services"].settings)
    if as_json:
        click.echo(orjson.dumps(report(sections), option=orjson.OPT_INDENT_2).decode())
    else:
        for line in lines(sections):
            click.echo(line)
    if any(section.failed for section in sections):
        raise click.exceptions.Exit(1)


def report(sections: Sequence[Section]) -> dict[str, object]:
    """Verdicts as the dashboard's pages have them, each with the check that it comes from."""
    return {
        "as_of": datetime.now(UTC).isoformat(timespec="seconds"),
        "ok": not any(section.failed for section in sections),
        "verdicts": [
            {
                "check": section.name,
                "name": finding.name,
                "state": finding.state.value,
                "reason": finding.reason,
                "action": finding.action,
            }
            for section in sections
            for finding in section.findings
        ],
    }


def lines(sections: Sequence[Section]) -> Iterator[str]:
    """For a terminal; Click takes the colours out where there is none."""
    for section in sections:
        yield click.style(section.name, bold=True)
        for finding in section.findings:
            yield from _lines(finding)
    yield ""
    yield _summary([finding for section in sections for finding in section.findings])


def _lines(finding: Finding) -> Iterator[str]:
    icon, colour = LOOKS[finding.state]
    word = click.style(f"{icon} {finding.state.value:<4}", fg=colour)
    yield f"  {word}  {finding.name}: {finding.reason}"
    if finding.action:
        yield f"          → {finding.action}"


def _summary(findings: Sequence[Finding]) -> str:
    states = [finding.state for finding in findings]
    fails, warnings = states.count(State.FAIL), states.count(State.WARN)
    if fails:
        return f"{counted(fails, 'part')} FAIL, {counted(warnings, 'warning')}"
    return f"nothing FAILs, {counted(warnings, 'warning')}"
