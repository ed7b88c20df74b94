"""What a page says first: a state, the figure behind it, and what to do. Pure.

Rules are rows of a table where a figure decides: below or above which it is no longer good. The
alerts have their own (telemetry/alerts/rules.py); a verdict needs no `for` time, it says what is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "fail", "unknown"]
WORST: tuple[State, ...] = ("fail", "warn", "unknown", "ok")


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` holds the figure, `action` what to do ("" where nothing is), `change` the figure
    against the period before, `spark` a line's path, `page` an endpoint that shows more."""

    name: str
    state: State
    reason: str
    action: str = ""
    change: str = ""
    spark: str = ""
    page: str = ""

    def as_json(self) -> dict[str, str]:
        """The contract's shape (DESIGN.md section 12)."""
        return {
            "name": self.name,
            "state": self.state,
            "reason": self.reason,
            "action": self.action,
        }


@dataclass(frozen=True, slots=True)
class Bounds:
    """When a figure is worth a look, and when one must act. `low` says that small is bad.

    Fewer than `samples` observations say nothing.
    """

    warn: float
    fail: float
    low: bool = False
    samples: int = 1

    def state(self, value: float | None, samples: int = 1) -> State:
        """Of a figure that was measured; None is no data."""
        if value is None or samples < self.samples:
            return "unknown"
        for state, bound in (("fail", self.fail), ("warn", self.warn)):
            if value <= bound if self.low else value >= bound:
                return "fail" if state == "fail" else "warn"
        return "ok"


def worst(verdicts: list[Verdict]) -> State:
    """The state of a page: its worst verdict's."""
    states = {each.state for each in verdicts}
    return next((state for state in WORST if state in states), "unknown")
