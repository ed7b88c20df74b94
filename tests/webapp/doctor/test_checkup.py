"""Checks run side by side, and none holds the others up for ever."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from webapp.doctor.checkup import CHECKS, examine
from webapp.doctor.finding import Finding, State, ok
from webapp.settings import Settings


@pytest.fixture
def settings() -> Settings:
    urls = {"REDIS_URL": "redis://127.0.0.1:1", "DATABASE_URL": "postgresql://127.0.0.1:1/x"}
    return Settings.from_env({"HOST": "127.0.0.1", **urls})


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Set at the end of a test, so that nothing hangs on."""
    event = threading.Event()
    yield event
    event.set()


def well(_: Settings) -> list[Finding]:
    return [ok("a part", "is well")]


def test_a_check_that_hangs_fails_alone(settings: Settings, release: threading.Event) -> None:
    def hangs(_: Settings) -> list[Finding]:
        release.wait()
        return []

    first, second = examine(settings, [("hangs", hangs), ("well", well)], patience=0.05)
    assert (first.findings[0].state, second.findings[0].state) == (State.FAIL, State.OK)


def test_checks_run_side_by_side(settings: Settings) -> None:
    meeting = threading.Barrier(2, timeout=5)

    def meets(_: Settings) -> list[Finding]:
        meeting.wait()
        return []

    examine(settings, [("one", meets), ("other", meets)])
    assert not meeting.broken


def test_sections_come_in_the_tables_order(settings: Settings) -> None:
    sections = examine(settings, [("one", well), ("two", well)])
    assert [section.name for section in sections] == ["one", "two"]


def test_a_bug_in_a_check_is_seen_as_one(settings: Settings) -> None:
    def breaks(_: Settings) -> list[Finding]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        examine(settings, [("breaks", breaks)])


def test_each_check_has_a_name_of_its_own() -> None:
    names = [name for name, _ in CHECKS]
    assert len(set(names)) == len(names)
