"""The pieces of an SVG, and its look in light and dark.

A chart brings its own background, so it can be read wherever it is shown; it follows the reader's
colour scheme where that is told. Colours are Okabe and Ito's (2008), distinct to the colour-blind;
lines differ by dashes and marks too, and bars stand in the legend's order.
"""

from __future__ import annotations

from html import escape

WIDTH = 760
LETTER = 6.7
"""Pixels that a letter of 12 px takes, about: there is no font to ask."""
LIGHT = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#666666")
DARK = ("#4aa8e0", "#f0803c", "#2ec99b", "#e39ac4", "#e6c229", "#9fd4f5", "#b0b0b0")
DASHES = ("", "6 3", "2 3", "8 3 2 3", "10 4", "4 2", "1 4")


def _scheme(back: str, front: str, quiet: str, colours: tuple[str, ...]) -> str:
    rules = [
        f".back{{fill:{back};stroke:{quiet}}}",
        f"text{{fill:{front}}}",
        f".grid{{stroke:{quiet};stroke-width:1}}",
        f".whisker{{stroke:{front};stroke-width:1.5;fill:none}}",
    ]
    for place, colour in enumerate(colours):
        rules.append(f".f{place}{{fill:{colour}}}.s{place}{{stroke:{colour}}}")
    return "".join(rules)


STYLE = (
    "text{font:12px -apple-system,'Segoe UI',Helvetica,Arial,sans-serif}"
    ".title{font-size:15px;font-weight:600}.line{fill:none;stroke-width:2}"
    + _scheme("#ffffff", "#1f2328", "#d1d9e0", LIGHT)
    + "@media(prefers-color-scheme:dark){"
    + _scheme("#0d1117", "#e6edf3", "#3d444d", DARK)
    + "}"
)


def width_of(said: str) -> float:
    """Pixels that it takes, about."""
    return len(said) * LETTER


def text(x: float, y: float, said: str, *, anchor: str = "start", kind: str = "") -> str:
    """A line of text, by its baseline."""
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(said)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """A straight one."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def bar(x: float, y: float, width: float, height: float, place: int) -> str:
    """In the colour of the series at `place`."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{height:.1f}"'
        f' class="f{place % len(LIGHT)}"/>'
    )


def mark(x: float, y: float, place: int) -> str:
    """A point of a line: a circle, a square or a diamond."""
    colour = f"f{place % len(LIGHT)}"
    match place % 3:
        case 0:
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" class="{colour}"/>'
        case 1:
            corner = f'x="{x - 3.2:.1f}" y="{y - 3.2:.1f}"'
            return f'<rect {corner} width="6.4" height="6.4" class="{colour}"/>'
        case _:
            corners = f"{x:.1f},{y - 4.6:.1f} {x + 4.6:.1f},{y:.1f} {x:.1f},{y + 4.6:.1f}"
            return f'<polygon points="{corners} {x - 4.6:.1f},{y:.1f}" class="{colour}"/>'


def path(points: list[tuple[float, float]], place: int) -> str:
    """A line through points."""
    listed = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashes = DASHES[place % len(DASHES)]
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline points="{listed}" class="line s{place % len(LIGHT)}"{dashed}/>'


def legend(names: list[str], x: float, y: float, right: float, *, lines: bool) -> tuple[str, float]:
    """What each colour is, in rows as wide as there is room; and the baseline of its last row."""
    parts, at = [], x
    for place, name in enumerate(names):
        wide = 30 + width_of(name) + 14
        if at > x and at + wide > right:
            at, y = x, y + 18
        if lines:
            parts.append(path([(at, y - 4), (at + 24, y - 4)], place) + mark(at + 12, y - 4, place))
        else:
            parts.append(bar(at + 8, y - 10, 14, 12, place))
        parts.append(text(at + 30, y, name))
        at += wide
    return "".join(parts), y


def drawing(height: float, title: str, about: str, parts: list[str]) -> str:
    """The whole file."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}"'
        f' width="{WIDTH}" height="{height:.0f}" role="img">'
        f"<title>{escape(title)}</title><desc>{escape(about)}</desc><style>{STYLE}</style>"
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1:.0f}" rx="6" class="back"/>'
        + text(16, 26, title, kind="title")
        + "\n"
        + "\n".join(parts)
        + "\n</svg>\n"
    )
