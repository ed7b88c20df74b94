"""What a search finds, page by page, and what it takes for text."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.webapp.catalog.conftest import Api, everything, statements


def found(api: Api, query: str) -> list[dict[str, Any]]:
    answer = api.get(f"/repos?{query}")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.get_json()["items"]
    return items


SEARCHES = (
    *("q=flask", "org=pallets", "language=python", "topic=web-framework", "archived=false"),
    *("fork=true", "visibility=public", "sort=name&order=desc", "q=web&org=pallets&limit=5"),
)


@pytest.mark.parametrize("query", SEARCHES)
def test_a_second_identical_search_runs_no_sql(filled_once: Api, query: str) -> None:
    first = filled_once.get(f"/repos?{query}")
    with statements() as ran:
        assert filled_once.get(f"/repos?{query}").data == first.data
    assert ran == []


def test_other_questions_are_other_searches(filled_once: Api) -> None:
    answers = {filled_once.get(f"/repos?{query}").data for query in SEARCHES}
    assert len(answers) == len(SEARCHES)


@pytest.mark.parametrize(
    ("query", "right"),
    [
        ("q=flask", lambda row: "flask" in f"{row['full_name']} {row['description']}".lower()),
        ("org=PSF", lambda row: row["owner"]["login"] == "psf"),
        ("language=PYTHON", lambda row: row["language"] == "Python"),
        ("topic=Flask", lambda row: "flask" in row["topics"]),
        ("archived=true", lambda row: row["archived"]),
        ("fork=false", lambda row: not row["fork"]),
        ("visibility=public", lambda row: not row["private"]),
    ],
)
def test_a_filter_finds_all_that_fit_and_nothing_else(
    filled_once: Api, query: str, right: Any
) -> None:
    every = everything(filled_once, "sort=name")
    names = [row["full_name"] for row in everything(filled_once, f"sort=name&{query}")]
    assert names == [row["full_name"] for row in every if right(row)]


@pytest.mark.parametrize(
    ("sort", "order"),
    list(itertools.product(["stars", "pushed", "updated", "name"], ["asc", "desc"])),
)
def test_pages_hold_each_row_once_and_in_order(filled_once: Api, sort: str, order: str) -> None:
    names = {"stars": "stargazers_count", "pushed": "pushed_at", "updated": "updated_at"}
    rows = everything(filled_once, f"sort={sort}&order={order}", limit=7)
    assert (
        len({row["id"] for row in rows}) == len(rows) == len(everything(filled_once, "sort=name"))
    )
    keys = [row[names.get(sort, "full_name")] for row in rows]
    assert keys == sorted(keys, key=lambda key: key or "", reverse=order == "desc")


def test_a_last_page_that_is_full_has_no_next(filled_once: Api) -> None:
    count = len(everything(filled_once, "org=psf"))
    assert filled_once.get(f"/repos?org=psf&limit={count}").get_json()["next"] is None


@pytest.mark.parametrize("cursor", ["00" * 9, "ff" * 9, "ff" * 310, "00" * 8 + "c3", "7f" * 16])
@pytest.mark.parametrize("sort", ["stars", "pushed", "updated", "name"])
def test_whatever_has_a_cursors_form_is_a_place(filled_once: Api, sort: str, cursor: str) -> None:
    assert filled_once.get(f"/repos?sort={sort}&cursor={cursor}").status_code == 200


def test_signs_alone_find_nothing(filled_once: Api) -> None:
    assert found(filled_once, "q=%E2%82%AC") == []


def test_wildcards_mean_themselves(filled_once: Api) -> None:
    assert found(filled_once, "q=f%25k") == found(filled_once, "q=fl_sk") == []


@pytest.mark.parametrize(
    "q", ["'; drop table repositories; --", 'x") or 1=1', "%(q0)s x", "{0} x", "\\ x", "$1 x"]
)
def test_what_looks_like_sql_is_only_looked_for(filled_once: Api, q: str) -> None:
    answer = filled_once.forewarm.app.test_client().get(
        "/api/repos",
        query_string={"q": q},
        headers={"Authorization": "Bearer fwk_a-key-for-tests-000001"},
        base_url="http://127.0.0.1:8000",
    )
    assert (answer.status_code, answer.get_json()["items"]) == (200, [])
    assert found(filled_once, "org=pallets")
