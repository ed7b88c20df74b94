"""The stand-in's only source of time, so that a test can move it (token expiry, limit windows)."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime


class Clock:
    """Wall time plus an offset in seconds that the control API sets."""

    def __init__(self) -> None:
        self.offset = 0.0

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self.offset


def iso(seconds: float) -> str:
    """GitHub's timestamp: whole seconds, UTC, a trailing Z."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_iso(text: str) -> float:
    """Seconds since the epoch of an ISO 8601 time; ValueError where it is none."""
    return datetime.fromisoformat(text).timestamp()


def http_date(seconds: float) -> str:
    """An HTTP date (RFC 9110 section 5.6.7)."""
    return formatdate(int(seconds), usegmt=True)


def from_http_date(text: str) -> float | None:
    """Seconds since the epoch, or None where the text is no HTTP date."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None
