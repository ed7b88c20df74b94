"""Entries: what they are worth at a moment, and bytes that survive anything."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.cache.entry import BODY_MAX, Entry, State, decode, encode, packed_body

A, B = b"hard1.soft1", b"hard2.soft2"
ENTRY = Entry(
    status=200,
    stored_at=1000.0,
    fresh_until=1100.0,
    stale_until=1200.0,
    grace_until=2000.0,
    etag='W/"1"',
    versions=(A, B),
    body=b"{}",
)


@pytest.mark.parametrize(
    ("now", "state"),
    [
        (1000, State.FRESH),
        (1099.9, State.FRESH),
        (1100, State.STALE),
        (1200, State.GRACE),
        (1999.9, State.GRACE),
        (2000, State.DEAD),
    ],
)
def test_time_takes_an_entry_from_fresh_to_dead(now: float, state: State) -> None:
    assert ENTRY.state((A, B), now) is state


@pytest.mark.parametrize(
    ("versions", "state"),
    [
        ((A, B), State.FRESH),
        ((A, b"hard2.soft9"), State.PURGED),
        ((b"hard1.soft9", b"hard2.soft9"), State.PURGED),
        ((A, b"hard9.soft2"), State.DEAD),
        ((b"hard1.soft9", b"hard9.soft2"), State.DEAD),
        ((A, None), State.DEAD),
        ((A,), State.DEAD),
    ],
)
def test_a_changed_tag_purges_softly_or_kills(
    versions: tuple[bytes | None, ...], state: State
) -> None:
    assert ENTRY.state(versions, 1000) is state


def test_any_purge_kills_a_negative_answer() -> None:
    negative = replace(ENTRY, status=404)
    assert negative.state((A, b"hard2.soft9"), 1000) is State.DEAD


entries = st.builds(
    Entry,
    status=st.sampled_from([200, 204, 301, 404]),
    stored_at=st.floats(0, 2e9),
    fresh_until=st.floats(0, 2e9),
    stale_until=st.floats(0, 2e9),
    grace_until=st.floats(0, 2e9),
    etag=st.text(),
    upstream_etag=st.text(),
    last_modified=st.text(),
    link=st.text(),
    content_type=st.text(),
    request_id=st.text(),
    known_public=st.booleans(),
    versions=st.lists(st.binary(min_size=1)).map(tuple),
    fill_id=st.text(),
    headers=st.dictionaries(st.text(), st.text(), max_size=3),
    gzipped=st.just(False),
    body=st.binary(max_size=2000),
)


@given(entries)
def test_an_entry_comes_back_as_it_went(entry: Entry) -> None:
    assert decode(encode(entry)) == entry


@given(entries, st.data())
def test_damaged_bytes_are_a_miss_or_an_entry_never_an_error(
    entry: Entry, data: st.DataObject
) -> None:
    raw = encode(entry)
    cut = data.draw(st.integers(0, len(raw)))
    junk = data.draw(st.binary(max_size=20))
    found = decode(raw[:cut] + junk)
    assert found is None or isinstance(found, Entry)


@pytest.mark.parametrize("raw", [None, b"", b"fw", b"fw\x02" + b"\x00" * 40, b"m\x81", b"\x80\x04"])
def test_what_is_no_entry_of_this_schema_is_a_miss(raw: bytes | None) -> None:
    assert decode(raw) is None


def test_a_body_over_a_kilobyte_is_gzipped_and_comes_back() -> None:
    body = b'{"name":"flask"}' * 200
    packed, gzipped = packed_body(body)
    assert gzipped
    assert len(packed) < len(body) / 10
    assert replace(ENTRY, body=packed, gzipped=True).identity() == body
    assert packed_body(body) == (packed, True)


def test_a_small_body_stays_plain() -> None:
    assert packed_body(b"[]") == (b"[]", False)


def test_the_largest_stored_body_is_two_megabytes() -> None:
    assert BODY_MAX == 2 * 1024 * 1024
