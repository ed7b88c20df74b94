"""A q's words as conditions: what reading on looks for, and what the index of trigrams is asked.

Each word occurs in the full name or description; one of less than three letters or digits begins a
word there. A trigram index knows three letters in a row, or how a word begins. It reads a list of
rows for each trigram that it is asked for, so it is asked for as much of a word as tells: of
`acme/web-cache-7f3a` the runs `7f3a` and `cache`, without their neighbours' signs, which make
trigrams that most rows have; and of long runs not their last letters, which hardly tell more. What
it then finds is looked at for the whole word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import LiteralString

WORDS_MAX = 8
"""More words of a q are left out: they hardly narrow what eight have left."""
PARTS_MAX = 2
"""Parts of a word that the index is asked for."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word: its `text` occurs, and so do its `parts`, LIKE patterns for the index."""

    text: str
    parts: tuple[str, ...]
    exact: bool
    """Whether the parts say all that the text does."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """SQL of a q, on a row `r` of repositories, and its values."""

    read: list[LiteralString] = field(default_factory=list)
    """For reading rows; no index helps."""
    guessed: list[LiteralString] = field(default_factory=list)
    """For the index of trigrams, with what it can't tell; the planner guesses how many match."""
    unguessed: list[LiteralString] = field(default_factory=list)
    """The same from subqueries, which the planner takes for few, whatever they are."""
    values: dict[str, object] = field(default_factory=dict)


def words(q: str) -> Iterator[Word]:
    """Its words that have a letter or digit."""
    for word in q.split():
        runs = [match.span() for match in _RUN.finditer(word)]
        if not runs:
            continue
        telling = sorted(
            (word[start:end] for start, end in reversed(runs) if end - start >= 3),
            key=lambda run: (any(map(str.isdigit, run)), len(run)),
            reverse=True,
        )[:PARTS_MAX]
        if telling:
            stems = [run[: max(5, len(run) - 2)] for run in telling]
            yield Word(word, tuple(f"%{stem}%" for stem in stems), exact=stems == [word])
        else:
            short = f" {word[runs[0][0] :]}"
            yield Word(short, (f"%{_escaped(short)}%",), exact=True)


def conditions(q: str) -> Conditions:
    """Of all its words. Raises ValueError where it has none."""
    conditions = Conditions()
    for number, word in zip(range(WORDS_MAX), words(q), strict=False):
        conditions.read.append(_READ[number])
        conditions.values[f"word{number}"] = word.text
        for place, part in enumerate(word.parts, number * PARTS_MAX):
            conditions.guessed.append(_GUESSED[place])
            conditions.unguessed.append(_UNGUESSED[place])
            conditions.values[f"part{place}"] = part
        if not word.exact:
            conditions.guessed.append(_READ[number])
            conditions.unguessed.append(_READ[number])
    if not conditions.read:
        raise ValueError("q has neither a letter nor a digit")
    return conditions


_READ: tuple[LiteralString, ...] = tuple(
    f"position(lower(%(word{number})s) in r.search) > 0" for number in range(WORDS_MAX)
)
_GUESSED: tuple[LiteralString, ...] = tuple(
    f"r.search like lower(%(part{place})s)" for place in range(WORDS_MAX * PARTS_MAX)
)
_UNGUESSED: tuple[LiteralString, ...] = tuple(
    f"r.search like (select lower(%(part{place})s))" for place in range(WORDS_MAX * PARTS_MAX)
)
_RUN = re.compile(r"[^\W_]+")


def _escaped(word: str) -> str:
    return re.sub(r"([\\%_])", r"\\\1", word)
