"""The Python in docs/clients.md runs as it stands there, but for address and key."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from githubkit.cache import DEFAULT_CACHE_STRATEGY

from tests.serving import API_KEY, Server
from tests.standin.process import StandIn

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "clients.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
BASE_URL, KEY = "http://127.0.0.1:8000/api/v3", "fwk_your-key-of-forewarm"


def _title(example: str) -> str:
    client = re.search(r"(?:import|from) (requests|github|githubkit)\b", example)
    return (client[1] if client else "?") + ("-async" if "asyncio" in example else "")


@pytest.fixture
def namespace() -> Iterator[dict[str, Any]]:
    """An example's globals; closes afterwards what examples leave to the program's end."""
    names: dict[str, Any] = {"__name__": "__main__"}
    yield names
    if isinstance(session := names.get("session"), requests.Session):
        session.close()
    DEFAULT_CACHE_STRATEGY.cleanup()
    asyncio.run(DEFAULT_CACHE_STRATEGY.acleanup())


@pytest.mark.parametrize("example", EXAMPLES, ids=_title)
def test_an_example_runs(
    mirror: Server,
    github: StandIn,
    namespace: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    example: str,
) -> None:
    assert BASE_URL in example
    assert KEY in example
    source = example.replace(BASE_URL, mirror.api).replace(KEY, API_KEY)
    exec(compile(source, str(DOCUMENT), "exec"), namespace)
    assert capsys.readouterr().out
    assert github.count() > 0
