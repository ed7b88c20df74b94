"""Histograms: quantiles against the exact ones on latencies' shapes, merging, edges, bytes."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webapp.telemetry.histogram import (
    EDGES_US,
    LAST,
    MOST_US,
    SUB_BUCKETS,
    Histogram,
    bucket_of,
    edge_of,
    microseconds,
)

NUMBER = 10_000
QUANTILES = (0.5, 0.9, 0.95, 0.99)
RANKS = NUMBER // 1_000  # a quantile that falls into a gap may be on either side of it

# Median in seconds and spread: near hits, Redis, PostgreSQL, GitHub, jobs.
work = st.tuples(st.just("work"), st.floats(2e-5, 5.0), st.floats(0.05, 1.0))
# A poll, a pause or a distance: never sooner, and some per cent later.
wait = st.tuples(st.just("wait"), st.sampled_from([0.01, 0.05, 0.25, 1.0]), st.floats(0.03, 0.3))
# Given up: the deadline, and some of a millisecond.
timeout = st.tuples(st.just("timeout"), st.just(10.0), st.floats(1e-5, 1e-4))
Shape = list[tuple[int, tuple[str, float, float]]]
shapes = st.lists(
    st.tuples(st.integers(1, 100), st.one_of(work, wait, timeout)), min_size=1, max_size=4
)


def durations(shape: Shape) -> list[float]:
    """Sorted; nothing outlasts the deadline."""
    rand = random.Random(1)
    parts = rand.choices(shape, weights=[weight for weight, _ in shape], k=NUMBER)
    return sorted(
        min(rand.lognormvariate(math.log(seconds), spread), 10.0 + rand.random() * 1e-3)
        if kind == "work"
        else seconds * (1 + rand.expovariate(1 / spread))
        for _, (kind, seconds, spread) in parts
    )


@settings(max_examples=40, deadline=None)
@given(shapes)
def test_quantiles_are_within_two_percent_of_the_exact_ones(
    shape: Shape,
) -> None:
    exact = durations(shape)
    histogram = Histogram.of(exact)
    for share in QUANTILES:
        rank = math.ceil(share * NUMBER) - 1
        low, high = exact[rank - RANKS], exact[min(NUMBER - 1, rank + RANKS)]
        found = histogram.quantile(share)
        assert found is not None
        # Whole microseconds are all that is recorded.
        assert low * 0.98 - 1e-6 <= found <= high * 1.02 + 1e-6


@given(st.lists(st.integers(0, MOST_US), min_size=1, max_size=30), st.floats(0, 1))
def test_a_quantile_lies_between_least_and_most(values: list[int], share: float) -> None:
    histogram = Histogram()
    for each in values:
        histogram.record_us(each)
    found = histogram.quantile(share)
    assert found is not None
    assert min(values) <= found * 1e6 + 1e-3
    assert found * 1e6 <= max(values) + 1 + 1e-3


def test_one_value_many_times_is_itself() -> None:
    histogram = Histogram()
    histogram.record(10.000001, 1_000)
    assert histogram.quantile(0.99) == pytest.approx(10.000001, abs=2e-6)


def test_nothing_has_no_quantile() -> None:
    assert Histogram().quantile(0.5) is None


@given(st.integers(0, MOST_US))
def test_a_duration_lies_within_its_buckets_edges(us: int) -> None:
    bucket = bucket_of(us)
    assert edge_of(bucket) <= us < edge_of(bucket + 1)
    assert bucket <= LAST


def test_an_octave_has_sixteen_buckets() -> None:
    for power in range(4, 39):
        assert bucket_of(1 << (power + 1)) - bucket_of(1 << power) == SUB_BUCKETS


@pytest.mark.parametrize(("seconds", "us"), [(-1.0, 0), (0.0, 0), (1e-6, 1), (1e9, MOST_US)])
def test_what_is_out_of_range_is_at_its_end(seconds: float, us: int) -> None:
    assert microseconds(seconds) == us


@given(st.lists(st.floats(0, 100), max_size=50), st.lists(st.floats(0, 100), max_size=50))
def test_merging_is_recording_all_of_both(left: list[float], right: list[float]) -> None:
    merged, both = Histogram.of(left), Histogram.of([*left, *right])
    merged.merge(Histogram.of(right))
    for name in Histogram.__slots__:
        assert getattr(merged, name) == getattr(both, name)


@given(st.lists(st.integers(0, 1 << 26), max_size=50))
def test_prometheus_buckets_count_exactly_what_is_below_their_edges(values: list[int]) -> None:
    histogram = Histogram()
    for each in values:
        histogram.record_us(each)
    counts = histogram.projected()
    assert len(counts) == 12
    for place, edge in enumerate(EDGES_US):
        assert sum(counts[: place + 1]) == sum(each < edge for each in values)
    assert sum(counts) == len(values)


@given(st.lists(st.floats(0, 1000), max_size=50))
def test_bytes_and_fields_are_the_same_histogram(values: list[float]) -> None:
    histogram = Histogram.of(values)
    fields = {name: str(value) for name, value in histogram.fields().items()}
    if histogram.least is not None:
        fields |= {"least": str(histogram.least), "most": str(histogram.most)}
    edges = histogram.sum, histogram.least, histogram.most
    again = Histogram.from_bytes(histogram.to_bytes(), *edges)
    for name in Histogram.__slots__:
        assert getattr(again, name) == getattr(histogram, name)
        assert getattr(Histogram.from_fields(fields), name) == getattr(histogram, name)


def test_a_busy_minute_takes_some_hundred_bytes() -> None:
    packed = Histogram.of(
        durations([(90, ("work", 6e-5, 0.3)), (10, ("work", 0.08, 0.5))])
    ).to_bytes()
    assert len(packed) < 600


@given(st.lists(st.floats(0, 100), max_size=50), st.lists(st.floats(0, 100), max_size=50))
def test_bytes_add_up_by_concatenation(left: list[float], right: list[float]) -> None:
    packed = Histogram.of(left).to_bytes() + Histogram.of(right).to_bytes()
    both = Histogram.of([*left, *right])
    assert Histogram.from_bytes(packed, both.sum, None, None).buckets == both.buckets


def test_a_count_that_no_record_holds_takes_several() -> None:
    histogram = Histogram()
    histogram.record(1.0, 10_000_000)
    packed = histogram.to_bytes()
    assert len(packed) == 12
    assert Histogram.from_bytes(packed, 0, None, None).count == 10_000_000


def test_bytes_of_something_else_are_refused() -> None:
    with pytest.raises(ValueError, match="histogram"):
        Histogram.from_bytes(b"\x01\x02\x03", 0, None, None)


def test_what_was_longer_is_counted() -> None:
    histogram = Histogram.of([0.1] * 90 + [0.7] * 10)
    assert histogram.over(0.5) == pytest.approx(10)
    assert histogram.over(1.0) == 0
