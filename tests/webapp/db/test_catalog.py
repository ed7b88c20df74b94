"""The catalog's plans on a catalog of some size: an index serves each query, whatever is asked."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from script.embedded import Postgres
from tests.webapp.db import plans
from tests.webapp.db.catalog_filled import NOW, Conn, catalog, fill, sight
from webapp.db import catalog as readers
from webapp.db.catalog_search import EPOCH, Key, Place, composed
from webapp.db.catalog_writes import catalog_upsert
from webapp.db.seed import FIRST_ID, WORDS

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
        ({"q": "praprapra"}, "repositories_search"),
        ({"topic": "praprapra"}, "repositories_topics"),
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


def test_history_is_read_from_its_index_alone(filled: Conn) -> None:
    with filled.transaction(force_rollback=True):
        catalog_upsert(filled, [sight(900_000, "a/b")])
        assert [
            day.stars for day in readers.catalog_history(filled, 900_000, today=NOW.date())
        ] == [0]
    statement = "explain (format json) select stars from repository_days where repository_id = 7"
    assert '"Index Only Scan"' in json.dumps(filled.execute(statement).fetchone())
