"""The near shelf and purges: races driven on purpose, lines that are cut, forks, memory."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import redis

from script.embedded import Valkey
from tests.chaos.test_redis_faults import unable_to_save
from tests.chaos.wire import Wire
from tests.serving import ROOT
from tests.webapp.cache.test_entry import ENTRY
from webapp.cache.entry import Entry
from webapp.cache.near import MAX_AGE, OVERHEAD, Near, NearEntry, PurgeCounts
from webapp.secret import Secret

OWNER, TAG = "a", "repo:a/b"


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"no {what} within {seconds} s"
        time.sleep(0.002)


@pytest.fixture
def publisher(redis_url: str) -> Iterator[redis.Redis]:
    """Says what purge.lua says."""
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def near(redis_url: str) -> Iterator[Near]:
    shelf = Near(Secret(redis_url), limit=1_000_000)
    shelf.listening()
    wait_for(shelf.listening, "subscription")
    yield shelf
    shelf.close()


def read(near: Near, entry: Entry = ENTRY, owner: str = OWNER) -> NearEntry:
    """What a reader of Redis holds who has just begun."""
    return NearEntry(entry, [], time.monotonic(), near.counts.of(owner), owner)


def purge(publisher: redis.Redis, *tags: str) -> None:
    named = ",".join(f'"{tag}"' for tag in tags)
    publisher.publish("fw:purges", f'{{"tags":[{named}],"hard":false}}')


def test_what_was_read_after_the_last_purge_is_a_hit(near: Near) -> None:
    near.put("k", read(near))
    assert near.get("k")


@pytest.mark.parametrize("tag", [TAG, "owner:a", "repos:a", "all", "repos:any"])
def test_a_purge_by_another_process_is_heard(near: Near, publisher: redis.Redis, tag: str) -> None:
    near.put("k", read(near))
    purge(publisher, tag)
    wait_for(lambda: near.get("k") is None, "end of the entry", MAX_AGE / 2)


def test_a_purge_of_another_owner_is_none_of_its_business(
    near: Near, publisher: redis.Redis
) -> None:
    near.put("k", read(near))
    before = near.counts.of("c")
    purge(publisher, "repo:c/b")
    wait_for(lambda: near.counts.of("c") != before, "purge of the other")
    assert near.get("k")


def test_a_reader_from_before_a_purge_that_inserts_after_it_inserts_nothing(
    near: Near, publisher: redis.Redis
) -> None:
    held = read(near)
    purge(publisher, TAG)
    wait_for(lambda: near.counts.of(OWNER) != held.count, "purge")
    near.put("k", held)
    assert near.get("k") is None


def test_nothing_is_served_older_than_its_age(near: Near) -> None:
    near.put("k", replace(read(near), read_at=time.monotonic() - MAX_AGE - 0.01))
    assert near.get("k") is None


def test_the_shelf_is_off_until_it_hears_purges(redis_url: str) -> None:
    shelf = Near(Secret("redis://127.0.0.1:1/0"), limit=1_000_000)
    shelf.put("k", read(shelf))
    assert not shelf.listening()
    assert shelf.get("k") is None


def test_the_shelf_is_off_while_its_line_is_cut_and_comes_back_empty(
    near: Near, publisher: redis.Redis
) -> None:
    near.put("k", read(near))
    publisher.client_kill_filter(_type="pubsub")
    wait_for(lambda: not near.subscribed, "notice of the cut")
    assert near.get("k") is None
    wait_for(near.listening, "new subscription")
    assert near.get("k") is None
    near.put("k", read(near))
    assert near.get("k")


def test_a_restart_of_redis_turns_it_off_and_on(near: Near, valkey: Valkey) -> None:
    near.put("k", read(near))
    valkey.kill()
    wait_for(lambda: near.get("k") is None, "notice of the kill", MAX_AGE)
    valkey.start()
    wait_for(near.listening, "new subscription")
    near.put("k", read(near))
    assert near.get("k")


def test_a_line_that_hangs_without_notice_is_given_up(valkey: Valkey, redis_url: str) -> None:
    with Wire(valkey.port) as wire:
        shelf = Near(Secret(wire.url(redis_url, valkey.port)), limit=1_000_000)
        shelf.listening()
        wait_for(shelf.listening, "subscription")
        wire.hang()
        wait_for(lambda: not shelf.subscribed, "end of trust in a dead line")
        wire.flow()
        wait_for(shelf.listening, "new subscription")


def test_a_server_that_refused_a_ping_is_listened_to_again(valkey: Valkey, redis_url: str) -> None:
    shelf = Near(Secret(redis_url), limit=1_000_000)
    shelf.listening()
    wait_for(shelf.listening, "subscription")
    with unable_to_save(valkey):
        wait_for(lambda: not shelf.subscribed, "end of trust in a server that can't save")
    wait_for(shelf.listening, "new subscription")


def test_0_megabytes_hold_nothing_and_listen_to_nothing(redis_url: str) -> None:
    shelf = Near(Secret(redis_url), limit=0)
    shelf.put("k", read(shelf))
    assert (len(shelf), shelf.listening()) == (0, False)


# The counts


class _Meanwhile(str):
    """An owner's name, in the middle of whose look-up something else happens."""

    __slots__ = ("then",)
    then: Callable[[], None]

    def __hash__(self) -> int:
        self.then()
        return super().__hash__()


def test_a_count_read_while_everybody_is_purged_is_never_one_from_before_the_owners_last() -> None:
    counts = PurgeCounts()
    before = counts.of(OWNER)
    counts.heard([TAG])
    owner = _Meanwhile(OWNER)
    owner.then = lambda: counts.heard(["all"])
    assert counts.of(owner) != before


def test_no_count_comes_back_however_purges_of_one_and_all_interleave() -> None:
    counts, stop = PurgeCounts(), threading.Event()
    went_back: list[tuple[int, int]] = []

    def watch() -> None:
        last = counts.of(OWNER)
        while not stop.is_set():
            now = counts.of(OWNER)
            if now < last:
                went_back.append((last, now))
            last = now

    watchers = [threading.Thread(target=watch) for _ in range(2)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for each in watchers:
            each.start()
        for turn in range(20_000):
            counts.heard([TAG] if turn % 2 else ["all"])
    finally:
        stop.set()
        sys.setswitchinterval(interval)
        for each in watchers:
            each.join()
    assert went_back == []


# Memory


def test_the_shelf_is_bounded_by_bytes_and_drops_the_oldest(redis_url: str) -> None:
    body = b"x" * 1_000
    shelf = Near(Secret(redis_url), limit=10 * (len(body) + OVERHEAD))
    shelf.listening()
    wait_for(shelf.listening, "subscription")
    for number in range(100):
        shelf.put(str(number), read(shelf, replace(ENTRY, body=body)))
        assert shelf.bytes <= 10 * (len(body) + OVERHEAD)
    assert len(shelf) == 10
    assert [bool(shelf.get(str(number))) for number in (0, 89, 90, 99)] == [
        *(False, False, True, True)
    ]


def test_replacing_an_entry_counts_it_once(near: Near) -> None:
    for size in (10, 5_000, 100):
        near.put("k", read(near, replace(ENTRY, body=b"x" * size)))
        assert near.bytes == size + OVERHEAD


def test_what_is_larger_than_the_shelf_is_not_kept(near: Near) -> None:
    near.put("k", read(near, replace(ENTRY, body=b"x" * 1_000_000)))
    assert len(near) == 0


def test_entries_too_old_to_serve_go_however_little_of_the_limit_they_take(near: Near) -> None:
    """What is finished with them, a body of 50 kB packed in 0.2 kB, isn't counted."""
    stale = replace(read(near), read_at=time.monotonic() - 2 * MAX_AGE)
    for number in range(50):
        near.put(str(number), replace(stale, finished={}))
    near.put("k", read(near))
    assert len(near) == 1


# Forks


FORKED = """
import os, sys, time
from tests.webapp.cache.test_near import ENTRY, read, wait_for
from webapp.cache.near import Near
from webapp.secret import Secret

near = Near(Secret(sys.argv[1]), limit=1_000_000)
near.listening()
wait_for(near.listening, "subscription")
near.put("k", read(near))
assert near.get("k")
near._lock.acquire()  # as a thread of the parent may hold it that a fork doesn't copy
child = os.fork()
if child == 0:
    inherited = near.get("k")
    near.put("k", read(near))
    wait_for(near.listening, "subscription of the child's own", 5)
    near.put("k", read(near))
    os._exit(3 if inherited else 0 if near.get("k") else 4)
near._lock.release()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), bool(near.subscribed))
"""


def test_a_forked_child_serves_nothing_inherited_and_listens_for_itself(redis_url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKED, redis_url],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout.split() == ["0", "True"], done.stderr
