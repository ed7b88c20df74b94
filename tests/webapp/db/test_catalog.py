"""The catalog's plans on a catalog of some size: an index serves each query, whatever is asked."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, get_args

import psycopg
import pytest

from script.embedded import Postgres
from tests.webapp.db import plans
from tests.webapp.db.catalog_filled import NOW, Conn, catalog, fill, sight
from webapp.db import catalog as readers
from webapp.db.catalog_search import (
    EPOCH,
    Key,
    OrderName,
    Place,
    SortName,
    catalog_search,
    composed,
    place,
)
from webapp.db.catalog_writes import catalog_upsert
from webapp.db.seed import FIRST_ID, WORD_SHARES, WORDS

SORTS = ("stars", "pushed", "updated", "name")
PARAMETERS: dict[str, object] = {
    "names": ["old/1000000000007", "a/b"],
    "full_name": "a/b",
    "id": FIRST_ID + 7,
    "ids": [FIRST_ID + 7, FIRST_ID + 8],
    "owner": "nobody",
    "login": "nobody",
    "after": "m",
    "limit": 30,
    "at": NOW,
    "before": NOW.date(),
    "since": NOW.date(),
    "rows": "[]",
    "tags": ["repo:a/b"],
    "word0": "web",
    "part0": "%web%",
    "near": 2_000,
}
OWN: dict[str, dict[str, object]] = {
    "catalog_days_prune": {"rows": 100, "before": NOW.date() - timedelta(days=9)}
}


@pytest.fixture(scope="module")
def filled(postgres: Postgres) -> Iterator[Conn]:
    with catalog(postgres, "catalog_plans") as url:
        fill(url)
        with psycopg.connect(url, autocommit=True) as conn:
            yield conn


@pytest.mark.parametrize("name", plans.names_of("test_catalog"))
def test_every_statement_is_served_by_the_indexes_it_names(filled: Conn, name: str) -> None:
    plans.assert_served_by_the_indexes_it_names(filled, name, PARAMETERS | OWN.get(name, {}))


FILTERS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "a word": {"q": WORDS[3]},
    "a rare word": {"q": "praprapra"},
    "a word nobody has": {"q": "qzxqzx"},
    "the beginning of words": {"q": WORDS[3][:2]},
    "one letter": {"q": "q"},
    "two words": {"q": f"{WORDS[1]} {WORDS[2]}"},
    "punctuation and a letter": {"q": "c++"},
    "wildcards in words": {"q": "a_b% 100%"},
    "an owner": {"org": "web-auth-3-seeded"},
    "a common language": {"language": "Python"},
    "a rare language": {"language": "Raku"},
    "a topic": {"topic": WORDS[40]},
    "the archived": {"archived": True},
    "forks": {"fork": True},
    "the private": {"visibility": "private"},
    "an owner and a word": {"org": "web-auth-3-seeded", "q": WORDS[3]},
    "much": {
        "q": WORDS[2],
        "language": "Java",
        "topic": WORDS[5],
        "archived": False,
        "fork": False,
        "visibility": "public",
    },
}


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("filtered", FILTERS)
def test_a_search_reads_no_table_whole(filled: Conn, filtered: str, sort: Any) -> None:
    keys: dict[str, Key] = {"stars": 5, "pushed": NOW, "updated": NOW, "name": "m"}
    for order in ("asc", "desc"):
        for after in (None, Place(keys[sort], FIRST_ID)):
            statement, values = composed(sort=sort, order=order, after=after, **FILTERS[filtered])
            row = filled.execute("explain (format json) " + statement, values, prepare=False)
            assert "Seq Scan" not in json.dumps(row.fetchone())


@pytest.mark.parametrize(
    ("asked", "index"),
    [
        ({"sort": "stars"}, "repositories_stars"),
        ({"sort": "pushed", "order": "asc"}, "repositories_pushed"),
        ({"sort": "updated"}, "repositories_updated"),
        ({"sort": "name", "order": "desc"}, "repositories_name"),
        ({"sort": "stars", "org": "x"}, "repositories_owner_stars"),
        ({"sort": "pushed", "org": "x"}, "repositories_owner_pushed"),
        ({"sort": "updated", "org": "x"}, "repositories_owner_updated"),
        ({"sort": "name", "org": "x"}, "repositories_name"),
        ({"sort": "stars", "language": "Java"}, "repositories_language_stars"),
        ({"sort": "pushed", "language": "Java"}, "repositories_language_pushed"),
        ({"sort": "updated", "language": "Java"}, "repositories_language_updated"),
        ({"sort": "name", "language": "Java"}, "repositories_language_name"),
        ({"sort": "stars", "archived": True}, "repositories_archived_stars"),
        ({"sort": "pushed", "archived": True}, "repositories_archived_pushed"),
        ({"sort": "updated", "archived": True}, "repositories_archived_updated"),
        ({"sort": "stars", "fork": True}, "repositories_fork_stars"),
        ({"sort": "stars", "visibility": "internal"}, "repositories_hidden_stars"),
        ({"q": "praprapra"}, "repositories_terms"),
        ({"q": "praprapra", "archived": True}, "repositories_terms"),
        ({"topic": "praprapra"}, "repositories_terms"),
        ({"topic": "praprapra", "language": "Java"}, "repositories_terms"),
    ],
)
def test_a_page_comes_from_its_own_index(filled: Conn, asked: dict[str, Any], index: str) -> None:
    keys: dict[str, Key] = {"pushed": EPOCH}
    last = Place(keys[asked["sort"]], 0) if asked.get("order") == "asc" else None
    statement, values = composed(after=last, **asked)
    row = filled.execute("explain (format json) " + statement, values, prepare=False).fetchone()
    assert index in re.findall(r'"Index Name": "(\w+)"', json.dumps(row))


def test_what_few_match_is_found_in_an_index_alone(filled: Conn) -> None:
    statement, values = composed(q=WORDS[0], sort="pushed")
    row = filled.execute("explain (format json) " + statement, values, prepare=False).fetchone()
    assert '"Index Only Scan"' in json.dumps(row)


def test_words_topic_and_language_are_looked_for_in_one_index(filled: Conn) -> None:
    statement, values = composed(q="praprapra", topic=WORDS[5], language="Java")
    row = filled.execute("explain (format json) " + statement, values, prepare=False).fetchone()
    assert row
    found = re.search(
        r'"Index Cond": "(.*search ~~.*)"', json.dumps(row[0]).replace('", "', '",\n"')
    )
    assert found
    assert all(column in found[1] for column in ("search", "topics", "language_key"))


def test_history_is_read_from_its_index_alone(filled: Conn) -> None:
    with filled.transaction(force_rollback=True):
        catalog_upsert(filled, [sight(900_000, "a/b")])
        assert [
            day.stars for day in readers.catalog_history(filled, 900_000, today=NOW.date())
        ] == [0]
    statement = "explain (format json) select stars from repository_days where repository_id = 7"
    assert '"Index Only Scan"' in json.dumps(filled.execute(statement).fetchone())


ORDERED_BY = {
    "stars": "stargazers_count",
    "pushed": "pushed_key",
    "updated": "updated_at",
    "name": "name_key",
}
FURTHER_FILTERS: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "true"),
    ({"language": "python"}, "language_key = 'python'"),
    ({"topic": WORDS[3]}, f"'{WORDS[3]}' = any(topics)"),
    (
        {"archived": False, "fork": False, "visibility": "public"},
        "not archived and not fork and visibility = 'public'",
    ),
    ({"archived": True}, "archived"),
)


def plainly(filled: Conn, asked: dict[str, Any], condition: str, rows: int) -> list[int]:
    """Ids by a look at every row of the table."""
    by, order = ORDERED_BY[asked["sort"]], asked["order"]
    found = filled.execute(
        f"select id from repositories where search like all (%s) and {condition}"
        f" order by {by} {order}, id {order} limit %s".encode(),
        ([f"%{word}%" for word in asked["q"].split()], rows),
    )
    return [row[0] for row in found]


def way(filled: Conn, asked: dict[str, Any]) -> str:
    """Which part of the statement found the page."""
    statement, values = composed(**asked)
    row = filled.execute("explain (analyze, format json) " + statement, values, prepare=False)
    found: dict[str, int] = {}
    steps = [plan["Plan"] for (plan,) in row.fetchone() or ()]
    while steps:
        step = steps.pop()
        steps += step.get("Plans", ())
        found[step.get("Subplan Name", "")] = step["Actual Rows"]
    ways = (name for name in ("near", "further") if found.get(f"CTE {name}") == asked["limit"])
    return next(ways, "rest")


def test_each_way_finds_what_a_look_at_every_row_finds(filled: Conn) -> None:
    chance = random.Random(10)
    names = [row[0] for row in filled.execute("select name_key from repositories limit 50")]
    ways = set()
    for number in range(60):
        one, other = chance.choices(WORDS, cum_weights=WORD_SHARES, k=2)
        filters, condition = chance.choice(FURTHER_FILTERS)
        q = (one, one[:3], f"{one} {other}", chance.choice(names), chance.choice(WORDS))[number % 5]
        limit = chance.choice((3, 10, 30))
        asked = {
            "q": q,
            "sort": chance.choice(get_args(SortName)),
            "order": chance.choice(get_args(OrderName)),
            "limit": limit,
            **filters,
        }
        page = catalog_search(filled, **asked)
        after = place(page[-1], asked["sort"]) if page else None
        pages = [page, catalog_search(filled, **asked, after=after) if page else []]
        expected = plainly(filled, asked, condition, 2 * limit)
        assert [row.id for each in pages for row in each] == expected, asked
        ways.add(way(filled, asked))
    assert ways == {"near", "further", "rest"}
