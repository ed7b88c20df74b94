"""Faults on order: which requests they hit, how often, and what they do to them."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

# kind -> what it does. The first group replaces the answer, the second spoils the true one.
REPLACING = {
    "status": "answers `status` (500) with a JSON body, or `body` as given",
    "html": "answers `status` (502) with an HTML page",
    "primary": "answers as the primary limit: remaining 0",
    "secondary": "answers as a secondary limit, with Retry-After where `retry_after` is given",
    "too_many": "answers 429 as a secondary limit",
    "unauthorized": "answers 401 Bad credentials",
    "forbidden": "answers 403 Resource not accessible",
    "graphql_error": "answers 200 with only `errors` in it",
    "graphql_limit": "answers 200 with a RATE_LIMITED error and remaining 0",
}
SPOILING = {
    "delay": "waits `delay_ms` first (any kind may)",
    "reset": "resets the connection",
    "black_hole": "never answers",
    "truncated": "sends half of the body and closes",
    "wrong_length": "announces more bytes than it sends",
    "invalid_json": "sends JSON that stops in the middle, with a matching length",
    "no_rate_headers": "leaves the X-RateLimit headers out",
    "no_etag": "leaves ETag and Last-Modified out",
}


@dataclass(slots=True)
class Fault:
    """One order. `path` is a glob over the path without query; `count` None means for ever."""

    kind: str
    path: str = "*"
    method: str = "*"
    token: str = "*"
    count: int | None = None
    probability: float = 1.0
    status: int | None = None
    body: str | None = None
    delay_ms: float = 0.0
    retry_after: int | None = None
    id: int = 0
    hits: int = 0

    @classmethod
    def ordered(cls, values: dict[str, Any]) -> Fault:
        """From the control API's JSON; ValueError where it makes no sense."""
        unknown = set(values) - {f.name for f in fields(cls)}
        if unknown:
            raise ValueError(f"no such field of a fault: {', '.join(sorted(unknown))}")
        fault = cls(**values)
        if fault.kind not in REPLACING and fault.kind not in SPOILING:
            raise ValueError(f"no such fault: {fault.kind}")
        return fault

    def matches(self, method: str, path: str, token: str) -> bool:
        return (
            self.count != 0
            and self.method in ("*", method)
            and self.token in ("*", token)
            and fnmatchcase(path, self.path)
        )


class Faults:
    """All standing orders, applied in the order in which they came."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.clear()

    def clear(self) -> None:
        self.standing: list[Fault] = []
        self._random = random.Random(self._seed)
        self._next_id = 1

    def add(self, fault: Fault) -> Fault:
        fault.id = self._next_id
        self._next_id += 1
        self.standing.append(fault)
        return fault

    def remove(self, fault_id: int) -> None:
        self.standing = [fault for fault in self.standing if fault.id != fault_id]

    def striking(self, method: str, path: str, token: str) -> list[Fault]:
        """The faults that hit this request; their counts go down."""
        if not self.standing:
            return []
        found = []
        for fault in self.standing:
            if not fault.matches(method, path, token):
                continue
            if fault.probability < 1 and self._random.random() >= fault.probability:
                continue
            if fault.count is not None:
                fault.count -= 1
            fault.hits += 1
            found.append(fault)
        return found
