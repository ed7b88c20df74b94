"""A primary limit's window and a rolling minute: the rules of lua/ledger.lua, in a process.

Pure but for themselves; the caller locks. Moments are Unix seconds.
"""

from __future__ import annotations

import math
from collections import deque

from webapp.github.limits import Told, Window

BUCKETS = 60  # a minute is counted in so many parts
RING = BUCKETS + 1  # a part counts until all of it is a minute old
JITTER = 1  # seconds by which the resets told of one window may differ
RATE_OVER = 600.0  # seconds that spending is averaged over, or the window's length
NO_TREND = 60.0  # seconds before a first call makes a rate


class Minute:
    """Points in a rolling minute, never forgotten early, at most a sixtieth of it late."""

    __slots__ = ("_buckets", "_width", "total")

    def __init__(self, seconds: float) -> None:
        self._width = seconds / BUCKETS
        self._buckets: deque[tuple[int, int]] = deque()
        self.total = 0

    def at(self, now: float) -> int:
        """What is in it now."""
        oldest = math.floor(now / self._width) - RING
        while self._buckets and self._buckets[0][0] <= oldest:
            self.total -= self._buckets.popleft()[1]
        return self.total

    def add(self, now: float, points: int) -> None:
        """Spend now. A clock that was set back spends in the newest part."""
        self.at(now)
        self.total += points
        bucket = math.floor(now / self._width)
        if self._buckets and self._buckets[-1][0] >= bucket:
            bucket, spent = self._buckets.pop()
            points += spent
        self._buckets.append((bucket, points))

    def seconds_to_free(self, now: float, points: int) -> float:
        """Until so many points have left; those in flight stay a minute longer."""
        for bucket, spent in self._buckets:
            points -= spent
            if points <= 0:
                return (bucket + RING) * self._width - now
        return RING * self._width

    def forget(self, points: int) -> None:
        """So many of the oldest, which are counted elsewhere now."""
        while points > 0 and self._buckets:
            bucket, spent = self._buckets.popleft()
            self.total -= spent
            if spent > points:
                self._buckets.appendleft((bucket, spent - points))
                self.total += spent - points
            points -= spent


class Primary:
    """A resource's primary limit, as told by headers or counted down from what is assumed."""

    __slots__ = (
        *("_closed", "_rate", "_rated", "_seconds", "_since"),
        *("left", "limit", "pending", "reset", "sure"),
    )

    def __init__(self, assumed: Window, now: float) -> None:
        self._seconds = assumed.seconds
        self.limit = self.left = assumed.limit
        self.reset = math.ceil(now + assumed.seconds)
        self.sure = False  # whether GitHub told this window
        self.pending = 0  # points in flight
        self._closed = 0  # the reset of the last window told
        self._rate, self._rated, self._since = 0.0, now, now

    def roll(self, now: float) -> None:
        """A window that has ended is full again, until told otherwise."""
        if self.reset <= now:
            if self.sure:
                self._closed = self.reset
            self.left, self.sure = self.limit, False
            self.reset = math.ceil(now + self._seconds)

    def seconds_to_wait(self, now: float, points: int, percent: int) -> float:
        """Until so many points may be spent, leaving a share of the limit; 0 for now."""
        reserve = math.ceil(self.limit * percent / 100)
        if self.left - points < reserve:
            return self.reset - now
        if self.left - self.pending - points < reserve:
            return min(1.0, self.reset - now)  # a call in flight may give its point back
        return 0.0

    def spend(self, now: float, points: int) -> None:
        """Count down what no header told."""
        self.left -= points
        self._spent(now, points)

    def learn(self, told: Told, now: float, *, spent: int, refused: bool) -> None:
        """Take what an answer told; one from a window that is over tells nothing."""
        reset = told.reset
        if refused and told.remaining == 0 and reset <= now:
            reset = math.ceil(now) + 2  # in a window that has ended here: our clock is ahead
        known = self.reset if self.sure else self._closed
        if self.sure and abs(reset - known) <= JITTER:
            # The same window. Answers come out of order: the least is the latest.
            self._spent(now, max(0, self.left - told.remaining))
            self.left, self.limit = min(self.left, told.remaining), told.limit
        elif reset > known + JITTER and reset > now:
            self._spent(now, spent)
            if self.sure:
                self._closed = known
            self.open(told.limit, told.remaining, reset)

    def open(self, limit: int, left: int, reset: int) -> None:
        """A window that GitHub told."""
        self.limit, self.left, self.reset, self.sure = limit, left, reset, True

    def rate(self, now: float) -> float:
        """Points a second, of late."""
        over = min(RATE_OVER, self._seconds)
        age = max(min(NO_TREND, over), now - self._since)
        decayed = self._rate * math.exp(-max(0.0, now - self._rated) / over)
        return decayed / (over * (1 - math.exp(-age / over)))

    def _spent(self, now: float, points: int) -> None:
        over = min(RATE_OVER, self._seconds)
        self._rate *= math.exp(-max(0.0, now - self._rated) / over)
        self._rate += points
        self._rated = max(now, self._rated)


def exhausted_at(left: int, reset: float, rate: float, now: float) -> float | None:
    """When `left` points are gone at so many a second, if before the reset; else None."""
    if left <= 0:
        return now
    if rate <= 0:
        return None
    moment = now + left / rate
    return moment if moment < reset else None
