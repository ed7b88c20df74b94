"""Stores of a test's own, that it may kill and start again."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from script.embedded import Postgres, Valkey


@pytest.fixture
def own_valkey(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path / "valkey")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[Postgres]:
    """One a file: its first start takes most of a second. In a directory closed to other users."""
    directory = Path(tempfile.mkdtemp(prefix="forewarm-tests-"))
    server = Postgres(directory / "postgres")
    server.start()
    yield server
    server.stop()
    shutil.rmtree(directory)
