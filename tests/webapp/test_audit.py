"""Noting what operators did, also while PostgreSQL is away."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from script.embedded import Postgres
from webapp.audit import TEXT_MAX, Audit
from webapp.db.pool import Database
from webapp.secret import Secret

TOKEN = "ghp_" + "a" * 36


@pytest.fixture
def audit(database_url: str) -> Iterator[Audit]:
    database = Database(Secret(database_url), size=1)
    yield Audit(database)
    database.close()


def test_what_was_noted_is_told(audit: Audit) -> None:
    audit.note("admin", "job retried", "job-1", "upkeep prune")
    (act,) = audit.latest()
    assert (act.who, act.what, act.target, act.detail) == (
        *("admin", "job retried", "job-1", "upkeep prune"),
    )


def test_no_secret_is_noted(audit: Audit) -> None:
    audit.note("admin", "job retried", "job-1", f"with Bearer {TOKEN}")
    assert TOKEN not in repr(audit.latest())


def test_a_text_that_no_row_could_hold_is_noted_as_far_as_it_can(audit: Audit) -> None:
    audit.note("admin", "cache purged", "x\0" * TEXT_MAX)
    assert audit.latest()[0].target == "x" * TEXT_MAX


def test_what_cant_be_noted_is_an_error_in_the_log(
    audit: Audit, postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    postgres.kill()
    with caplog.at_level(logging.INFO, logger="webapp.audit"):
        audit.note("admin", "cache purged", "repo:o/r", "hard")
    (record,) = [each for each in caplog.records if each.name == "webapp.audit"]
    assert record.levelno == logging.ERROR
    assert "cache purged by admin: repo:o/r hard" in record.getMessage()
