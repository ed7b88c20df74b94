"""Results kept for a while, on a real Valkey: by key, by owner, void after a purge."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask_caching import Cache

from script.embedded import Valkey
from webapp.cache.backend import CACHE_TYPE, EntryBackend
from webapp.cache.connection import Connection
from webapp.cache.results import Results, forgotten_with, tags_of
from webapp.cache.store import Store
from webapp.secret import Secret


class Counted:
    """Something that is computed: how often, and what it gives now."""

    def __init__(self, value: object = "first") -> None:
        self.value = value
        self.times = 0

    def __call__(self) -> object:
        self.times += 1
        return self.value


@pytest.fixture
def backend(redis_url: str) -> Iterator[EntryBackend]:
    connection = Connection(Secret(redis_url), size=4)
    caching = Cache()
    caching.init_app(
        Flask(__name__), config={"CACHE_TYPE": CACHE_TYPE, "CACHE_REDIS_CLIENT": connection}
    )
    backend = caching.app.extensions["cache"][caching]
    assert isinstance(backend, EntryBackend)
    yield backend
    connection.close()


@pytest.fixture
def results(backend: EntryBackend) -> Results:
    return Results(backend)


def ask(results: Results, computed: Counted, owner: str | None = "a", argument: int = 1) -> object:
    return results.cached("test", [owner, argument], tags_of(owner), 60, computed)


@pytest.mark.parametrize("value", [None, 0, "text", b"bytes", [1, {"a": None}], {"b": [2.5]}])
def test_what_was_computed_is_given_again(results: Results, value: object) -> None:
    computed = Counted(value)
    assert [ask(results, computed), ask(results, computed)] == [value, value]
    assert computed.times == 1


def test_other_arguments_are_computed_for_themselves(results: Results) -> None:
    computed = Counted()
    ask(results, computed, argument=1)
    ask(results, computed, argument=2)
    assert computed.times == 2


def test_it_is_kept_through_flask_caching_until_its_time_is_over(
    results: Results, backend: EntryBackend
) -> None:
    results.cached("test", 1, tags_of("a"), 60, Counted())
    (key,) = backend.connection.keys("fw:r:*")
    assert 59_000 < backend.connection.pttl(key) <= 60_000
    assert isinstance(key, bytes)
    assert backend.get(key.decode())[1] == "first"


@pytest.mark.parametrize("tag", ["repo:a/b", "repos:a", "org:a", "owner:a", "all"])
@pytest.mark.parametrize("owner", ["A", None])
def test_a_purge_makes_an_owners_results_void_and_those_over_all(
    results: Results, backend: EntryBackend, owner: str | None, tag: str
) -> None:
    computed = Counted()
    ask(results, computed, owner)
    Store(backend, longest=10).purge([tag], hard=False)
    ask(results, computed, owner)
    assert computed.times == 2


def test_a_purge_leaves_other_owners_results(results: Results, backend: EntryBackend) -> None:
    computed = Counted()
    ask(results, computed, "a")
    Store(backend, longest=10).purge(["repo:b/c", "repos:any"], hard=True)
    ask(results, computed, "a")
    assert computed.times == 1


def test_owners_whose_rows_changed_are_forgotten(results: Results) -> None:
    theirs, over_all, others = Counted(), Counted(), Counted()
    for _ in range(2):
        ask(results, theirs, "a")
        ask(results, over_all, None)
        ask(results, others, "b")
        results.forget_owners(["A"])
    assert (theirs.times, over_all.times, others.times) == (2, 2, 1)


def test_what_is_forgotten_while_it_is_computed_is_not_taken_for_new(results: Results) -> None:
    computed = Counted("old")

    def overtaken() -> object:
        results.forget_owners(["a"])
        return "old"

    assert results.cached("test", ["a", 1], tags_of("a"), 60, overtaken) == "old"
    computed.value = "new"
    assert ask(results, computed) == "new"


def test_lost_tags_make_results_void(results: Results, backend: EntryBackend) -> None:
    computed = Counted()
    ask(results, computed)
    backend.connection.delete(*backend.connection.keys("fw:t:*"))
    ask(results, computed)
    assert computed.times == 2


def test_bytes_of_another_making_are_computed_anew(results: Results, backend: EntryBackend) -> None:
    computed = Counted()
    ask(results, computed)
    (key,) = backend.connection.keys("fw:r:*")
    backend.connection.set(key, b"m\xc1 no msgpack")
    assert ask(results, computed) == "first"
    assert computed.times == 2


def test_without_redis_it_is_computed_each_time(results: Results, valkey: Valkey) -> None:
    computed = Counted()
    ask(results, computed)
    valkey.pause()
    try:
        assert ask(results, computed) == "first"
        results.forget_owners(["a"])
    finally:
        valkey.resume()
    assert computed.times == 2


def test_a_purge_of_no_owner_forgets_what_is_over_all() -> None:
    assert forgotten_with(["repos:any"]) == ("results:any",)
    assert forgotten_with(["all"]) == ("results:any", "results:all")
