"""The files that platforms read say what the code does."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from script.processes import procfile_commands
from script.var import ROOT
from webapp.settings_table import SETTINGS

COMMANDS = procfile_commands(ROOT / "Procfile")
VARIABLES = {row.variable for row in SETTINGS}


def test_the_procfile_has_all_four_process_types() -> None:
    assert list(COMMANDS) == ["release", "web", "worker", "scheduler"]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_procfile_command_is_a_program_that_production_installs(name: str) -> None:
    program = COMMANDS[name].removeprefix("exec ").split()[0]
    assert shutil.which(program, path=str(Path(sys.executable).parent))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_program_takes_its_shell_s_place(name: str) -> None:
    """Else the shell gets SIGTERM, and the program never hears of it."""
    assert COMMANDS[name].startswith("exec ")


def test_web_takes_every_flag_it_is_given() -> None:
    """granian itself checks them: with --help it still refuses what comes before and is unknown."""
    command = COMMANDS["web"].removesuffix("wsgi:app") + "--help"
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=ROOT,
        env={"PATH": str(Path(sys.executable).parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_app_json_sets_only_what_forewarm_reads() -> None:
    env = json.loads((ROOT / "app.json").read_text())["env"]
    assert set(env) <= VARIABLES


def test_app_json_gives_what_is_required_off_loopback() -> None:
    env = json.loads((ROOT / "app.json").read_text())["env"]
    assert {"SECRET_KEY", "PUBLIC_URL"} <= set(env)


def test_app_json_runs_every_lasting_process_type() -> None:
    formation = json.loads((ROOT / "app.json").read_text())["formation"]
    assert set(formation) == set(COMMANDS) - {"release"}
