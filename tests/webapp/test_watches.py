"""Watches: the setting's and the table's, as one list."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from script.embedded import Postgres
from tests.stores import migrated_database
from webapp.db.pool import Database
from webapp.errors import RequestRefused
from webapp.secret import Secret
from webapp.watches import REMEMBERED, Watches


class Clock:
    """Seconds, as told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def migrated(postgres: Postgres) -> Iterator[Secret]:
    """A database of this module's own."""
    with migrated_database(postgres, "watches") as url:
        yield Secret(url)


@pytest.fixture
def database(migrated: Secret, postgres: Postgres) -> Iterator[Database]:
    database = Database(migrated, size=2)
    with database.connection() as connection:
        connection.execute("truncate watches")
    yield database
    database.close()
    postgres.start()


@pytest.fixture
def watches(database: Database, clock: Clock) -> Watches:
    return Watches(("Pallets", "psf/requests"), database, clock)


def named(watches: Watches) -> dict[str, str]:
    return {each.name: each.source for each in watches.all()}


def test_the_settings_and_the_tables_are_one_list(watches: Watches) -> None:
    watches.add("Django", "api")
    assert named(watches) == {"django": "api", "pallets": "env", "psf/requests": "env"}


def test_what_is_added_twice_is_there_once(watches: Watches) -> None:
    first = watches.add("django/django", "cli")
    assert watches.add("Django/Django", "api") == first
    assert (first.owner, first.repo, first.kind) == ("django", "django", "repo")


def test_what_is_removed_is_gone(watches: Watches) -> None:
    watches.add("django", "cli")
    watches.remove("DJANGO")
    assert "django" not in named(watches)


def refused(watches: Watches, name: str) -> RequestRefused:
    with pytest.raises(RequestRefused) as refusal:
        watches.remove(name)
    return refusal.value


def test_the_settings_own_is_taken_out_there(watches: Watches) -> None:
    refusal = refused(watches, "pallets")
    assert refusal.status == 409
    assert "WATCH" in refusal.message


def test_what_is_not_watched_cannot_be_removed(watches: Watches) -> None:
    assert refused(watches, "nobody").status == 404


@pytest.mark.parametrize("name", ["", "a b", "a/b/c", "-a", "a/..", "a,b", "a/", "/a", "ä"])
def test_a_name_that_cannot_be_is_refused(watches: Watches, name: str) -> None:
    with pytest.raises(RequestRefused, match="name: give an owner or owner/repo"):
        watches.add(name, "api")


def test_an_owners_watch_covers_its_repositories(watches: Watches) -> None:
    assert watches.covers("Pallets")
    assert watches.covers("pallets", "Flask")
    assert watches.covers("psf", "requests")
    assert not watches.covers("psf")
    assert not watches.covers("psf", "black")
    assert not watches.covers(None)


def test_another_process_notices_within_ten_seconds(
    watches: Watches, database: Database, clock: Clock
) -> None:
    watches.all()
    Watches((), database).add("django", "api")
    clock.now += REMEMBERED + 1
    assert watches.covers("django")


def test_the_list_is_not_read_each_time(watches: Watches, database: Database) -> None:
    watches.all()
    Watches((), database).add("django", "api")
    assert not watches.covers("django")


def test_without_postgresql_the_last_known_list_holds(
    watches: Watches, postgres: Postgres, clock: Clock
) -> None:
    watches.add("django", "api")
    postgres.stop()
    clock.now += REMEMBERED + 1
    assert watches.covers("django")


def test_what_github_said_an_owner_is_is_remembered(watches: Watches) -> None:
    watches.seed()
    watches.learn("pallets", "org")
    assert {each.kind for each in watches.all() if each.owner == "pallets"} == {"org"}


def test_the_table_follows_the_setting(watches: Watches, database: Database) -> None:
    watches.seed()
    watches.add("django", "api")
    later = Watches(("psf/requests",), database)
    later.seed()
    assert named(later) == {"django": "api", "psf/requests": "env"}
    assert named(Watches((), database)) == {"django": "api"}
