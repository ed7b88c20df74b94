"""docs/operations.md explains every verdict there is, and none besides."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
NAMED = re.compile(r'Verdict\(\s*(?:\*\()?"([^"]+)"')


def test_every_verdict_is_explained() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "webapp/reports").glob("*.py")]
    made = {name for source in sources for name in NAMED.findall(source)}
    # Heartbeats' verdicts get their name as an argument.
    made |= {"Workers", "Scheduler"}
    section = (ROOT / "docs/operations.md").read_text(encoding="utf-8").partition("## Verdicts")[2]
    rows = re.findall(r"^\| ([A-Z][^|]+) \|", section.partition("\n## ")[0], re.MULTILINE)
    assert {name.strip() for row in rows for name in row.split(",")} == made
