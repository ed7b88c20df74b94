"""script/lint: every check runs, and any that fails is told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from script import checks


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, status in (("good", 0), ("bad", 1)):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho words of {name}\nexit {status}\n")
        program.chmod(0o755)
    monkeypatch.setattr(checks, "BIN", tmp_path)


@pytest.mark.usefixtures("programs")
def test_a_failure_keeps_no_later_check_from_running(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    checks.run({"first": ("bad",), "second": ("good",)}, tmp_path)
    assert re.search(r"^ok +second +\d+\.\d s$", capfd.readouterr().out, re.MULTILINE)


@pytest.mark.usefixtures("programs")
def test_failures_are_returned(tmp_path: Path) -> None:
    assert checks.run({"first": ("bad",), "second": ("good",)}, tmp_path) == ["first"]


@pytest.mark.usefixtures("programs")
def test_only_the_words_of_failures_are_shown(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    checks.run({"first": ("bad",), "second": ("good",)}, tmp_path)
    assert re.findall("words of .+", capfd.readouterr().out) == ["words of bad"]
