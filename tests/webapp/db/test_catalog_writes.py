"""What sights do to the catalog: newer only, by id, whatever order they come in."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from script.embedded import Postgres
from tests.webapp.db.catalog_filled import NOW, SECOND, Conn, catalog, sight
from webapp.db import catalog as readers
from webapp.db import catalog_writes as writes
from webapp.db.catalog_search import catalog_search
from webapp.db.catalog_writes import OwnerSight, RepositorySight, catalog_upsert
from webapp.errors import RowsRefused

LAG = 8 * SECOND
"""GitHub's replicas lag by less, here."""


@pytest.fixture(scope="module")
def lasting(postgres: Postgres) -> Iterator[Conn]:
    with (
        catalog(postgres, "catalog_writes") as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        yield connection


@pytest.fixture
def conn(lasting: Conn) -> Iterator[Conn]:
    with lasting.transaction(force_rollback=True):
        yield lasting


def put(conn: Conn, *sights: RepositorySight) -> list[writes.ChangedRepository]:
    """As the harvest does."""
    changed = catalog_upsert(conn, list(sights))
    writes.catalog_evict(conn, [each.id for each in changed if each.is_renamed])
    return changed


def held(conn: Conn, full_name: str) -> Any:
    return next(iter(readers.catalog_lookup(conn, [full_name])), None)


def test_a_later_sight_replaces_an_earlier_one(conn: Conn) -> None:
    put(conn, sight(1, "a/b", stargazers_count=1))
    put(conn, sight(1, "a/b", NOW + SECOND, stargazers_count=2))
    assert held(conn, "a/b").stargazers_count == 2


def test_an_earlier_sight_never_replaces_a_later_one(conn: Conn) -> None:
    put(conn, sight(1, "a/b", NOW + SECOND, stargazers_count=2))
    assert put(conn, sight(1, "a/b", stargazers_count=1)) == []
    assert held(conn, "a/b").stargazers_count == 2


def test_a_lagging_replica_never_replaces_a_later_update(conn: Conn) -> None:
    put(conn, sight(1, "a/b", description="new", updated_at=NOW))
    put(conn, sight(1, "a/b", NOW + SECOND, description="old", updated_at=NOW - SECOND))
    assert held(conn, "a/b").description == "new"


def test_an_odd_update_time_binds_for_minutes_only(conn: Conn) -> None:
    put(conn, sight(1, "a/b", description="odd", updated_at=NOW + timedelta(days=1)))
    put(conn, sight(1, "a/b", NOW + timedelta(minutes=11), description="true"))
    assert held(conn, "a/b").description == "true"


def test_seen_again_is_noted_and_no_change(conn: Conn) -> None:
    put(conn, sight(1, "a/b"))
    assert put(conn, sight(1, "a/b", NOW + SECOND)) == []
    assert held(conn, "a/b").seen_at == NOW + SECOND


def test_what_a_sight_does_not_say_is_kept(conn: Conn) -> None:
    said = sight(1, "a/b", description="d", language="C", topics=["t"], owner_id=7)
    put(conn, said)
    nothing: dict[str, Any] = {
        "description": None,
        "language": None,
        "topics": None,
        "owner_id": None,
    }
    silent = replace(said, seen_at=NOW + SECOND, default_branch=None, pushed_at=None, **nothing)
    assert put(conn, silent) == []
    row = held(conn, "a/b")
    assert (row.description, row.language, row.topics, row.default_branch, row.pushed_at) == (
        "d",
        "C",
        ["t"],
        "main",
        NOW,
    )


def test_githubs_null_is_something_said(conn: Conn) -> None:
    put(conn, sight(1, "a/b", description="d", language="C"))
    put(conn, sight(1, "a/b", NOW + SECOND, description="", language=""))
    assert (held(conn, "a/b").description, held(conn, "a/b").language) == (None, None)


def test_a_rename_keeps_one_row_that_both_names_find(conn: Conn) -> None:
    put(conn, sight(1, "a/old"))
    changed = put(conn, sight(1, "b/new", NOW + SECOND))
    assert [(each.held_owner, each.held_name_key, each.is_renamed) for each in changed] == [
        ("a", "a/old", True)
    ]
    assert held(conn, "a/old").full_name == held(conn, "b/new").full_name == "b/new"
    assert [row.full_name for row in catalog_search(conn)] == ["b/new"]


def test_who_takes_anothers_old_name_is_not_mixed_up_with_it(conn: Conn) -> None:
    """Its updated_at is years older: newer is judged for each id by itself."""
    put(conn, sight(1, "a/name"))
    put(conn, sight(1, "a/moved", NOW + SECOND))
    put(conn, sight(2, "a/name", NOW + 2 * SECOND, updated_at=NOW - timedelta(days=999)))
    assert (held(conn, "a/name").id, held(conn, "a/moved").id) == (2, 1)


def test_who_takes_a_name_before_its_holders_rename_is_seen_takes_it_at_once(conn: Conn) -> None:
    put(conn, sight(1, "a/name"))
    put(conn, sight(2, "a/name", NOW + SECOND))
    assert [row.id for row in catalog_search(conn)] == [2]
    put(conn, sight(1, "a/moved", NOW + 2 * SECOND))
    assert (held(conn, "a/name").id, held(conn, "a/moved").id) == (2, 1)


def test_two_that_swap_names_keep_their_rows(conn: Conn) -> None:
    put(conn, sight(1, "a/x"), sight(2, "a/y"))
    put(conn, sight(1, "a/y", NOW + SECOND), sight(2, "a/x", NOW + SECOND))
    assert (held(conn, "a/y").id, held(conn, "a/x").id) == (1, 2)


def test_what_is_gone_comes_back_only_by_a_later_sight(conn: Conn) -> None:
    put(conn, sight(1, "a/b"))
    assert writes.catalog_forget(conn, "A/B", at=NOW + SECOND) == 1
    put(conn, sight(1, "a/b", NOW + SECOND))
    assert held(conn, "a/b") is None
    put(conn, sight(1, "a/b", NOW + 2 * SECOND))
    assert held(conn, "a/b").id == 1


def test_what_is_gone_and_was_never_seen_is_not_brought_by_an_earlier_list(conn: Conn) -> None:
    writes.catalog_forget(conn, "a/b", at=NOW + SECOND)
    put(conn, sight(1, "a/b"))
    assert held(conn, "a/b") is None


def test_a_404_older_than_a_sight_forgets_nothing(conn: Conn) -> None:
    put(conn, sight(1, "a/b", NOW + SECOND))
    assert writes.catalog_forget(conn, "a/b", at=NOW) == 0
    assert held(conn, "a/b").id == 1


def test_forgetting_an_owner_forgets_what_is_theirs(conn: Conn) -> None:
    put(conn, sight(1, "Acme/x"), sight(2, "acme/y"), sight(3, "other/z"))
    assert writes.catalog_forget_owner(conn, "ACME", at=NOW) == 2
    assert [row.id for row in catalog_search(conn)] == [3]


def test_a_day_has_one_row_of_its_last_figures(conn: Conn) -> None:
    day = timedelta(days=1)
    for at, stars in ((NOW, 1), (NOW + SECOND, 2), (NOW + day, 3), (NOW + day + SECOND, 3)):
        put(conn, sight(1, "a/b", at, stargazers_count=stars))
    history = readers.catalog_history(conn, 1, today=(NOW + day).date())
    assert [(each.day, each.stars) for each in history] == [
        (NOW.date(), 2),
        ((NOW + day).date(), 3),
    ]


def test_history_outlives_its_row_until_it_comes_back(conn: Conn) -> None:
    put(conn, sight(1, "a/b"))
    writes.catalog_forget(conn, "a/b", at=NOW)
    put(conn, sight(1, "a/b", NOW + timedelta(days=1)))
    assert len(readers.catalog_history(conn, 1, today=NOW.date())) == 2


def test_a_purge_since_it_was_seen_shows_in_a_look_up(conn: Conn) -> None:
    put(conn, sight(1, "a/b"), sight(2, "c/d"), sight(3, "c/e", NOW + 2 * SECOND))
    writes.catalog_purge_note(conn, ["repo:a/b", "owner:c"], at=NOW + SECOND)
    found = readers.catalog_lookup(conn, ["a/b", "c/d", "c/e"])
    assert {each.asked: each.purged for each in found} == {"a/b": True, "c/d": True, "c/e": False}


def test_a_value_out_of_range_is_refused_by_name(conn: Conn) -> None:
    with pytest.raises(RowsRefused):
        catalog_upsert(conn, [sight(1, "a/b", visibility="secret")])


def test_the_longest_that_github_allows_has_room(conn: Conn) -> None:
    """In every index: nothing here can be compressed."""
    chance = random.Random(3)
    topics = ["".join(chance.choices(string.ascii_lowercase, k=50)) for _ in range(20)]
    letters = "".join(chr(chance.randrange(0x20000, 0x2A6DF)) for _ in range(350))
    name = "".join(chance.choices(string.ascii_lowercase, k=100))
    long = sight(1, f"{'o' * 39}/{name}", description=letters, topics=topics, language="x" * 60)
    assert put(conn, long)
    assert held(conn, f"{'o' * 39}/{name}").description == letters


def test_owners_are_kept_as_far_as_answers_tell(conn: Conn) -> None:
    detail = OwnerSight(id=1, login="Acme", name="Acme Ltd", public_repos=4, seen_at=NOW)
    writes.catalog_orgs_upsert(conn, [detail])
    row = OwnerSight(id=1, login="Acme", type="Organization", seen_at=NOW + SECOND)
    writes.catalog_orgs_upsert(conn, [row])
    found = readers.catalog_org(conn, "acme")
    assert found
    assert (found.name, found.type, found.public_repos, found.seen_at) == (
        "Acme Ltd",
        "Organization",
        4,
        NOW + SECOND,
    )


def test_who_takes_a_login_is_the_one_that_has_it(conn: Conn) -> None:
    writes.catalog_orgs_upsert(conn, [OwnerSight(id=1, login="acme", seen_at=NOW)])
    writes.catalog_orgs_upsert(conn, [OwnerSight(id=2, login="Acme", seen_at=NOW + SECOND)])
    writes.catalog_orgs_evict(conn, [2])
    assert [each.id for each in readers.catalog_orgs(conn)] == [2]


@st.composite
def answers(draw: st.DrawFn) -> tuple[list[RepositorySight], list[int]]:
    """Sights of one repository's life by replicas that lag, and the order in which they come."""
    truth, updated = [], NOW
    for step in range(draw(st.integers(1, 6))):
        if draw(st.booleans()):
            updated = NOW + step * 5 * SECOND  # stars alone don't move it
        truth.append((NOW + step * 5 * SECOND, updated, step))
    sights = []
    for number in range(draw(st.integers(1, 8))):
        at = NOW + draw(st.integers(0, 40)) * SECOND + number * timedelta(microseconds=1)
        replica = at - draw(st.sampled_from((0, 0, 3, 7))) * SECOND
        shown = [each for each in truth if each[0] <= max(replica, NOW)][-1]
        sights.append(sight(1, "a/b", at, updated_at=shown[1], stargazers_count=shown[2]))
    order = draw(st.permutations(list(range(len(sights))) * 2))
    return sights, list(order)


@given(answers())
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_out_of_order_and_duplicate_answers_never_make_the_catalog_older(
    lasting: Conn, life: tuple[Sequence[RepositorySight], Sequence[int]]
) -> None:
    """Whatever the order, what is held is the newest so far: by updated_at, then by when."""
    sights, order = life
    with lasting.transaction(force_rollback=True):
        best: RepositorySight | None = None
        for place in order:
            come = sights[place]
            put(lasting, come)
            if best is None or (come.updated_at, come.seen_at) > (best.updated_at, best.seen_at):
                best = come
            row = held(lasting, "a/b")
            assert (row.updated_at, row.seen_at, row.stargazers_count) == (
                best.updated_at,
                best.seen_at,
                best.stargazers_count,
            )


FIELDS = ("description", "language", "topics", "default_branch", "pushed_at", "owner_id")


@given(st.lists(st.sets(st.sampled_from(FIELDS)), min_size=1, max_size=6))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_sight_ever_blanks_what_it_lacks(lasting: Conn, lacking: list[set[str]]) -> None:
    said = sight(1, "a/b", topics=["t"])
    with lasting.transaction(force_rollback=True):
        put(lasting, said)
        for number, lacks in enumerate(lacking, 1):
            silent: dict[str, Any] = dict.fromkeys(lacks)
            put(lasting, replace(said, seen_at=NOW + number * SECOND, **silent))
        row = held(lasting, "a/b")
        assert (row.description, row.language, row.topics, row.default_branch, row.pushed_at) == (
            "about b",
            "Python",
            ["t"],
            "main",
            NOW,
        )
