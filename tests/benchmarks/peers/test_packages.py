"""What a benchmark needs from Debian is installed by root only, else told as missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.peers import packages


def test_who_is_not_root_is_told_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = tmp_path / "asked"
    apt = tmp_path / "apt-get"
    apt.write_text(f"#!/bin/sh\ntouch {asked}\n")
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "wrk" in packages.install()
    assert not asked.exists()
