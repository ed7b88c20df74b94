"""The store on a real Valkey: leases, fills and purges, one at a time and against a model."""

from __future__ import annotations

from dataclasses import replace

from tests.webapp.cache.test_entry import ENTRY
from webapp.cache.connection import plain_connection
from webapp.cache.entry import State
from webapp.cache.keys import lease_key, tag_key
from webapp.cache.store import LEASE, TAG_MARGIN, Lease, Store
from webapp.secret import Secret

KEY = "fw:e:1:service:0123"
TAGS = ("repo:a/b", "owner:a", "all")
NOW = 1000.0


def lease(store: Store) -> Lease:
    acquired, _ = store.acquire(KEY, TAGS)
    assert acquired
    return acquired


def state(store: Store) -> State | None:
    read = store.read(KEY, TAGS)
    return read.entry.state(read.versions, NOW) if read.entry else None


def test_what_is_filled_is_read_back_fresh(store: Store) -> None:
    assert store.fill(lease(store), ENTRY, NOW)
    found = store.read(KEY, TAGS).entry
    assert found
    assert (found.body, found.etag, state(store)) == (ENTRY.body, ENTRY.etag, State.FRESH)


def test_an_entry_lives_until_its_grace_ends(store: Store) -> None:
    store.fill(lease(store), ENTRY, NOW)
    left = store.backend.connection.pttl(KEY)
    assert 999_000 < left <= 1_000_000


def test_tags_outlive_every_entry(store: Store) -> None:
    store.fill(lease(store), ENTRY, NOW)
    for tag in TAGS:
        assert store.backend.connection.pttl(tag_key(tag)) > (10_000 + TAG_MARGIN - 5) * 1000


def test_a_second_reader_gets_no_lease(store: Store) -> None:
    lease(store)
    again, versions = store.acquire(KEY, TAGS)
    assert again is None
    assert None not in versions


def test_a_filled_or_released_lease_is_free_again(store: Store) -> None:
    store.fill(lease(store), ENTRY, NOW)
    store.release(lease(store))
    assert lease(store)


def test_a_dead_holders_lease_ends(store: Store) -> None:
    lease(store)
    assert 0 < store.backend.connection.pttl(lease_key(KEY)) <= LEASE * 1000


def test_renewing_keeps_a_lease_and_only_ones_own(store: Store) -> None:
    mine = lease(store)
    store.backend.connection.pexpire(lease_key(KEY), 1_000)
    assert store.renew(mine)
    assert store.backend.connection.pttl(lease_key(KEY)) > 2_000
    assert not store.renew(replace(mine, token="another"))
    assert not store.release(replace(mine, token="another"))


def test_a_soft_purge_is_known_at_once(store: Store) -> None:
    store.fill(lease(store), ENTRY, NOW)
    assert store.purge(["repo:a/b"], hard=False) == 1
    assert state(store) is State.PURGED


def test_a_hard_purge_kills(store: Store) -> None:
    store.fill(lease(store), ENTRY, NOW)
    store.purge(["owner:a"], hard=True)
    assert state(store) is State.DEAD


def test_a_purge_touches_only_what_carries_the_tag(store: Store) -> None:
    store.fill(lease(store), ENTRY, NOW)
    store.purge(["repo:a/c", "owner:c"], hard=True)
    assert state(store) is State.FRESH


def test_a_fill_begun_before_a_soft_purge_is_stored_as_purged(store: Store) -> None:
    mine = lease(store)
    store.purge(["all"], hard=False)
    assert store.fill(mine, ENTRY, NOW)
    assert state(store) is State.PURGED


def test_a_fill_begun_before_a_hard_purge_is_refused(store: Store) -> None:
    mine = lease(store)
    store.purge(["all"], hard=True)
    assert not store.fill(mine, ENTRY, NOW)
    assert state(store) is None
    assert lease(store)


def test_a_flush_during_a_fetch_refuses_its_fill(store: Store) -> None:
    mine = lease(store)
    store.backend.connection.flushall()
    assert not store.fill(mine, ENTRY, NOW)


def test_a_lease_from_before_a_purge_is_taken_over(store: Store) -> None:
    lease(store)
    store.purge(["repo:a/b"], hard=False)
    assert lease(store)


def test_the_one_taken_over_may_fill_first_for_those_who_came_before(store: Store) -> None:
    before = lease(store)
    store.purge(["repo:a/b"], hard=False)
    after = lease(store)
    assert store.fill(before, ENTRY, NOW)
    assert state(store) is State.PURGED
    assert store.fill(after, ENTRY, NOW)
    assert state(store) is State.FRESH


def test_the_one_taken_over_never_fills_after_its_successor(store: Store) -> None:
    before = lease(store)
    store.purge(["repo:a/b"], hard=False)
    store.fill(lease(store), ENTRY, NOW)
    assert not store.fill(before, replace(ENTRY, etag='W/"older"'), NOW)
    assert state(store) is State.FRESH


def test_an_expired_holder_never_fills_over_its_successor(store: Store) -> None:
    hung = lease(store)
    store.backend.connection.delete(lease_key(KEY))
    store.fill(lease(store), ENTRY, NOW)
    assert not store.fill(hung, replace(ENTRY, etag='W/"older"'), NOW)
    found = store.read(KEY, TAGS).entry
    assert found
    assert found.etag == ENTRY.etag


def test_an_ending_answer_deletes_the_entry(store: Store) -> None:
    store.fill(lease(store), ENTRY, NOW)
    assert store.end(lease(store))
    assert state(store) is None


def test_a_purge_of_many_tags_is_one_message(store: Store, redis_url: str) -> None:
    with plain_connection(Secret(redis_url)).pubsub() as listener:  # type: ignore[no-untyped-call]
        listener.subscribe("fw:purges")
        assert listener.get_message(timeout=1)
        store.purge(["repo:a/b", "repos:a"], hard=True)
        message = listener.get_message(timeout=1)
        assert message
        assert message["data"] == b'{"tags":["repo:a/b","repos:a"],"hard":true}'


def test_purging_costs_the_same_whatever_carries_the_tag(store: Store) -> None:
    connection = store.backend.connection
    store.fill(lease(store), ENTRY, NOW)
    before = connection.info("commandstats")
    store.purge(["all"], hard=False)
    after = connection.info("commandstats")
    calls = {
        name: row["calls"] - before.get(name, {"calls": 0})["calls"] for name, row in after.items()
    }
    assert calls["cmdstat_set"] == 1
    assert calls.get("cmdstat_keys", 0) == calls.get("cmdstat_scan", 0) == 0


def test_many_heads_are_the_entries_without_their_bodies(store: Store) -> None:
    store.fill(lease(store), ENTRY, NOW)
    tags = ("repo:c/d", "owner:c", "all")
    missing, held = store.heads([("fw:e:1:service:4567", tags), (KEY, TAGS)])
    whole = store.read(KEY, TAGS)
    assert whole.entry
    assert held.entry == replace(whole.entry, body=b"")
    assert held.versions == whole.versions
    assert (missing.entry, missing.versions) == (None, (None, None, whole.versions[2]))


def test_the_head_of_what_is_no_entry_is_none(store: Store) -> None:
    for raw in (b"", b"fw", b"fw\x01\x00\x00\xff\xff", b"another value, longer than a head"):
        store.backend.connection.set(KEY, raw)
        assert store.heads([(KEY, ())])[0].entry is None
