"""Examples that are no commands: Python runs, JavaScript is parsed, configuration is loaded."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import playwright
import pytest
import requests
import yaml
from githubkit.cache import DEFAULT_CACHE_STRATEGY

from tests.docs.conftest import Reader
from tests.docs.documents import FENCES, ROOT, SHELL, Fence
from tests.serving import API_KEY

BASE_URL, KEY = "http://127.0.0.1:8000", "fwk_your-key-of-forewarm"
NODE = Path(playwright.__file__).parent / "driver" / "node"

LOADED: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "toml": tomllib.loads,
    "yaml": yaml.safe_load,
}
NOT_READ = {
    "": "drawings",
    "go": "no Go is a package of the tests; run by hand, see docs/clients.md",
}
"""Languages that nothing here reads, and why."""


def written_in(*languages: str) -> list[Fence]:
    return [fence for fence in FENCES if fence.language in languages]


@pytest.fixture
def namespace() -> Iterator[dict[str, Any]]:
    """An example's globals; closes afterwards what examples leave to the program's end."""
    names: dict[str, Any] = {"__name__": "__main__"}
    yield names
    if isinstance(session := names.get("session"), requests.Session):
        session.close()
    if (github := names.get("github")) is not None and hasattr(github, "close"):
        github.close()
    DEFAULT_CACHE_STRATEGY.cleanup()
    asyncio.run(DEFAULT_CACHE_STRATEGY.acleanup())


@pytest.mark.parametrize("example", written_in("python"), ids=str)
def test_an_example_in_python_runs_and_prints(
    reader: Reader,
    namespace: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    example: Fence,
) -> None:
    assert BASE_URL in example.text
    source = example.text.replace(BASE_URL, reader.server.url).replace(KEY, API_KEY)
    exec(compile(source, str(example), "exec"), namespace)
    assert capsys.readouterr().out


@pytest.mark.parametrize("example", written_in("js"), ids=str)
def test_an_example_in_javascript_is_javascript(tmp_path: Path, example: Fence) -> None:
    """By hand it was run, too: docs/clients.md says with which Octokit."""
    assert BASE_URL in example.text
    program = tmp_path / "example.mjs"
    program.write_text(example.text, encoding="utf-8")
    done = subprocess.run([NODE, "--check", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("example", written_in(*LOADED), ids=str)
def test_an_example_of_configuration_can_be_loaded(example: Fence) -> None:
    assert LOADED[example.language](example.text)


def test_a_language_is_read_or_its_reason_is_listed() -> None:
    languages = {fence.language for fence in FENCES}
    assert languages - SHELL - {"python", "js", *LOADED} == set(NOT_READ)


@pytest.mark.parametrize("drawing", written_in(""), ids=str)
def test_a_drawing_names_files_that_are_there(drawing: Fence) -> None:
    named = re.findall(r"\b(?:webapp|workers|tests|script)/[\w./]*\w", drawing.text)
    assert [path for path in named if not (ROOT / path).exists()] == []
