"""Rate limits: primary per account and resource, and the secondary ones that can't be queried.

Source of the numbers: GitHub's REST and GraphQL rate limit documentation. A window starts with the
first request in it. Each limit can be switched off and its number changed by the control API.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from math import ceil
from typing import Any

from tests.standin.accounts import Account
from tests.standin.clock import Clock
from tests.standin.shapes.errors import LIMIT_DOCS, Refusal

SECONDARY_DOCS = f"{LIMIT_DOCS}#about-secondary-rate-limits"
# Of a token that isn't known: what a 401's headers say.
ANONYMOUS = "anonymous"
WRITE_POINTS = 5


@dataclass(frozen=True, slots=True)
class Numbers:
    """What the control API can set. Seconds, counts, points; status is 403 or 429."""

    primary: bool = True
    secondary: bool = True
    core: int | None = None  # None: the account's own
    anonymous: int = 60
    search: int = 30
    anonymous_search: int = 10
    graphql: int = 5000
    hour: int = 3600
    concurrency: int = 100
    points_per_minute: int = 900
    graphql_points_per_minute: int = 2000
    creations_per_minute: int = 80
    creations_per_hour: int = 500
    status: int = 403
    retry_after: int | None = 60

    def changed(self, values: Mapping[str, Any]) -> Numbers:
        """A copy with some values set; ValueError for a name that isn't one."""
        unknown = set(values) - {f.name for f in fields(self)}
        if unknown:
            raise ValueError(f"no such limit: {', '.join(sorted(unknown))}")
        return replace(self, **values)


@dataclass(slots=True)
class _Window:
    reset: float
    used: int = 0


@dataclass(slots=True)
class _Rolling:
    """Points in the last so many seconds."""

    seconds: float
    entries: deque[tuple[float, int]] = field(default_factory=deque)
    total: int = 0

    def add(self, now: float, points: int) -> None:
        self.entries.append((now, points))
        self.total += points

    def at(self, now: float) -> int:
        while self.entries and self.entries[0][0] <= now - self.seconds:
            self.total -= self.entries.popleft()[1]
        return self.total

    def frees_in(self, now: float) -> int:
        """Whole seconds until the oldest entry leaves."""
        return max(1, ceil(self.entries[0][0] + self.seconds - now)) if self.entries else 1


class Limits:
    """The ledger of one stand-in."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.in_flight: dict[str, int] = defaultdict(int)
        self.reset()

    def reset(self) -> None:
        """The documented numbers, and no window begun."""
        self.numbers = Numbers()
        self.forget()

    def forget(self) -> None:
        """Every window starts anew; the numbers stay, and requests in flight are counted on."""
        self._windows: dict[tuple[str, str], _Window] = {}
        self._minutes: dict[tuple[str, str], _Rolling] = defaultdict(lambda: _Rolling(60))
        self._created_minute: dict[str, _Rolling] = defaultdict(lambda: _Rolling(60))
        self._created_hour: dict[str, _Rolling] = defaultdict(lambda: _Rolling(3600))

    def limit(self, account: Account, resource: str) -> int:
        numbers = self.numbers
        anonymous = account.kind == ANONYMOUS
        if resource == "search":
            return numbers.anonymous_search if anonymous else numbers.search
        if resource == "graphql":
            return 0 if anonymous else numbers.graphql
        if anonymous:
            return numbers.anonymous
        return account.core_limit if numbers.core is None else numbers.core

    def _window(self, account: Account, resource: str) -> _Window:
        now = self._clock.now()
        window = self._windows.get((account.name, resource))
        if window is None or window.reset <= now:
            length = 60 if resource == "search" else self.numbers.hour
            window = _Window(reset=int(now) + length)
            self._windows[account.name, resource] = window
        return window

    def set_used(self, account: Account, resource: str, used: int) -> None:
        """For tests that want to stand at the edge."""
        self._window(account, resource).used = used

    def charge(self, account: Account, resource: str, points: int) -> None:
        self._window(account, resource).used += points

    def status(self, account: Account, resource: str) -> dict[str, int]:
        """The numbers of /rate_limit and the X-RateLimit headers."""
        limit = self.limit(account, resource)
        window = self._window(account, resource)
        used = min(window.used, limit)
        reset = int(window.reset)
        return {"limit": limit, "used": used, "remaining": limit - used, "reset": reset}

    def headers(self, account: Account, resource: str) -> list[tuple[str, str]]:
        found = self.status(account, resource)
        return [
            ("X-RateLimit-Limit", str(found["limit"])),
            ("X-RateLimit-Remaining", str(found["remaining"])),
            ("X-RateLimit-Reset", str(found["reset"])),
            ("X-RateLimit-Used", str(found["used"])),
            ("X-RateLimit-Resource", resource),
        ]

    def exhausted(self, account: Account, resource: str) -> bool:
        window = self._window(account, resource)
        return self.numbers.primary and window.used >= self.limit(account, resource)

    def secondary(
        self, account: Account, resource: str, points: int, *, creates: bool
    ) -> Refusal | None:
        """The refusal where a secondary limit is exceeded, else None and the points are counted."""
        if not self.numbers.secondary:
            return None
        numbers, now = self.numbers, self._clock.now()
        if self.in_flight[account.name] > numbers.concurrency:
            return self.secondary_refusal(numbers.retry_after)
        kind = "graphql" if resource == "graphql" else "rest"
        most = numbers.graphql_points_per_minute if kind == "graphql" else numbers.points_per_minute
        minute = self._minutes[account.name, kind]
        if minute.at(now) + points > most:
            return self.secondary_refusal(self._wait(minute, now))
        if creates:
            created = (self._created_minute[account.name], self._created_hour[account.name])
            for rolling, top in zip(
                created, (numbers.creations_per_minute, numbers.creations_per_hour), strict=True
            ):
                if rolling.at(now) + 1 > top:
                    return self.secondary_refusal(self._wait(rolling, now))
            for rolling in created:
                rolling.add(now, 1)
        minute.add(now, points)
        return None

    def _wait(self, rolling: _Rolling, now: float) -> int | None:
        return None if self.numbers.retry_after is None else rolling.frees_in(now)

    def secondary_refusal(self, retry_after: int | None, status: int | None = None) -> Refusal:
        """The second meaning of 403 (or 429): too fast, too many, with points still remaining."""
        return Refusal(
            status or self.numbers.status,
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try "
            "again. If you reach out to GitHub Support for help, please include the request ID.",
            SECONDARY_DOCS,
            {} if retry_after is None else {"Retry-After": str(retry_after)},
        )

    def primary_refusal(self, account: Account, peer: str, status: int | None = None) -> Refusal:
        """The first meaning of 403 (or 429): no points left until the reset."""
        if account.kind == ANONYMOUS:
            message = (
                f"API rate limit exceeded for {peer}. (But here's the good news: Authenticated "
                "requests get a higher rate limit. Check out the documentation for more details.)"
            )
        else:
            whom = "installation" if account.kind == "installation" else "user"
            at = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
            message = (
                f"API rate limit exceeded for {whom} ID {account.id}. If you reach out to GitHub "
                f"Support for help, please include the request ID and timestamp {at}."
            )
        return Refusal(status or self.numbers.status, message, LIMIT_DOCS)
