"""Setting up: what is remembered, what is refused, what a platform without wheels installs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from script.bootstrap import (
    COMMANDS,
    EMBEDDED,
    LAYERS,
    embedded_refusal,
    fingerprint,
    is_installed,
    without_embedded,
)
from script.var import ROOT

PRINTS = {name: f"print of {name}" for name in LAYERS}
PRODUCTION, LOCAL, DEV = LAYERS


def test_nothing_is_installed_at_first() -> None:
    assert not is_installed(LOCAL, {}, PRINTS)


def test_what_was_installed_as_it_is_needs_no_pip() -> None:
    assert is_installed(LOCAL, {LOCAL: PRINTS[LOCAL]}, PRINTS)


def test_other_pins_need_pip_again() -> None:
    assert not is_installed(LOCAL, {LOCAL: "print of older pins"}, PRINTS)


def test_who_has_the_development_layer_has_the_local_one() -> None:
    assert is_installed(LOCAL, {DEV: PRINTS[DEV]}, PRINTS)


def test_who_has_the_local_layer_lacks_the_development_one() -> None:
    assert not is_installed(DEV, {LOCAL: PRINTS[LOCAL]}, PRINTS)


def test_a_fingerprint_follows_the_pins(tmp_path: Path) -> None:
    pins = tmp_path / "requirements.txt"
    pins.write_text("flask==3.1.3\n")
    before = fingerprint(pins)
    pins.write_text("flask==3.1.4\n")
    assert fingerprint(pins) != before


def test_a_fingerprint_follows_the_python(tmp_path: Path) -> None:
    pins = tmp_path / "requirements.txt"
    pins.write_text("flask==3.1.3\n")
    assert fingerprint(pins, "3.11.9") != fingerprint(pins, "3.12.1")


@pytest.mark.parametrize(
    ("system", "machine", "glibc"),
    [
        ("Linux", "x86_64", "2.28"),
        ("Linux", "aarch64", "2.41"),
        ("Linux", "x86_64", "2.36.9000"),
        ("Darwin", "arm64", ""),
    ],
)
def test_the_stores_have_wheels_for(system: str, machine: str, glibc: str) -> None:
    assert embedded_refusal(system, machine, glibc) is None


@pytest.mark.parametrize(
    ("system", "machine", "glibc", "reason"),
    [
        ("Linux", "x86_64", "", "the C library is not glibc"),
        ("Linux", "x86_64", "2.17", "glibc 2.17 is too old"),
        ("Linux", "riscv64", "2.39", "riscv64 is not served"),
        ("Windows", "AMD64", "", "Windows is not served"),
    ],
)
def test_the_stores_have_no_wheels_for(system: str, machine: str, glibc: str, reason: str) -> None:
    assert embedded_refusal(system, machine, glibc) == reason


def test_without_the_stores_all_else_is_installed() -> None:
    local = (ROOT / LOCAL).read_text()
    left = without_embedded(local)
    pinned = [set(re.findall(r"^([\w.-]+).*==", each, re.MULTILINE)) for each in (local, left)]
    assert pinned[0] - pinned[1] == set(EMBEDDED)
    pins, hashes = (len(re.findall(each, left)) for each in (r"==[^\\\n]* \\\n", r"\\\n"))
    assert pins == len(pinned[1])
    assert hashes == left.count("--hash=")


def test_every_command_names_a_layer() -> None:
    assert {layer for layer, _ in COMMANDS.values()} <= set(LAYERS)


def test_setting_up_needs_no_package() -> None:
    """-I -S: no site-packages, no paths but the standard library's."""
    found = subprocess.run(
        [sys.executable, "-I", "-S", str(ROOT / "script" / "bootstrap.py"), "no such command"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.stderr.strip().endswith("KeyError: 'no such command'")
