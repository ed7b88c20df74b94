"""Which paths GitHub took longest for: of the newest traces that are kept, not of every call.

A sample that leans to slow and failed requests; what all calls took is by resource (github.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from webapp.db.traces import traces_calls
from webapp.errors import DatabaseUnavailable
from webapp.reports.periods import Window
from webapp.services import Services

TRACES = 300
SHOWN = 10


@dataclass(frozen=True, slots=True)
class UpstreamPath:
    """A path of GitHub's API in the traces looked at; seconds, and the slowest call's trace."""

    path: str
    calls: int
    mean: float
    most: float
    trace_id: str

    def as_json(self) -> dict[str, object]:
        """Durations in seconds."""
        return {
            "path": self.path,
            "calls": self.calls,
            "mean": self.mean,
            "most": self.most,
            "trace_id": self.trace_id,
        }


def slowest_paths(services: Services, window: Window) -> Sequence[UpstreamPath]:
    """The slowest first; none while PostgreSQL is away."""
    api_url = services.settings.github_api_url.rstrip("/")
    try:
        with services.database.connection() as conn:
            found = traces_calls(
                conn,
                f"{api_url}/",
                since=window.since,
                until=window.until,
                traces=TRACES,
                limit=SHOWN,
            )
    except DatabaseUnavailable:
        return ()
    return [
        UpstreamPath(
            path=each.url.removeprefix(api_url),
            calls=each.calls,
            mean=each.mean_ms / 1000,
            most=each.most_ms / 1000,
            trace_id=each.trace_id.hex,
        )
        for each in found
    ]
