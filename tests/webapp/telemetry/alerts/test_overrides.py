"""ALERT_RULES: what it changes, and what it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving import ROOT
from webapp.errors import SettingsError
from webapp.telemetry.alerts.notices import Timing
from webapp.telemetry.alerts.overrides import overridden
from webapp.telemetry.alerts.rules import RULES, NoData, named


def test_without_a_file_the_table_is_in_force() -> None:
    assert overridden({}) == (RULES, Timing())


def test_every_field_can_be_set() -> None:
    rules, _ = overridden(
        {
            "hit_rate": {
                "enabled": True,
                "warn": 5,
                "critical": 50.5,
                "for": "2m",
                "keep_firing_for": 90,
                "window": "1h",
                "short_window": "5m",
                "clear": 0.5,
                "minimum_samples": 20,
                "no_data": "hold",
            }
        }
    )
    rule = named(rules)["hit_rate"]
    assert (rule.warn, rule.critical, rule.wait, rule.keep) == (5, 50.5, 120, 90)
    assert (rule.window, rule.short, rule.clear, rule.minimum) == (3600, 300, 0.5, 20)
    assert rule.no_data is NoData.HOLD


def test_other_rules_stay_as_they_are() -> None:
    rules, _ = overridden({"hit_rate": {"warn": 5}})
    assert [each for each in rules if each.name != "hit_rate"] == [
        each for each in RULES if each.name != "hit_rate"
    ]


def test_a_rule_can_be_left_out() -> None:
    rules, _ = overridden({"hit_rate": {"enabled": False}})
    assert "hit_rate" not in named(rules)
    assert len(rules) == len(RULES) - 1


def test_a_threshold_can_be_left_out() -> None:
    rules, _ = overridden({"hit_rate": {"warn": False}})
    rule = named(rules)["hit_rate"]
    assert (rule.warn, rule.critical) == (None, 25)


def test_when_rules_are_evaluated_and_told_can_be_set() -> None:
    given = {"every": 1, "group_wait": 0, "group_interval": "1m", "repeat": "8h", "objective": 99}
    assert overridden({"timing": given})[1] == Timing(
        every=1, group_wait=0, group_interval=60, repeat=8 * 3600, objective=99
    )


REFUSED = [
    ({"hit_rat": {}}, "has a table 'hit_rat'; it takes timing, hit_rate, "),
    ({"hit_rate": {"warning": 5}}, "has 'warning' in [hit_rate]; it takes enabled, warn, "),
    ({"timing": {"warn": 5}}, "has 'warn' in [timing]; it takes every, "),
    ({"hit_rate": {"warn": "5"}}, "has 'warn' in [hit_rate]; give a number above 0"),
    ({"hit_rate": {"warn": True}}, "has 'warn' in [hit_rate]; give a number above 0"),
    ({"hit_rate": {"warn": -1}}, "has 'warn' in [hit_rate]; give a number above 0"),
    ({"hit_rate": {"warn": float("nan")}}, "has 'warn' in [hit_rate]; give a number above 0"),
    ({"hit_rate": {"critical": float("inf")}}, "has 'critical' in [hit_rate]; give a number"),
    ({"hit_rate": {"for": "soon"}}, "has 'for' in [hit_rate]; give seconds or a period"),
    ({"hit_rate": {"for": [5]}}, "has 'for' in [hit_rate]; give seconds or a period"),
    ({"hit_rate": {"window": 0}}, "has 'window' in [hit_rate]; give seconds or a period"),
    ({"hit_rate": {"clear": 2}}, "has 'clear' in [hit_rate]; give a share"),
    ({"hit_rate": {"minimum_samples": 0}}, "has 'minimum_samples' in [hit_rate]; give a whole"),
    ({"hit_rate": {"no_data": "panic"}}, "has 'no_data' in [hit_rate]; give one of quiet, "),
    ({"hit_rate": {"enabled": 1}}, "has 'enabled' in [hit_rate]; give true or false"),
    ({"timing": {"every": 0.5}}, "has 'every' in [timing]; give seconds or a period"),
    ({"timing": {"objective": 93}}, "has 'objective' in [timing]; give per cent from 93.06"),
    ({"hit_rate": {"warn": 30}}, "has thresholds in [hit_rate] that can't be; critical must be"),
    ({"github_budget": {"warn": 3}}, "has thresholds in [github_budget] that can't be; critical"),
    ({"error_budget_fast": {"short_window": "2h"}}, "short_window must be the shorter one"),
    ({"hit_rate": {"a\nb": 1}}, r"has 'a\nb' in [hit_rate]; it takes "),
]


@pytest.mark.parametrize(("tables", "line"), REFUSED)
def test_what_will_not_do_is_refused_in_one_line(
    tables: dict[str, dict[str, object]], line: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        overridden(tables)
    text = str(caught.value)
    assert text.startswith("ALERT_RULES has ")
    assert line in text
    assert "\n" not in text


@pytest.mark.parametrize("entry", ["wsgi", "workers.main"])
def test_a_process_does_not_start_with_rules_that_will_not_do(entry: str, tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text("[hit_rate]\nwarm = 5\n")
    done = subprocess.run(
        (sys.executable, "-c", f"import {entry}"),
        check=False,
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "HOST": "127.0.0.1",
            "REDIS_URL": "redis://127.0.0.1:1",
            "DATABASE_URL": "postgresql://127.0.0.1:1/none",
            "ALERT_RULES": str(path),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "ALERT_RULES has 'warm' in [hit_rate]; it takes enabled, warn, " in line
