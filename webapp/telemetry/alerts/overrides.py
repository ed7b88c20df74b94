"""ALERT_RULES: thresholds of one's own, from a TOML file, over those of the table.

    [github_budget]             # a rule
    warn = 30                   # false: no warning
    for = "2m"                  # seconds, or 90s, 5m, 3h, 7d
    [worker_heartbeat]
    enabled = false
    [timing]                    # not a rule: when all of them are evaluated and told
    repeat = "8h"

What isn't a rule, a field or a value that would do stops the start with one line.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from webapp.errors import SettingsError
from webapp.settings_parsers import RefusalError, duration
from webapp.telemetry.alerts.notices import Timing
from webapp.telemetry.alerts.rules import RULES, NoData, Rule, named

TIMING = "timing"
ENABLED = "enabled"


def overridden(
    tables: Mapping[str, Mapping[str, object]], rules: tuple[Rule, ...] = RULES
) -> tuple[tuple[Rule, ...], Timing]:
    """The rules and times in force. Raises SettingsError."""
    known = named(rules)
    timing = Timing()
    off: set[str] = set()
    for name, given in tables.items():
        if name == TIMING:
            timing = replace(timing, **_values(name, given, TIMING_FIELDS))
        elif name not in known:
            raise _refused(f"has a table {name!a}", f"it takes {', '.join([TIMING, *known])}")
        else:
            values = _values(name, given, RULE_FIELDS)
            if not values.pop(ENABLED, True):
                off.add(name)
            known[name] = _sensible(replace(known[name], **values))
    return tuple(rule for rule in known.values() if rule.name not in off), timing


def _values(
    table: str, given: Mapping[str, object], fields: Mapping[str, _Field]
) -> dict[str, Any]:
    values = {}
    for key, value in given.items():
        where = f"has {key!a} in [{table}]"
        if key not in fields:
            raise _refused(where, f"it takes {', '.join(fields)}")
        attribute, parse, wants = fields[key]
        try:
            values[attribute] = parse(value)
        except (RefusalError, TypeError, ValueError):
            raise _refused(where, wants) from None
    return values


def _sensible(rule: Rule) -> Rule:
    warn, critical = rule.warn, rule.critical
    where = f"has thresholds in [{rule.name}] that can't be"
    if warn is not None and critical is not None and (critical < warn) != rule.below:
        raise _refused(where, f"critical must be {'below' if rule.below else 'above'} warn")
    if rule.short > rule.window:
        raise _refused(where, "short_window must be the shorter one")
    return rule


def _refused(held: str, wants: str) -> SettingsError:
    return SettingsError("ALERT_RULES", held, wants)


def _number(value: object, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    if not math.isfinite(value) or not low <= value <= high:
        raise ValueError
    return float(value)


def _threshold(value: object) -> float | None:
    return None if value is False else _number(value, 1e-9, 1e12)


def _seconds(value: object) -> float:
    return duration(value) if isinstance(value, str) else _number(value, 0, 400 * 86_400)


def _period(value: object) -> float:
    seconds = _seconds(value)
    if seconds < 1:
        raise ValueError
    return seconds


def _objective(value: object) -> float:
    # A burn rate of 14.4 is out of reach where more than 1 in 14.4 may fail.
    return _number(value, 93.06, 99.999)


def _samples(value: object) -> int:
    return int(_number(value, 1, 1e9))


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


_Field = tuple[str, Callable[[object], object], str]
"""The attribute, its parser, and what would do."""

_TIME = "give seconds or a period such as 90s, 5m, 3h or 7d"
RULE_FIELDS: Mapping[str, _Field] = {
    "enabled": (ENABLED, _switch, "give true or false"),
    "warn": ("warn", _threshold, "give a number above 0, or false for none"),
    "critical": ("critical", _threshold, "give a number above 0, or false for none"),
    "for": ("wait", _seconds, _TIME),
    "keep_firing_for": ("keep", _seconds, _TIME),
    "window": ("window", _period, _TIME),
    "short_window": ("short", _period, _TIME),
    "clear": ("clear", lambda value: _number(value, 0.01, 1), "give a share from 0.01 to 1"),
    "minimum_samples": ("minimum", _samples, "give a whole number of at least 1"),
    "no_data": ("no_data", lambda value: NoData(str(value)), f"give one of {', '.join(NoData)}"),
}
TIMING_FIELDS: Mapping[str, _Field] = {
    "every": ("every", _period, f"{_TIME}, 1 s at least"),
    "group_wait": ("group_wait", _seconds, _TIME),
    "group_interval": ("group_interval", _seconds, _TIME),
    "repeat": ("repeat", _period, _TIME),
    "objective": ("objective", _objective, "give per cent from 93.06 to 99.999"),
}
