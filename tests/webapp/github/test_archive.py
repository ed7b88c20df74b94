"""The archive shelf: what of GitHub's answers is kept in PostgreSQL, and what a 304 does to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import psycopg
import pytest

from tests.serving import API_KEY, Forewarm, ForewarmFactory
from tests.standin.accounts import (
    ALICE_TOKEN,
    BOB_TOKEN,
    FINE_GRAINED_TOKEN,
    PUBLIC_TOKEN,
    SERVICE_TOKEN,
    SERVICE_TOKEN_2,
)
from tests.standin.landmarks import SHARED_PRIVATE
from tests.standin.process import SeenRequest, StandIn
from tests.webapp.github.conftest import Rows
from tests.webapp.github.origin import Asked, Origin, Slow, head, reply
from webapp.cache.keys import PUBLIC, SERVICE, Scope, canonical_target
from webapp.errors import GitHubUnavailable
from webapp.github.answer import Answer
from webapp.github.asker import Asker

LIST = "/orgs/pallets/repos"
DETAIL = "/repos/pallets/flask"


def ask(forewarm: Forewarm, path: str, scope: Scope = SERVICE) -> Answer:
    """GitHub's answer by way of the archive alone, as if Redis were empty."""
    bare, _, query = path.partition("?")
    target = canonical_target(bare, query, "", "")
    return forewarm.services.client.get(target, Asker(scope), None)


def last(github: StandIn, path: str) -> SeenRequest:
    return github.requests(path)[-1]


# What is kept


def test_a_200_is_kept_raw_with_its_validators(
    forewarm: Forewarm, github: StandIn, rows: Rows
) -> None:
    answer = ask(forewarm, f"{LIST}?per_page=5")
    (row,) = rows()
    assert answer.body is not None
    assert row["body"] == answer.body
    assert f'"{github.url}/'.encode() in answer.body
    assert row["etag"] == answer.headers["ETag"]
    assert row["link"] == answer.headers["Link"]
    assert github.url in str(row["link"])
    assert row["content_type"] == "application/json; charset=utf-8"
    assert row["status"] == 200
    assert row["path"] == LIST
    assert row["tags"] == ["repos:pallets", "owner:pallets", "all"]
    assert row["fetched_at"] == row["confirmed_at"]


def test_volatile_headers_are_not_kept(forewarm: Forewarm, github: StandIn, rows: Rows) -> None:
    github.switch(set_cookies=["_gh_sess=abc; path=/", "logged_in=no"])
    ask(forewarm, DETAIL)
    (row,) = rows()
    assert row["headers"] == {
        "X-GitHub-Media-Type": "github.v3; format=json",
        "X-GitHub-Api-Version-Selected": "2022-11-28",
    }


def test_no_token_is_in_any_row(
    start_forewarm: ForewarmFactory, archive_connection: psycopg.Connection
) -> None:
    forewarm = start_forewarm(GITHUB_PUBLIC_TOKEN=PUBLIC_TOKEN)
    for token in (API_KEY, ALICE_TOKEN, BOB_TOKEN, ""):
        for path in (LIST, DETAIL, f"/repos/{SHARED_PRIVATE}", "/users/mitsuhiko"):
            forewarm.get(path, token)
            forewarm.services.purger.purge(["all"], hard=False, cause="operator")
            forewarm.get(path, token)
    found = archive_connection.execute(
        "select upstream_responses::text || convert_from(body, 'utf8') from upstream_responses"
        " union all select purges::text from purges"
    ).fetchall()
    assert len(found) >= 7
    everything = "\n".join(row[0] for row in found)
    for secret in (
        *(API_KEY, SERVICE_TOKEN, SERVICE_TOKEN_2, PUBLIC_TOKEN),
        *(ALICE_TOKEN, BOB_TOKEN, FINE_GRAINED_TOKEN),
    ):
        assert secret not in everything
    assert "Bearer" not in everything


def test_what_a_callers_token_saw_is_not_kept(forewarm: Forewarm, rows: Rows) -> None:
    assert forewarm.get(f"/repos/{SHARED_PRIVATE}", ALICE_TOKEN).status_code == 200
    assert forewarm.get(LIST, ALICE_TOKEN).status_code == 200
    assert rows() == []


def test_service_and_public_eyes_have_rows_of_their_own(
    forewarm: Forewarm, github: StandIn, rows: Rows
) -> None:
    ask(forewarm, DETAIL, SERVICE)
    ask(forewarm, DETAIL, PUBLIC)
    assert sorted(str(row["key"]).partition(":")[0] for row in rows()) == ["public", "service"]
    assert [each.conditional for each in github.requests(DETAIL)] == [False, False]


def test_each_page_and_representation_has_a_row_of_its_own(forewarm: Forewarm, rows: Rows) -> None:
    for query in ("", "?page=2", "?per_page=100", "?sort=full_name"):
        ask(forewarm, LIST + query)
    assert len({row["key"] for row in rows()}) == 4


# Revalidation


def test_validators_are_sent_and_a_304_costs_no_point(forewarm: Forewarm, github: StandIn) -> None:
    first = ask(forewarm, DETAIL)
    points = github.points()
    second = ask(forewarm, DETAIL)
    assert last(github, DETAIL).headers["if-none-match"] == first.headers["ETag"]
    assert (last(github, DETAIL).status, second.status) == (304, 200)
    assert second.confirmed
    assert second.upstream_status == 304
    assert second.body == first.body
    assert github.points() == points


def test_a_304_touches_times_alone(
    forewarm: Forewarm, archive_connection: psycopg.Connection, rows: Rows
) -> None:
    def toast() -> Any:
        query = "select pg_column_toast_chunk_id(body) from upstream_responses"
        return archive_connection.execute(query).fetchone()

    ask(forewarm, f"{LIST}?per_page=100")
    (before,), where = rows(), toast()
    assert where != (None,)
    ask(forewarm, f"{LIST}?per_page=100")
    (after,) = rows()
    assert {name for name in after if after[name] != before[name]} == {"xmin", "confirmed_at"}
    assert after["confirmed_at"] > before["confirmed_at"]  # type: ignore[operator]
    assert toast() == where


def test_a_304_keeps_the_link_of_the_200(forewarm: Forewarm, github: StandIn, rows: Rows) -> None:
    first = ask(forewarm, LIST)
    second = ask(forewarm, LIST)
    assert last(github, LIST).status == 304
    assert second.headers["Link"] == first.headers["Link"]
    assert rows()[0]["link"] == first.headers["Link"]


def test_a_304_without_an_etag_keeps_the_one_held(
    forewarm: Forewarm, github: StandIn, rows: Rows
) -> None:
    github.switch(etag_on_304=False)
    first = ask(forewarm, LIST)
    for _ in range(2):
        assert ask(forewarm, LIST).confirmed
    assert rows()[0]["etag"] == first.headers["ETag"]
    assert [each.status for each in github.requests(LIST)] == [200, 304, 304]


def test_a_new_etag_on_a_304_is_the_next_validator(
    start_forewarm: ForewarmFactory, rows: Rows
) -> None:
    def answering(asked: Asked) -> Iterable[bytes]:
        if "if-none-match" in asked.headers:
            return [head("304 Not Modified", ETag='"second"')]
        return [reply(b"{}", ETag='"first"')]

    with Origin(answering) as origin:
        forewarm = start_forewarm(GITHUB_API_URL=origin.url)
        for _ in range(3):
            ask(forewarm, DETAIL)
    validators = [each.headers.get("if-none-match") for each in origin.asked]
    assert validators == [None, '"first"', '"second"']
    assert rows()[0]["etag"] == '"second"'


def test_without_an_etag_the_date_is_the_validator(start_forewarm: ForewarmFactory) -> None:
    date = "Wed, 01 Jul 2026 10:00:00 GMT"

    def answering(asked: Asked) -> Iterable[bytes]:
        if asked.headers.get("if-modified-since") == date:
            return [head("304 Not Modified")]
        return [reply(b'{"id": 1}', Last_Modified=date)]

    with Origin(answering) as origin:
        forewarm = start_forewarm(GITHUB_API_URL=origin.url)
        assert not ask(forewarm, DETAIL).confirmed
        second = ask(forewarm, DETAIL)
    assert second.confirmed
    assert second.body == b'{"id": 1}'
    assert "if-none-match" not in origin.asked[-1].headers


def test_a_changed_answer_replaces_the_row(forewarm: Forewarm, github: StandIn, rows: Rows) -> None:
    first = ask(forewarm, DETAIL)
    github.change_repo("pallets/flask", description="another")
    second = ask(forewarm, DETAIL)
    assert not second.confirmed
    assert second.body != first.body
    (row,) = rows()
    assert row["body"] == second.body
    assert row["etag"] == second.headers["ETag"]


def test_no_row_is_served_while_github_is_away(forewarm: Forewarm, github: StandIn) -> None:
    ask(forewarm, DETAIL)
    github.fault("status", status=500)
    with pytest.raises(GitHubUnavailable):
        ask(forewarm, DETAIL)


def test_what_is_no_longer_json_ends_the_row(start_forewarm: ForewarmFactory, rows: Rows) -> None:
    answers = iter(
        [reply(b"{}", ETag='"json"'), reply(b"<html>", ETag='"html"', Content_Type="text/html")]
    )
    with Origin(lambda _: [next(answers)]) as origin:
        forewarm = start_forewarm(GITHUB_API_URL=origin.url)
        ask(forewarm, DETAIL)
        assert len(rows()) == 1
        answer = ask(forewarm, DETAIL)
        assert b"".join(answer.chunks()) == b"<html>"
    assert rows() == []


# Who comes late


@pytest.fixture
def slow() -> Iterator[tuple[Origin, Slow]]:
    answering = Slow()
    with Origin(answering) as origin:
        yield origin, answering


def asking(forewarm: Forewarm, slow: Slow) -> tuple[threading.Thread, Callable[[], Answer]]:
    """Ask in a thread that has reached GitHub when this returns."""
    got: list[Answer] = []
    thread = threading.Thread(target=lambda: got.append(ask(forewarm, DETAIL)))
    thread.start()
    slow.wait_for_call()

    def result() -> Answer:
        thread.join(10)
        return got[0]

    return thread, result


def test_an_older_answer_never_replaces_a_newer(
    start_forewarm: ForewarmFactory, slow: tuple[Origin, Slow], rows: Rows
) -> None:
    origin, github = slow
    forewarm = start_forewarm(GITHUB_API_URL=origin.url)
    _, first = asking(forewarm, github)
    _, second = asking(forewarm, github)
    github.release(1, reply(b'{"version": 2}', ETag='"2"'))
    assert second().body == b'{"version": 2}'
    github.release(0, reply(b'{"version": 1}', ETag='"1"'))
    assert first().body == b'{"version": 1}'
    (row,) = rows()
    assert (row["body"], row["etag"]) == (b'{"version": 2}', '"2"')


def test_a_late_304_says_nothing_of_a_newer_answer(
    start_forewarm: ForewarmFactory, slow: tuple[Origin, Slow], rows: Rows
) -> None:
    origin, github = slow
    forewarm = start_forewarm(GITHUB_API_URL=origin.url)
    _, kept = asking(forewarm, github)
    github.release(0, reply(b'{"version": 1}', ETag='"1"'))
    kept()
    _, late = asking(forewarm, github)
    _, newer = asking(forewarm, github)
    github.release(2, reply(b'{"version": 2}', ETag='"2"'))
    newer()
    (before,) = rows()
    github.release(1, head("304 Not Modified", ETag='"1"'))
    assert late().body == b'{"version": 1}'
    assert rows() == [before]


def test_an_answer_asked_for_before_a_hard_purge_is_not_kept(
    start_forewarm: ForewarmFactory, slow: tuple[Origin, Slow], rows: Rows
) -> None:
    origin, github = slow
    forewarm = start_forewarm(GITHUB_API_URL=origin.url)
    _, late = asking(forewarm, github)
    forewarm.services.purger.purge(["repo:pallets/flask"], hard=True, cause="operator")
    github.release(0, reply(b'{"version": 1}', ETag='"1"'))
    late()
    assert rows() == []


def test_a_304_doesnt_bring_a_hard_purged_row_back(
    start_forewarm: ForewarmFactory, slow: tuple[Origin, Slow], rows: Rows
) -> None:
    origin, github = slow
    forewarm = start_forewarm(GITHUB_API_URL=origin.url)
    _, kept = asking(forewarm, github)
    github.release(0, reply(b'{"version": 1}', ETag='"1"'))
    kept()
    _, late = asking(forewarm, github)
    forewarm.services.purger.purge(["repo:pallets/flask"], hard=True, cause="operator")
    github.release(1, head("304 Not Modified", ETag='"1"'))
    late()
    assert rows() == []


# Without PostgreSQL


def test_without_postgresql_the_archive_is_simply_empty(start_forewarm: ForewarmFactory) -> None:
    forewarm = start_forewarm(DATABASE_URL="postgresql://127.0.0.1:1/nowhere")
    assert forewarm.get(DETAIL).headers["X-Cache"] == "MISS"
    assert forewarm.get(DETAIL).headers["X-Cache"] == "HIT"
    assert not ask(forewarm, DETAIL).confirmed
    archive = forewarm.services.archive
    assert archive.held(canonical_target(DETAIL, "", "", ""), SERVICE) is None


def test_held_is_githubs_last_word_for_grace(forewarm: Forewarm, rows: Rows) -> None:
    first = ask(forewarm, LIST)
    held = forewarm.services.archive.held(canonical_target(LIST, "", "", ""), SERVICE)
    assert held is not None
    assert (held.status, held.body) == (200, first.body)
    assert held.headers["Link"] == first.headers["Link"]
    assert held.asked_at == pytest.approx(first.asked_at, abs=0.001)


def test_held_knows_nothing_of_a_callers_token(forewarm: Forewarm) -> None:
    ask(forewarm, LIST)
    scope = Scope("token", "token:abc")
    assert forewarm.services.archive.held(canonical_target(LIST, "", "", ""), scope) is None
