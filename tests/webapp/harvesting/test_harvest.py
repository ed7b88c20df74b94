"""What is served enters the catalog: whose eyes, which answers, what follows from it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import orjson
import psycopg
import pytest

from script.embedded import Postgres, Valkey
from tests.serving import Forewarm
from tests.standin import landmarks
from tests.standin.accounts import ALICE_TOKEN, SERVICE_TOKEN
from tests.standin.process import StandIn
from tests.webapp.db.catalog_filled import sight
from tests.webapp.lasting import Applications, lasting_applications
from webapp.cache.keys import PUBLIC, SERVICE, Scope
from webapp.db import catalog
from webapp.db.catalog_search import catalog_search
from webapp.db.pool import Database
from webapp.errors import DatabaseUnavailable
from webapp.github.answer import Answer
from webapp.harvesting.batch import Batch, Changes
from webapp.harvesting.harvest import Harvest
from webapp.harvesting.sights import Seen

FLASK = "/repos/pallets/flask"


@pytest.fixture(scope="module")
def applications(valkey: Valkey, postgres: Postgres, standin: StandIn) -> Iterator[Applications]:
    with lasting_applications(valkey, postgres, standin, "harvest") as started:
        yield started


@pytest.fixture
def app(applications: Applications, github: StandIn) -> Forewarm:
    applications.empty(github)
    forewarm = applications()
    emptied(forewarm)
    return forewarm


def emptied(forewarm: Forewarm) -> None:
    assert forewarm.services.harvest.flush()
    with forewarm.services.database.connection() as conn:
        conn.execute(
            "truncate repositories, organisations, repository_days, repository_names,"
            " repositories_gone, catalog_purges"
        )


def names(forewarm: Forewarm) -> set[str]:
    assert forewarm.services.harvest.flush()
    with forewarm.services.database.connection() as conn:
        return {row.full_name for row in catalog_search(conn, limit=1_000)}


def held(forewarm: Forewarm, full_name: str) -> Any:
    assert forewarm.services.harvest.flush()
    with forewarm.services.database.connection() as conn:
        return next(iter(catalog.catalog_lookup(conn, [full_name])), None)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 15
    while not holds(condition):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def holds(condition: Callable[[], bool]) -> bool:
    """A PostgreSQL that has just started may be asked for a moment too early."""
    try:
        return condition()
    except DatabaseUnavailable:
        return False


def test_a_detail_enters(app: Forewarm, github: StandIn) -> None:
    said = app.get(FLASK).get_json()
    row = held(app, "pallets/flask")
    assert (row.id, row.full_name, row.stargazers_count, row.topics) == (
        said["id"],
        said["full_name"],
        said["stargazers_count"],
        said["topics"],
    )


def test_a_list_enters_with_its_owner(app: Forewarm) -> None:
    listed = app.get("/orgs/pallets/repos?per_page=100").get_json()
    assert names(app) == {row["full_name"] for row in listed}
    with app.services.database.connection() as conn:
        owner = catalog.catalog_org(conn, "pallets")
    assert owner
    assert (owner.login, owner.repositories) == ("pallets", len(listed))


def test_search_results_enter(app: Forewarm) -> None:
    app.get("/search/repositories?q=flask")
    assert "pallets/flask" in names(app)


def test_an_organisation_enters(app: Forewarm) -> None:
    said = app.get("/orgs/pallets").get_json()
    assert app.services.harvest.flush()
    with app.services.database.connection() as conn:
        owner = catalog.catalog_org(conn, "pallets")
    assert owner
    assert (owner.id, owner.public_repos) == (said["id"], said["public_repos"])


def test_what_a_callers_own_token_saw_never_enters(app: Forewarm) -> None:
    """Alice sees what the service doesn't; and what both see isn't hers to tell."""
    for path in (
        f"/repos/{landmarks.ALICE_PRIVATE}",
        "/orgs/initech/repos",
        "/user/repos",
        FLASK,
        "/search/repositories?q=alice",
        "/orgs/initech",
    ):
        assert app.get(path, token=ALICE_TOKEN).status_code == 200
    assert names(app) == set()
    with app.services.database.connection() as conn:
        assert catalog.catalog_orgs(conn) == []


def test_what_the_services_own_token_saw_for_a_caller_never_enters(app: Forewarm) -> None:
    """The scope decides, not who the token belongs to."""
    assert app.get(FLASK, token=SERVICE_TOKEN).status_code == 200
    assert names(app) == set()


def test_what_the_public_saw_enters(app: Forewarm) -> None:
    assert app.get(FLASK, token="").status_code == 200
    assert names(app) == {"pallets/flask"}


def test_a_private_repository_is_shown_to_the_service_and_hidden_by_no_public_404(
    app: Forewarm,
) -> None:
    path = f"/repos/{landmarks.SERVICE_PRIVATE}"
    assert app.get(path).status_code == 200
    assert app.get(path, token="").status_code == 404
    assert held(app, landmarks.SERVICE_PRIVATE).private


def test_a_404_for_the_service_takes_its_row(app: Forewarm, github: StandIn) -> None:
    app.get(FLASK)
    assert names(app) == {"pallets/flask"}
    github.delete_repo("pallets/flask")
    app.services.purger.purge(["repo:pallets/flask"], hard=True, cause="operator")
    assert app.get(FLASK).status_code == 404
    assert names(app) == set()


def test_a_rename_seen_by_its_new_name_keeps_one_row(app: Forewarm, github: StandIn) -> None:
    id_ = app.get(FLASK).get_json()["id"]
    github.rename_repo("pallets/flask", "flask2")
    app.get("/repos/pallets/flask2")
    assert names(app) == {"pallets/flask2"}
    assert held(app, "pallets/flask").id == id_


def test_what_is_purged_hard_is_dead_here_too(app: Forewarm) -> None:
    app.get(FLASK)
    assert names(app) == {"pallets/flask"}
    app.services.purger.purge(["repo:pallets/flask"], hard=True, cause="webhook")
    assert names(app) == set()


def test_what_was_purged_hard_comes_back_by_a_later_answer(app: Forewarm) -> None:
    id_ = app.get(FLASK).get_json()["id"]
    app.services.purger.purge(["repo:pallets/flask"], hard=True, cause="webhook")
    app.get(FLASK)
    assert held(app, "pallets/flask").id == id_


def test_an_owner_purged_hard_is_dead_with_all_that_is_theirs(app: Forewarm) -> None:
    app.get("/orgs/pallets/repos?per_page=100")
    assert names(app)
    app.services.purger.purge(["owner:pallets"], hard=True, cause="webhook")
    assert names(app) == set()


def test_a_rename_heard_of_by_webhook_is_found_by_its_former_name(
    app: Forewarm, github: StandIn
) -> None:
    id_ = app.get(FLASK).get_json()["id"]
    assert names(app)
    github.rename_repo("pallets/flask", "flask2")
    tags = ["repo:pallets/flask", "repo:pallets/flask2"]
    app.services.purger.purge(tags, hard=True, cause="webhook")
    app.get("/repos/pallets/flask2")
    assert held(app, "pallets/flask").full_name == "pallets/flask2"
    assert held(app, "pallets/flask2").id == id_


def test_a_list_row_that_differs_purges_the_detail_softly(app: Forewarm, github: StandIn) -> None:
    assert app.get(FLASK).headers["X-Cache"] == "MISS"
    held(app, "pallets/flask")
    github.change_repo("pallets/flask", description="another", webhook=False)
    app.get("/orgs/pallets/repos?per_page=100")
    assert app.services.harvest.flush()
    answer = app.get(FLASK)
    assert (answer.headers["X-Cache"], answer.get_json()["description"]) == ("MISS", "another")


def test_a_list_row_that_agrees_leaves_the_detail(app: Forewarm) -> None:
    app.get(FLASK)
    app.get("/orgs/pallets/repos?per_page=100")
    assert app.services.harvest.flush()
    assert app.get(FLASK).headers["X-Cache"] == "HIT"


def test_a_purge_marks_the_row_till_it_is_seen_again(app: Forewarm) -> None:
    app.get(FLASK)
    assert not held(app, "pallets/flask").purged
    app.services.purger.purge(["repo:pallets/flask"], hard=False, cause="webhook")
    assert held(app, "pallets/flask").purged
    app.get(FLASK)
    assert not held(app, "pallets/flask").purged


# The queue


@pytest.fixture
def harvest(app: Forewarm) -> Iterator[Harvest]:
    database = Database(app.settings.database_url, size=2)
    harvest = Harvest(database, room=100_000)
    yield harvest
    harvest.close()
    database.close()


def repository(app: Forewarm, **fields: Any) -> dict[str, Any]:
    said: dict[str, Any] = app.get(FLASK, token=ALICE_TOKEN).get_json()
    return said | fields


def test_listeners_hear_of_owners_whose_rows_really_changed(
    app: Forewarm, harvest: Harvest
) -> None:
    heard: list[Changes] = []
    harvest.subscribe(heard.append)
    row = repository(app)
    now = time.time()
    for at, stars in ((now, 1), (now + 1, 1), (now + 2, 2)):
        harvest.offer_rows([row | {"stargazers_count": stars}], at)
        assert harvest.flush()
    assert [(each.owners, each.details) for each in heard] == [
        (frozenset({"pallets"}), ()),
        (frozenset({"pallets"}), ("repo:pallets/flask",)),
    ]


def test_a_transfer_tells_both_owners(app: Forewarm, harvest: Harvest) -> None:
    heard: list[Changes] = []
    row = repository(app)
    harvest.offer_rows([row], time.time())
    assert harvest.flush()
    harvest.subscribe(heard.append)
    harvest.offer_rows([row | {"full_name": "psf/flask"}], time.time() + 1)
    assert harvest.flush()
    assert heard[0].owners == {"pallets", "psf"}


def test_a_row_that_is_not_whole_keeps_no_other_out(app: Forewarm, harvest: Harvest) -> None:
    good = repository(app)
    odd: list[dict[str, Any]] = [
        {"full_name": None},
        {"stargazers_count": "x"},
        {"visibility": "secret"},
        {"fork": None},
    ]
    rows = [good | {"id": number} | each for number, each in enumerate(odd, 2)]
    harvest.offer_rows([*rows, good], time.time())
    assert harvest.flush()
    assert names(app) == {"pallets/flask"}


def test_a_row_that_postgresql_refuses_keeps_no_other_out(app: Forewarm) -> None:
    batch = Batch()
    good = sight(1, "a/good")
    batch.add(Seen([replace(good, id=2, visibility="secret"), good], []))
    with app.services.database.connection() as conn:
        assert batch.write(conn).owners == {"a"}
    assert names(app) == {"a/good"}
    assert batch.counts == {"written": 1, "refused": 1}


def test_what_has_no_room_is_dropped_and_counted(app: Forewarm, harvest: Harvest) -> None:
    asked_at = time.time()
    large = b"[" + b" " * 60_000 + b"]"
    for _ in range(20):
        harvest.offer("/orgs/pallets/repos", large, asked_at)
    assert harvest.flush()
    assert harvest.counts["offered"] == 20
    assert harvest.counts["dropped"] >= 18


@pytest.mark.parametrize("path", ["/repos/{}/x", "/repos/x/{}", "/orgs/{}", "/users/{}"])
def test_a_name_that_postgresql_refuses_keeps_no_other_out(app: Forewarm, path: str) -> None:
    assert app.get(path.format(secrets.token_hex(1_900))).status_code == 404
    assert "pallets/flask" in names_after(app, FLASK)


def test_a_purged_name_that_postgresql_refuses_keeps_no_other_out(app: Forewarm) -> None:
    app.get(FLASK)
    app.services.purger.purge(
        [f"repo:{secrets.token_hex(1_900)}/x", "repo:pallets/flask"], hard=False, cause="mutation"
    )
    app.services.purger.purge(["repo:pallets/flask"], hard=False, cause="webhook")
    assert held(app, "pallets/flask").purged


def names_after(app: Forewarm, path: str) -> set[str]:
    app.get(path)
    return names(app)


def test_a_purge_has_room_where_answers_have_none(
    app: Forewarm, harvest: Harvest, postgres: Postgres
) -> None:
    app.get(FLASK)
    assert not held(app, "pallets/flask").purged
    postgres.stop()
    large = b"[" + b" " * 60_000 + b"]"
    for _ in range(4):
        harvest.offer("/orgs/pallets/repos", large, time.time())
    purge_of(harvest, "repo:pallets/flask")
    postgres.start()
    assert harvest.flush(10)
    assert harvest.counts["dropped"]
    wait_until(lambda: held(app, "pallets/flask").purged)


def test_purges_without_room_are_noted_as_one_of_everything(
    app: Forewarm, harvest: Harvest, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.harvesting.harvest.EFFECTS_MOST", 3)
    app.get(FLASK)
    assert not held(app, "pallets/flask").purged
    postgres.stop()
    for number in range(10):
        purge_of(harvest, f"repo:psf/{number}")
    purge_of(harvest, "repo:pallets/flask")
    postgres.start()
    assert harvest.flush(10)
    wait_until(lambda: held(app, "pallets/flask").purged)


BROKEN_ONCE = """
create sequence notes;
create function break_the_first() returns trigger language plpgsql as $$
begin
    if nextval('notes') = 1 then
        perform pg_terminate_backend(pg_backend_pid());
    end if;
    return new;
end
$$;
create trigger break_the_first before insert on catalog_purges
    for each row execute function break_the_first();
"""


@contextmanager
def broken_once(app: Forewarm) -> Iterator[None]:
    """The connection of the first note of a purge breaks."""
    with psycopg.connect(app.settings.database_url.reveal(), autocommit=True) as conn:
        conn.execute(BROKEN_ONCE)
        yield
        conn.execute("drop function break_the_first cascade")
        conn.execute("drop sequence notes")


def test_the_note_of_everything_outlasts_a_broken_connection(
    app: Forewarm, harvest: Harvest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch is written again, with the moment that it took."""
    app.get(FLASK)
    assert not held(app, "pallets/flask").purged
    monkeypatch.setattr("webapp.harvesting.harvest.EFFECTS_MOST", 0)
    monkeypatch.setattr("webapp.harvesting.harvest.RETRY_EVERY", 0.01)
    with broken_once(app):
        purge_of(harvest, "repo:pallets/flask")
        harvest.offer(FLASK, b"null", time.time())  # a sight of nothing: the thread begins
        assert harvest.flush(10)
    assert held(app, "pallets/flask").purged


def purge_of(harvest: Harvest, tag: str) -> None:
    harvest.purged(None, tags=[tag], hard=False, cause="webhook")


def test_the_queue_outwaits_an_outage(app: Forewarm, harvest: Harvest, postgres: Postgres) -> None:
    row = repository(app)
    postgres.stop()
    began = time.monotonic()
    harvest.offer_rows([row], time.time())
    assert time.monotonic() - began < 0.2  # who waited would wait for the pool: 0.25 s
    assert not harvest.flush(0.3)
    postgres.start()
    assert harvest.flush(10)
    wait_until(lambda: "pallets/flask" in names(app))


@pytest.mark.parametrize("scope", [SERVICE, PUBLIC, Scope("token", "token:00")])
def test_the_door_looks_at_the_scope(app: Forewarm, harvest: Harvest, scope: Scope) -> None:
    answer = Answer(200, {}, orjson.dumps(repository(app)), time.time())
    harvest.answer(FLASK, scope, answer)
    assert harvest.flush()
    assert names(app) == ({"pallets/flask"} if scope.archived else set())


@pytest.mark.parametrize(
    "said", [b"null", b"[]", b"{}", b'"x"', b"[null, 1, [], {}]", b"not json", b'{"items": 1}']
)
@pytest.mark.parametrize("path", [FLASK, "/orgs/pallets/repos", "/search/repositories", "/orgs/x"])
def test_odd_bodies_are_no_sights(app: Forewarm, harvest: Harvest, path: str, said: bytes) -> None:
    harvest.offer(path, said, time.time())
    assert harvest.flush()
    assert harvest.counts["written"] == 0
