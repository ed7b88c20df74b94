"""Unpacked bodies: right, unpacked once for each fill, bounded."""

from __future__ import annotations

from dataclasses import replace

from tests.webapp.cache.test_entry import ENTRY
from webapp.cache.entry import Entry, packed_body
from webapp.cache.unpacked import Unpacked


def filled(number: int, size: int = 10_000) -> Entry:
    body, gzipped = packed_body(b"%05d" % number * (size // 5))
    return replace(ENTRY, body=body, gzipped=gzipped, fill_id=f"fill {number}")


def test_a_body_is_what_the_entry_says_it_is() -> None:
    unpacked, entry = Unpacked(), filled(7)
    assert unpacked.body(entry) == unpacked.body(entry) == b"00007" * 2_000


def test_a_small_body_is_not_packed_at_all() -> None:
    assert Unpacked().body(filled(7, size=10)) == b"0000700007"


def test_a_fill_is_unpacked_once() -> None:
    unpacked = Unpacked()
    assert unpacked.body(filled(1)) is unpacked.body(filled(1))


def test_the_next_fill_of_an_entry_is_another_body() -> None:
    unpacked = Unpacked()
    unpacked.body(filled(1))
    assert unpacked.body(replace(filled(2), fill_id="another")) == b"00002" * 2_000


def test_what_was_never_filled_is_not_remembered() -> None:
    unpacked = Unpacked()
    unpacked.body(replace(filled(1), fill_id=""))
    assert unpacked.body(replace(filled(2), fill_id="")) == b"00002" * 2_000


def test_bodies_are_held_up_to_a_limit_and_the_oldest_go_first() -> None:
    unpacked = Unpacked(limit=200_000)
    first, *others = (unpacked.body(filled(number)) for number in range(21))
    assert unpacked.body(filled(20)) is others[-1]
    assert unpacked.body(filled(0)) is not first


def test_a_body_too_large_to_share_the_limit_is_not_held() -> None:
    unpacked = Unpacked(limit=100_000)
    held = unpacked.body(filled(1, size=5_000))
    unpacked.body(filled(2, size=50_000))
    assert unpacked.body(filled(2, size=50_000)) is not unpacked.body(filled(2, size=50_000))
    assert unpacked.body(filled(1, size=5_000)) is held
