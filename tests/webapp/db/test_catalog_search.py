"""What a search finds, held against plain Python over the same rows; and its pages."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

import psycopg
import pytest

from script.embedded import Postgres
from tests.webapp.db.catalog_filled import NOW, SECOND, Conn, catalog, sight
from webapp.db.catalog import CatalogRow
from webapp.db.catalog_search import (
    EPOCH,
    OrderName,
    SortName,
    catalog_search,
    place,
    searchable,
)
from webapp.db.catalog_writes import RepositorySight, catalog_upsert

SORTS, ORDERS = get_args(SortName), get_args(OrderName)


def rows() -> list[RepositorySight]:
    """A few hundred, with ties in every sort key."""
    chance = random.Random(5)
    owners, names = ("Pallets", "psf", "x"), ("web", "Flask", "q")
    words = ("Flask", "web", "c++", "100%", "snake_case", "über", "tail.end", "re-do", "x")
    return [
        sight(
            number + 1,
            "/".join((chance.choice(owners), f"{chance.choice(names)}-{number}")),
            description=" ".join(chance.choices(words, k=3)),
            language=chance.choice(("Python", "C", "")),
            topics=chance.sample(("web", "wsgi", "c-lang"), k=chance.randrange(3)),
            archived=chance.random() < 0.3,
            fork=chance.random() < 0.3,
            visibility=chance.choice(("public", "public", "private", "internal")),
            stargazers_count=chance.randrange(5),
            pushed_at=chance.choice((None, NOW, NOW + SECOND)),
            updated_at=NOW + chance.randrange(3) * SECOND,
        )
        for number in range(300)
    ]


ROWS = rows()


@pytest.fixture(scope="module")
def conn(postgres: Postgres) -> Iterator[Conn]:
    with (
        catalog(postgres, "catalog_search") as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        catalog_upsert(connection, ROWS)
        yield connection


@pytest.fixture(scope="module")
def changing(postgres: Postgres) -> Iterator[Conn]:
    with (
        catalog(postgres, "catalog_paging") as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        yield connection


def text(row: RepositorySight) -> str:
    name = row.name.replace("-", " ").replace("_", " ").replace(".", " ")
    return f" {row.owner}/{row.name} {name} {row.description}".lower()


def key(row: RepositorySight, sort: str) -> Any:
    keys = {
        "stars": row.stargazers_count,
        "pushed": row.pushed_at or EPOCH,
        "updated": row.updated_at,
        "name": f"{row.owner}/{row.name}".lower(),
    }
    return keys[sort], row.id


def ids(found: list[CatalogRow]) -> list[int]:
    return [row.id for row in found]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("sort", SORTS)
def test_a_sort_orders_by_its_key_then_by_id(conn: Conn, sort: SortName, order: OrderName) -> None:
    expected = sorted(ROWS, key=lambda row: key(row, sort), reverse=order == "desc")
    found = catalog_search(conn, sort=sort, order=order, limit=1_000)
    assert ids(found) == [row.id for row in expected]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("sort", SORTS)
def test_pages_are_the_whole_in_pieces(conn: Conn, sort: SortName, order: OrderName) -> None:
    whole = catalog_search(conn, sort=sort, order=order, limit=1_000)
    found, after = [], None
    while page := catalog_search(conn, sort=sort, order=order, limit=7, after=after):
        found += page
        after = place(page[-1], sort)
    assert found == whole


@pytest.mark.parametrize(
    ("asked", "holds"),
    [
        ({"org": "PALLETS"}, lambda row: row.owner == "Pallets"),
        ({"org": "PALLETS", "sort": "name"}, lambda row: row.owner == "Pallets"),
        ({"org": "pallets/"}, lambda row: False),
        ({"language": "python"}, lambda row: row.language == "Python"),
        ({"topic": "WSGI"}, lambda row: "wsgi" in row.topics),
        ({"archived": True}, lambda row: row.archived),
        ({"archived": False}, lambda row: not row.archived),
        ({"fork": True}, lambda row: row.fork),
        ({"fork": False}, lambda row: not row.fork),
        ({"visibility": "internal"}, lambda row: row.visibility == "internal"),
        ({"visibility": "public"}, lambda row: row.visibility == "public"),
        ({"q": "lask"}, lambda row: "lask" in text(row)),
        ({"q": "FLASK über"}, lambda row: "flask" in text(row) and "über" in text(row)),
        ({"q": "100%"}, lambda row: "100%" in text(row)),
        ({"q": "snake_case"}, lambda row: "snake_case" in text(row)),
        ({"q": "snakeXcase"}, lambda row: False),
        ({"q": "pallets/fla"}, lambda row: "pallets/fla" in text(row)),
        ({"q": "c++"}, lambda row: " c++" in text(row)),
        ({"q": "we"}, lambda row: " we" in text(row)),
        ({"q": "x"}, lambda row: " x" in text(row)),
        ({"q": "do"}, lambda row: " do" in text(row)),
        ({"q": "'; drop table repositories; --"}, lambda row: False),
        ({"q": "back\\slash"}, lambda row: False),
        (
            {"q": "web", "org": "psf", "language": "C", "archived": False, "fork": False},
            lambda row: (
                "web" in text(row)
                and (row.owner, row.language, row.archived, row.fork) == ("psf", "C", False, False)
            ),
        ),
    ],
)
def test_a_filter_keeps_what_holds(conn: Conn, asked: dict[str, Any], holds: Any) -> None:
    found = catalog_search(conn, limit=1_000, **asked)
    assert sorted(ids(found)) == [row.id for row in ROWS if holds(row)]


@pytest.mark.parametrize("q", ["%", "_ %", "++ --", "   ", "\\"])
def test_a_q_of_signs_alone_is_not_searchable(conn: Conn, q: str) -> None:
    assert not searchable(q)
    with pytest.raises(ValueError, match="neither a letter nor a digit"):
        catalog_search(conn, q=q)


def test_a_q_of_ten_thousand_letters_finds_nothing(conn: Conn) -> None:
    assert catalog_search(conn, q="a b" * 3_333 + "x" * 10_000) == []


def test_rows_have_githubs_fields(conn: Conn) -> None:
    row = next(row for row in ROWS if row.pushed_at is None and row.language == "")
    found = catalog_search(conn, q=row.name, org=row.owner)[0]
    assert (found.full_name, found.private, found.pushed_at, found.language, found.topics) == (
        f"{row.owner}/{row.name}",
        row.visibility != "public",
        None,
        None,
        row.topics,
    )


@pytest.mark.parametrize("sort", SORTS)
def test_paging_gives_each_row_once_while_others_come_go_and_change(
    changing: Conn, sort: SortName
) -> None:
    """What stays where it is comes exactly once; `benchmarks.paging` does it over 100,000."""
    chance = random.Random(9)
    conn = changing
    with conn.transaction(force_rollback=True):
        catalog_upsert(conn, ROWS)
        moving = {row.id for row in chance.sample(ROWS, 60)}
        found: list[int] = []
        after, step = None, 0
        while page := catalog_search(conn, sort=sort, limit=20, after=after):
            found += ids(page)
            after = place(page[-1], sort)
            step += 1
            at = NOW + step * timedelta(hours=1)
            new = [replace(row, id=row.id + 1_000 * step, seen_at=at) for row in ROWS[::9]]
            changed = [
                # Those that stay change all that doesn't sort.
                replace(row, description="changed", forks_count=step, seen_at=at)
                if row.id not in moving
                else replace(
                    row,
                    name=f"{chance.choice('az')}{row.name}",
                    stargazers_count=chance.randrange(9),
                    pushed_at=at,
                    updated_at=at,
                    seen_at=at,
                )
                for row in chance.sample(ROWS, 40)
            ]
            catalog_upsert(conn, new)
            catalog_upsert(conn, changed)
        stayed = [id_ for id_ in found if id_ <= len(ROWS) and id_ not in moving]
        assert sorted(stayed) == [row.id for row in ROWS if row.id not in moving]
