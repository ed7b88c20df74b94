"""Figures in words, the same on every page: three digits that matter, and a unit."""

from __future__ import annotations

DASH = "–"


def share(value: float | None) -> str:
    """0.974 -> `97.4 %`; a share that isn't quite all or nothing is never shown as such."""
    if value is None:
        return DASH
    if 0 < value < 0.001:
        return "< 0.1 %"
    if 0.999 < value < 1:
        return "> 99.9 %"
    return f"{value * 100:.3g} %" if value < 1 else "100 %"


def count(value: float | None) -> str:
    """12310 -> `12,310`."""
    return DASH if value is None else f"{value:,.0f}"


def duration(seconds: float | None) -> str:
    """0.00041 -> `0.41 ms`; 75 -> `75 s`; 600 -> `10 min`."""
    if seconds is None:
        return DASH
    for most, size, unit in (
        (1e-3, 1e-6, "µs"),
        (1, 1e-3, "ms"),
        (120, 1, "s"),
        (7_200, 60, "min"),
        (172_800, 3_600, "h"),
    ):
        if seconds < most:
            return f"{_digits(seconds / size)} {unit}"
    return f"{_digits(seconds / 86_400)} days"


def rate(per_second: float | None) -> str:
    """0.25 -> `15/min`; 1204 -> `1,204/s`."""
    if per_second is None:
        return DASH
    if 0 < per_second < 1:
        return f"{_digits(per_second * 60)}/min"
    return f"{_digits(per_second)}/s"


def size(octets: float | None) -> str:
    """52428800 -> `52.4 MB`."""
    if octets is None:
        return DASH
    for unit in ("B", "kB", "MB", "GB"):
        if abs(octets) < 1_000:
            return f"{_digits(octets)} {unit}"
        octets /= 1_000
    return f"{_digits(octets)} TB"


def change(now: float | None, before: float | None) -> str:
    """Against the period before, as a share of it; "" where either is missing."""
    if now is None or not before:
        return ""
    moved = now / before - 1
    if abs(moved) < 0.01:
        return "as before"
    if moved > 9:
        return f"{now / before:,.0f} times"
    return f"{'+' if moved > 0 else '−'}{abs(moved) * 100:.0f} %"


def points(now: float | None, before: float | None) -> str:
    """The change of a share, in percentage points."""
    if now is None or before is None:
        return ""
    moved = (now - before) * 100
    return (
        "as before" if abs(moved) < 0.05 else f"{'+' if moved > 0 else '−'}{abs(moved):.1f} points"
    )


def _digits(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
