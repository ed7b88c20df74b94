"""Counts in memory: exact under threads, bounded whatever is thrown at them, empty after a fork."""

from __future__ import annotations

import os
import threading

import pytest

from webapp.telemetry.counts import LONGEST_VALUE, Batch, Counts, clean, merged
from webapp.telemetry.histogram import Histogram
from webapp.telemetry.measures import MEASURES, OTHER


def number(counts: float | Histogram) -> int:
    return counts.count if isinstance(counts, Histogram) else int(counts)


def test_what_is_taken_is_taken_once() -> None:
    counts = Counts()
    counts.add("purges_total", "soft", "webhook", number=3)
    counts.observe("job_duration_seconds", "sweep", seconds=0.5)
    counts.set("redis_clients", value=7)
    taken = counts.take()
    assert {series: number(counted) for series, counted in taken.items()} == {
        ("purges_total", ("soft", "webhook")): 3,
        ("job_duration_seconds", ("sweep",)): 1,
        ("redis_clients", ()): 7,
    }
    assert counts.take() == {}


def test_counts_are_exact_under_threads() -> None:
    counts = Counts()
    taken: list[Batch] = []
    start = threading.Barrier(5)

    def work() -> None:
        start.wait()
        for _ in range(5_000):
            counts.add("purges_total", "soft", "webhook")
            counts.observe("job_duration_seconds", "sweep", seconds=0.001)

    def take() -> None:
        start.wait()
        taken.extend(counts.take() for _ in range(100))

    threads = [threading.Thread(target=work) for _ in range(4)] + [threading.Thread(target=take)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    taken.append(counts.take())
    for series in (("purges_total", ("soft", "webhook")), ("job_duration_seconds", ("sweep",))):
        assert sum(number(batch.get(series, 0)) for batch in taken) == 20_000


@pytest.mark.parametrize("name", [name for name, row in MEASURES.items() if row.folds])
def test_label_sets_beyond_the_limit_count_as_other(name: str) -> None:
    row, counts = MEASURES[name], Counts()
    for place in range(row.most + 500):
        values = tuple(f"{label}-{place}" if label in row.folds else "x" for label in row.labels)
        if row.kind == "histogram":
            counts.observe(name, *values, seconds=0.001)
        elif row.kind == "counter":
            counts.add(name, *values)
        else:
            counts.set(name, *values, value=1.0)
    taken = counts.take()
    assert len(taken) == row.most + 1
    rest = taken[name, tuple(OTHER if label in row.folds else "x" for label in row.labels)]
    assert number(rest) == (1 if row.kind == "gauge" else 500)


def test_a_label_without_folds_has_few_values_anyway() -> None:
    loose = {name: set(row.labels) - set(row.folds) for name, row in MEASURES.items()}
    assert set().union(*loose.values()) == {
        *("outcome", "lane", "kind", "queue", "result", "attempt", "role", "resource")
    }


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("a|b\x1fc\n", "a-b-c-"),
        ("café", "caf-"),
        ("", "none"),
        ("GET /a/<b>", "GET /a/<b>"),
        ("x" * 500, "x" * LONGEST_VALUE),
    ],
)
def test_a_labels_value_is_what_keys_can_hold(value: str, kept: str) -> None:
    assert clean(value) == kept


def test_batches_merge_by_adding_and_gauges_by_the_last() -> None:
    earlier, later = Counts(), Counts()
    for each, value in ((earlier, 1.0), (later, 2.0)):
        each.add("purges_total", "soft", "list", number=2)
        each.observe("job_duration_seconds", "sweep", seconds=1.0)
        each.set("redis_clients", value=value)
    batch = earlier.take()
    merged(batch, later.take())
    assert {name: number(counted) for (name, _), counted in batch.items()} == {
        "purges_total": 4,
        "job_duration_seconds": 2,
        "redis_clients": 2,
    }


def test_a_forked_child_has_counted_nothing() -> None:
    counts = Counts()
    counts.add("purges_total", "soft", "list")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, b"%d" % len(counts.take()))
        os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with os.fdopen(reading, "rb") as said:
        assert said.read() == b"0"
    assert len(counts.take()) == 1
