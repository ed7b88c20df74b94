"""The documents as data: their fences, and the commands in them.

Policy: a command is what a reader would paste. Its program is the word that says what runs,
assignments and `exec` aside; where it goes is decided by the tables of commands.py.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = (
    "README.md",
    "CONTRIBUTING.md",
    *sorted(f"docs/{p.name}" for p in ROOT.glob("docs/*.md")),
)
SHELL = frozenset({"sh", "console"})
ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z_0-9]*=")


@dataclass(frozen=True, slots=True)
class Fence:
    """A block of code: `line` is that of its first line, `language` "" where none is said."""

    document: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def fences_of(document: str) -> list[Fence]:
    """Every fence of a document, in order."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return [
        Fence(document, text.count("\n", 0, found.start()) + 2, found[1], found[2])
        for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    ]


FENCES = [fence for document in DOCUMENTS for fence in fences_of(document)]


def commands_of(fence: Fence) -> list[str]:
    """A shell fence's commands: continued lines joined, comments and prompts gone.

    In a `console` fence what begins with `$ ` is a command and all else what it prints.
    """
    joined = re.sub(r"\\\n\s*", " ", fence.text)
    lines = [re.sub(r"\s+# .*$|^#.*$", "", line).strip() for line in joined.splitlines()]
    if fence.language == "console":
        lines = [line[2:] for line in lines if line.startswith("$ ")]
    return [line for line in lines if line]


def program_of(command: str) -> tuple[str, ...]:
    """The words of a command from its program on; none where it only assigns."""
    words = shlex.split(command, posix=True)
    while words and ASSIGNMENT.match(words[0]):
        words.pop(0)
    return tuple(words)
