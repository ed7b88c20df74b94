"""Every request that reached the stand-in, with what it cost. Control calls are not in it.

Tokens are shown by name only, so that a log can be printed.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

MOST = 100_000


@dataclass(slots=True)
class Entry:
    """One request. `points` is what the primary limit was charged; `fault` the kinds that hit."""

    seq: int
    at: float
    method: str
    target: str
    token: str
    account: str
    headers: dict[str, str]
    resource: str = ""
    status: int = 0
    points: int = 0
    conditional: bool = False
    faults: tuple[str, ...] = ()

    def shown(self) -> dict[str, Any]:
        headers = dict(self.headers)
        if "authorization" in headers:
            scheme = headers["authorization"].partition(" ")[0]
            headers["authorization"] = f"{scheme} {self.token}"
        if "cookie" in headers:
            headers["cookie"] = "(hidden)"
        return {
            "seq": self.seq,
            "at": self.at,
            "method": self.method,
            "target": self.target,
            "path": self.target.partition("?")[0],
            "token": self.token,
            "account": self.account,
            "resource": self.resource,
            "status": self.status,
            "points": self.points,
            "conditional": self.conditional,
            "faults": list(self.faults),
            "headers": headers,
        }


class RequestLog:
    """The newest MOST requests, and totals over all since it was cleared."""

    def __init__(self) -> None:
        self._seq = 0
        self.clear()

    def clear(self) -> None:
        """Forget all; numbering goes on, so that `since` stays true."""
        self.entries: deque[Entry] = deque(maxlen=MOST)
        self._totals: dict[str, Counter[str]] = {
            name: Counter() for name in ("path", "token", "status", "points_by_token")
        }
        self.count = 0
        self.points = 0

    def next_seq(self) -> int:
        self._seq += 1
        return self._seq

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)
        self.count += 1
        self.points += entry.points
        self._totals["path"][entry.target.partition("?")[0]] += 1
        self._totals["token"][entry.token] += 1
        self._totals["status"][str(entry.status)] += 1
        self._totals["points_by_token"][entry.token] += entry.points

    def shown(self, since: int, path_prefix: str, limit: int) -> dict[str, Any]:
        """Entries after number `since` under a path prefix, and the totals."""
        chosen = [
            entry
            for entry in self.entries
            if entry.seq > since and entry.target.startswith(path_prefix)
        ]
        return {
            "requests": [entry.shown() for entry in chosen[:limit]],
            "matching": len(chosen),
            "count": self.count,
            "points": self.points,
            "last_seq": self._seq,
            "totals": {name: dict(counter) for name, counter in self._totals.items()},
        }
