"""The revision that a process runs: as its platform says it, else as its checkout does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from webapp import version

HASH = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A checkout without anything, and a platform that says nothing."""
    for variable in version.REVISION_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(version, "_GIT", tmp_path)
    version.revision.cache_clear()
    yield tmp_path
    version.revision.cache_clear()


def test_a_platforms_word_goes_first(git: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (git / "HEAD").write_text("f" * 40)
    monkeypatch.setenv("SOURCE_VERSION", HASH.upper())
    assert version.revision() == HASH[:12]


def test_a_branch_is_followed(git: Path) -> None:
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "refs/heads").mkdir(parents=True)
    (git / "refs/heads/main").write_text(f"{HASH}\n")
    assert version.revision() == HASH[:12]


def test_a_packed_branch_is_found(git: Path) -> None:
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    (git / "packed-refs").write_text(
        f"# pack-refs\n{'e' * 40} refs/heads/old\n{HASH} refs/heads/main\n"
    )
    assert version.revision() == HASH[:12]


@pytest.mark.parametrize("head", ["", "ref: refs/heads/none", "no hash at all"])
def test_where_nobody_knows_it_is_empty(git: Path, head: str) -> None:
    (git / "HEAD").write_text(head)
    assert version.revision() == ""
