"""Values to pixels, and the round numbers that an axis names."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

STEPS = (1, 2, 5, 10)


@dataclass(frozen=True, slots=True)
class Axis:
    """From `low` to `high` in values, from `start` to `end` in pixels."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """The pixel of a value; of one beyond an end, the end's."""
        value = min(max(value, self.low), self.high)
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values within: of a logarithmic axis powers of ten, and halves where few."""
        if not self.log:
            step = _step(self.high - self.low)
            first = math.ceil(self.low / step)
            return [n * step for n in range(first, math.floor(self.high / step + 1e-9) + 1)]
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        parts = (1,) if len(decades) > 3 else (1, 2, 5)
        found = [part * 10.0**decade for decade in decades for part in parts]
        return [each for each in found if self.low <= each <= self.high * 1.0001]


def from_zero(values: Iterable[float], start: float, end: float) -> Axis:
    """A linear one, a little longer than its longest value."""
    most = max(values, default=1.0) or 1.0
    step = _step(most)
    return Axis(0.0, math.ceil(most / step) * step, start, end)


def by_powers(values: Iterable[float], start: float, end: float) -> Axis:
    """A logarithmic one, from below the least positive value to above the most."""
    positive = [value for value in values if value > 0] or [1.0]
    low, high = _below(min(positive)), _above(max(positive))
    return Axis(low, high if high > low else low * 10, start, end, log=True)


def _step(span: float) -> float:
    """A round one that gives four to eight ticks."""
    rough = span / 6
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * each for each in STEPS if power * each >= rough)


def _below(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return max(power * each for each in STEPS if power * each <= value * 1.0001)


def _above(value: float) -> float:
    power = 10.0 ** math.floor(math.log10(value))
    return min(power * each for each in STEPS if power * each >= value * 0.9999)
