"""Paths fitted to patterns: `{name}` takes a segment, a last `**` any rest, none included. Pure."""

from __future__ import annotations


def fit(pattern: tuple[str, ...], segments: tuple[str, ...]) -> dict[str, str] | None:
    """The names a path gives to a pattern's placeholders; None where it doesn't fit."""
    if pattern and pattern[-1] == "**":
        pattern = pattern[:-1]
        segments = segments[: len(pattern)]
    if len(pattern) != len(segments):
        return None
    names: dict[str, str] = {}
    for expected, segment in zip(pattern, segments, strict=True):
        if expected.startswith("{"):
            if not segment:
                return None
            names[expected[1:-1]] = segment
        elif expected != segment:
            return None
    return names


def split(path: str) -> tuple[str, ...]:
    """Segments, empty ones included."""
    return tuple(path[1:].split("/"))


def tidied(path: str) -> tuple[str, ...]:
    """Without empty segments: whoever stands in front of a GitHub Enterprise may merge slashes."""
    return tuple(segment for segment in path.split("/") if segment)
