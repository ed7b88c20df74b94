"""What figures don't say, from two texts: remarks.toml about targets, strategies.toml about why.

Both are prose; the figures beside it come from the records.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Remark:
    """About one goal: what limits it, and what was tried, a finding each."""

    limits: str = ""
    tried: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gain:
    """What is better `of` something: two figures of a chapter, by their names there. `less` says
    that the smaller figure is the better one.
    """

    of: str
    chapter: str
    with_it: str
    without: str
    less: bool = False


@dataclass(frozen=True, slots=True)
class Strategy:
    """One way of being fast."""

    name: str
    what: str
    why: str
    gains: tuple[Gain, ...] = ()


_REMARKS = TypeAdapter(dict[str, Remark])
_STRATEGIES = TypeAdapter(tuple[Strategy, ...])


def remarks(file: Path = FOLDER / "remarks.toml") -> Mapping[str, Remark]:
    """By goal's name. Raises pydantic.ValidationError."""
    return _REMARKS.validate_python(tomllib.loads(file.read_text(encoding="utf-8")))


def strategies(file: Path = FOLDER / "strategies.toml") -> tuple[Strategy, ...]:
    """In the document's order. Raises pydantic.ValidationError."""
    found = tomllib.loads(file.read_text(encoding="utf-8"))
    return _STRATEGIES.validate_python(found.get("strategy", ()))
