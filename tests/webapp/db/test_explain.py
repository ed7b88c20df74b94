"""`flask explain` on a catalog at hand: every query judged, nothing changed."""

from __future__ import annotations

from collections.abc import Iterator

import orjson
import psycopg
import pytest
from click.testing import CliRunner

from script.embedded import Postgres
from tests.webapp.db.catalog_filled import Conn, catalog
from webapp.cli import database
from webapp.commands.explain import explain as command
from webapp.db import statements
from webapp.db.explain import Explained, explain, plan_lines, verdict
from webapp.db.seed import seed
from webapp.secret import Secret


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> Iterator[str]:
    with catalog(postgres, "explained") as url:
        seed(Secret(url), repos=12_000, orgs=40, days=2)
        yield url


@pytest.fixture(scope="module")
def conn(url: str) -> Iterator[Conn]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def explained(conn: Conn) -> dict[str, Explained]:
    return {each.query: each for each in explain(conn, analyze=True)}


def test_every_statement_is_explained(explained: dict[str, Explained]) -> None:
    named = {query.partition(":")[0] for query in explained}
    assert named == set(statements.names())


def test_no_query_of_the_catalog_reads_a_large_table_whole(explained: dict[str, Explained]) -> None:
    bad = [each for each in explained.values() if "whole: an index" in each.reason]
    assert bad == []


def test_what_reads_the_catalog_is_run(explained: dict[str, Explained]) -> None:
    one = explained["catalog_search: all, by stars"]
    assert one.rows == 30
    assert one.milliseconds
    assert one.buffers
    assert one.serves.startswith("GET /api/repos")
    assert next(plan_lines(one.plan)).endswith("30 rows")


def test_what_writes_is_never_run(conn: Conn, explained: dict[str, Explained]) -> None:
    writes = [each for each in explained.values() if each.plan.get("Node Type") == "ModifyTable"]
    assert len(writes) > 10
    assert [each.milliseconds for each in writes] == [None] * len(writes)


def test_a_dropped_index_shows(conn: Conn) -> None:
    with conn.transaction(force_rollback=True):
        conn.execute("drop index repositories_name, repositories_language_name")
        found = {each.query: each for each in explain(conn, analyze=False)}
    assert found["catalog_lookup"].state == "bad"
    assert "repositories (12,000 rows)" in found["catalog_lookup"].reason


def test_what_takes_long_is_bad() -> None:
    step = {"Node Type": "Index Scan", "Index Name": "x"}
    assert verdict([step], {}, 10.1) == ("bad", "took 10.1 ms, more than 10")
    assert verdict([step], {}, 9.9) == ("ok", "served by indexes")


def test_an_empty_catalog_is_explained_too(database_url: str) -> None:
    runner = CliRunner(env={"DATABASE_URL": database_url})
    assert runner.invoke(database, ["upgrade"]).exit_code == 0
    result = runner.invoke(command, ["--plans"])
    assert (result.exit_code, result.exception) == (0, None)


def test_the_command_prints_json(url: str) -> None:
    result = CliRunner(env={"DATABASE_URL": url}).invoke(command, ["--json"])
    found = orjson.loads(result.output)
    assert {"query", "serves", "state", "reason", "indexes", "plan"} <= set(found[0])


def test_seeding_again_replaces_what_was_seeded(url: str, conn: Conn) -> None:
    runner = CliRunner(env={"DATABASE_URL": url})
    result = runner.invoke(database, ["seed", "--repos", "600", "--days", "1"])
    assert result.output == "seeded 600 repositories\n"
    row = conn.execute(
        "select (select count(*) from repositories), (select count(*) from organisations),"
        " (select count(*) from repository_days)"
    ).fetchone()
    assert row == (600, 1, 600)
