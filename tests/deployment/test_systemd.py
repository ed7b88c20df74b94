"""The systemd units: one a process type, and systemd itself finds nothing wrong with them."""

from __future__ import annotations

import configparser
import shutil
import subprocess

import pytest

from script.processes import procfile_commands
from script.var import ROOT

UNITS = ROOT / "deploy" / "systemd"
TYPES = list(procfile_commands(ROOT / "Procfile"))
HOME = "/srv/forewarm"


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNITS / f"forewarm-{name}.service")
    return parser


@pytest.mark.parametrize("name", TYPES)
def test_a_unit_runs_its_process_type_of_the_procfile(name: str) -> None:
    assert unit(name)["Service"]["ExecStart"] == f"{HOME}/script/process {name}"


@pytest.mark.parametrize("name", TYPES)
def test_a_unit_runs_as_an_ordinary_user(name: str) -> None:
    assert unit(name)["Service"]["User"] == "forewarm"


@pytest.mark.parametrize("name", [each for each in TYPES if each != "release"])
def test_a_unit_starts_after_the_release(name: str) -> None:
    assert unit(name)["Unit"]["Requires"] == "forewarm-release.service"
    assert "forewarm-release.service" in unit(name)["Unit"]["After"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd here")
def test_systemd_finds_nothing_wrong() -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", *UNITS.iterdir()], capture_output=True, text=True, check=False
    )
    said = [line for line in done.stderr.splitlines() if "forewarm" in line]
    # It isn't installed where the units say.
    assert [line for line in said if f"{HOME}/script/process is not executable" not in line] == []
