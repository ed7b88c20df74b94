"""Log-linear histograms of durations, in whole microseconds.

Sixteen buckets an octave: below 16 µs each microsecond has its own, above that a bucket is a
sixteenth of its power of two wide, 16 to 32 µs one microsecond, 1 to 2 s some 65 ms. Merging is
adding. Least and most are exact, so that a narrow shape isn't smeared over its bucket; between them
a quantile lies inside its bucket by rank, within 2 % on the shapes that latencies have.

Every power of two is an edge, so Prometheus' cumulative buckets on such edges are exact.
"""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Self

SUB_BUCKETS = 16
_SHIFT = 4  # 2 ** 4 == SUB_BUCKETS
MOST_US = (1 << 40) - 1  # 13 days: what is longer is as long
LAST = SUB_BUCKETS * 35 + 31  # the bucket of MOST_US

EDGES_US = tuple(1 << power for power in (6, 8, 10, 12, 14, 15, 16, 18, 20, 22, 24))
"""Upper edges for Prometheus, 64 µs to 16.8 s; with +Inf they make twelve buckets."""

_BUCKET_BITS = 10
_BUCKET = (1 << _BUCKET_BITS) - 1
_RECORD_MOST = (1 << 32 - _BUCKET_BITS) - 1


def microseconds(seconds: float) -> int:
    """Whole microseconds, 0 at least and MOST_US at most."""
    return min(MOST_US, max(0, int(seconds * 1e6)))


def bucket_of(us: int) -> int:
    """The bucket of a duration in microseconds (see `microseconds`)."""
    octave = us.bit_length() - _SHIFT - 1
    return us if octave <= 0 else (octave << _SHIFT) + (us >> octave)


def edge_of(bucket: int) -> int:
    """The least microseconds of a bucket; the next bucket's is where it ends."""
    octave = (bucket >> _SHIFT) - 1
    return bucket if octave <= 0 else (bucket - (octave << _SHIFT)) << octave


class Histogram:
    """Counts by bucket, their sum, least and most, in microseconds. Not thread-safe."""

    __slots__ = ("buckets", "least", "most", "sum")

    def __init__(self) -> None:
        self.buckets: dict[int, int] = {}
        self.sum = 0
        self.least: int | None = None
        self.most: int | None = None

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Self:
        """A histogram of these durations."""
        made = cls()
        for each in seconds:
            made.record(each)
        return made

    @property
    def count(self) -> int:
        """How many durations."""
        return sum(self.buckets.values())

    @property
    def mean(self) -> float | None:
        """Seconds, exact; None where there are none."""
        count = self.count
        return self.sum / count / 1e6 if count else None

    def record(self, seconds: float, number: int = 1) -> None:
        """Add a duration, or the same one so many times."""
        self.record_us(microseconds(seconds), number)

    def record_us(self, us: int, number: int = 1) -> None:
        """Add a duration in microseconds, as `microseconds` gives it."""
        bucket = bucket_of(us)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + number
        self.sum += us * number
        if self.least is None or us < self.least:
            self.least = us
        if self.most is None or us > self.most:
            self.most = us

    def merge(self, other: Histogram) -> None:
        """Add another's durations."""
        for bucket, number in other.buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + number
        self.sum += other.sum
        self._widen(other.least, other.most)

    def _widen(self, least: int | None, most: int | None) -> None:
        if least is not None:
            self.least = least if self.least is None else min(self.least, least)
        if most is not None:
            self.most = most if self.most is None else max(self.most, most)

    def quantile(self, share: float) -> float | None:
        """Seconds that `share` (0 to 1) of the durations don't exceed; None without any."""
        count = self.count
        if not count:
            return None
        rank = share * count
        seen = 0
        for bucket in sorted(self.buckets):
            number = self.buckets[bucket]
            if seen + number >= rank:
                low, high = self._bounds(bucket)
                inside = min(1.0, max(0.0, (rank - seen) / number))
                return (low + (high - low) * self._place(bucket, inside)) / 1e6
            seen += number
        raise AssertionError("the last bucket reaches every rank")

    def _place(self, bucket: int, share: float) -> float:
        """Where in a bucket (0 to 1) that share of it ends: its density runs in a straight line
        between what it has in common with the neighbours on either side."""
        own, before, after = (self._density(each) for each in (bucket, bucket - 1, bucket + 1))
        left, right = own + before, own + after
        if abs(right - left) < 1e-9 * own:
            return share
        # Of the line's area, the part that is `share`: a quadratic equation.
        area = share * (left + right)
        return (math.sqrt(left * left + (right - left) * area) - left) / (right - left)

    def _density(self, bucket: int) -> float:
        low, high = self._bounds(bucket)
        return self.buckets.get(bucket, 0) / (high - low) if high > low else 0.0

    def _bounds(self, bucket: int) -> tuple[float, float]:
        low, high = float(edge_of(bucket)), float(edge_of(bucket + 1))
        if self.least is not None:
            low = max(low, self.least)
        if self.most is not None:
            high = max(low, min(high, self.most + 1.0))
        return low, high

    def over(self, seconds: float) -> float:
        """How many durations were longer, by the share of the bucket that `seconds` cuts."""
        limit = seconds * 1e6
        longer = 0.0
        for bucket, number in self.buckets.items():
            low, high = self._bounds(bucket)
            if low >= limit:
                longer += number
            elif high > limit:
                longer += number * (high - limit) / (high - low)
        return longer

    def projected(self) -> tuple[int, ...]:
        """Counts between EDGES_US, and beyond the last: not cumulative."""
        counts = [0] * (len(EDGES_US) + 1)
        for bucket, number in self.buckets.items():
            counts[_PLACES[bucket]] += number
        return tuple(counts)

    # As bytes, for PostgreSQL; as fields, for Redis.

    def to_bytes(self) -> bytes:
        """Records of four bytes, each a bucket (10 bits) and a count, which add up: put one behind
        the other, two histograms' bytes are those of their sum. Sum, least and most are kept apart.
        """
        records: list[int] = []
        for bucket in sorted(self.buckets):
            number = self.buckets[bucket]
            while number > _RECORD_MOST:
                records.append(_RECORD_MOST << _BUCKET_BITS | bucket)
                number -= _RECORD_MOST
            records.append(number << _BUCKET_BITS | bucket)
        return struct.pack(f"<{len(records)}I", *records)

    @classmethod
    def from_bytes(cls, packed: bytes, sum_us: int, least: int | None, most: int | None) -> Self:
        """The histogram of `to_bytes`. Raises ValueError for anything else."""
        if len(packed) % 4:
            raise ValueError("a histogram is cut off")
        made = cls()
        made.sum, made.least, made.most = sum_us, least, most
        # Counted first, because of many minutes most records are the same.
        records = Counter(struct.unpack(f"<{len(packed) // 4}I", packed))
        for record, times in records.items():
            bucket = record & _BUCKET
            made.buckets[bucket] = made.buckets.get(bucket, 0) + (record >> _BUCKET_BITS) * times
        return made

    def fields(self) -> dict[str, int]:
        """What is added to a Redis hash: buckets by number and `sum`; `least` and `most` apart."""
        return {str(bucket): number for bucket, number in self.buckets.items()} | {"sum": self.sum}

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> Self:
        """The histogram of a Redis hash: `fields`, and `least` and `most` beside them."""
        made = cls()
        for name, value in fields.items():
            if name.isdigit():
                made.buckets[int(name)] = int(value)
        made.sum = int(fields.get("sum", 0))
        if "least" in fields:
            made.least, made.most = int(fields["least"]), int(fields["most"])
        return made


def _places() -> tuple[int, ...]:
    return tuple(sum(edge <= edge_of(bucket) for edge in EDGES_US) for bucket in range(LAST + 1))


_PLACES = _places()
