"""The image: what is copied into it is enough, and nothing more goes in; compose.yaml starts it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from script.processes import procfile_commands
from script.var import ROOT
from tests.workers.processes import wait_for
from webapp.settings_table import SETTINGS

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
TYPES = set(procfile_commands(ROOT / "Procfile"))
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"


def copied() -> list[str]:
    """What the Dockerfile takes from the checkout."""
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    return [source for line in lines for source in line.split()]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the image, less its packages."""
    directory = tmp_path_factory.mktemp("image")
    for source in copied():
        place = directory / source
        place.parent.mkdir(exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / source, place)
    return directory


def test_web_and_worker_find_all_they_need_in_it(image: Path) -> None:
    environ = {
        "PATH": PATH,
        "HOST": "127.0.0.1",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "DATABASE_URL": "postgresql://127.0.0.1:1/none",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    look = "import wsgi, workers.main; print(wsgi.app.jinja_env.list_templates())"
    done = subprocess.run(
        [sys.executable, "-c", look], cwd=image, env=environ, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "overview.html" in done.stdout


def test_a_process_type_is_started_by_name_and_ends_as_a_container_ends_it(image: Path) -> None:
    """The first process of a container gets no default for SIGTERM: it must have its own."""
    environ = {
        "PATH": PATH,
        "HOST": "127.0.0.1",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "DATABASE_URL": "postgresql://127.0.0.1:1/none",
    }
    log = image / "scheduler.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [image / "script" / "process", "scheduler"], cwd="/", env=environ, stdout=output
        )
    wait_for(lambda: "Scheduling" in log.read_text(), "start of the scheduler")
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0


def test_an_unknown_process_type_is_refused_with_the_known_ones() -> None:
    done = subprocess.run(
        [ROOT / "script" / "process", "other"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert all(name in done.stderr for name in TYPES)


def test_the_builder_is_sent_what_is_copied_and_nothing_else() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] != "#"]
    assert lines[0] == "*"
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == set(copied())


def test_the_image_has_the_python_that_platforms_are_told() -> None:
    told = (ROOT / ".python-version").read_text().strip()
    assert f"ARG PYTHON={told}\n" in DOCKERFILE


def test_the_image_runs_as_an_ordinary_user() -> None:
    assert re.findall(r"^USER (\d+)$", DOCKERFILE, re.MULTILINE) == ["10001"]


def test_the_image_holds_no_setting_but_the_port() -> None:
    given = re.search(r"^ENV (.+)$", DOCKERFILE, re.MULTILINE)
    assert given
    names = {each.partition("=")[0] for each in given[1].split()}
    assert names & {row.variable for row in SETTINGS} == {"PORT"}


def own() -> dict[str, dict[str, Any]]:
    return {name: each for name, each in COMPOSE["services"].items() if "build" in each}


def test_compose_runs_every_process_type() -> None:
    assert {each["command"] for each in own().values()} == TYPES


def test_compose_sets_only_what_forewarm_reads() -> None:
    known = {row.variable for row in SETTINGS}
    assert all(set(each["environment"]) <= known for each in own().values())


@pytest.mark.parametrize("name", sorted(TYPES - {"release"}))
def test_compose_releases_first(name: str) -> None:
    needs = own()[name]["depends_on"]
    assert needs["release"] == {"condition": "service_completed_successfully"}


def test_compose_waits_for_stores_that_answer() -> None:
    stores = {name: each for name, each in COMPOSE["services"].items() if "build" not in each}
    assert all("test" in each["healthcheck"] for each in stores.values())
    assert own()["web"]["depends_on"]["valkey"] == {"condition": "service_healthy"}
    assert own()["release"]["depends_on"]["postgres"] == {"condition": "service_healthy"}
