"""How a request was answered: one closed vocabulary for header, metric, trace and dashboard."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """X-Cache, metric label, trace label and dashboard column."""

    HIT = "HIT"  # fresh, as is
    STALE = "STALE"  # past its period by time; one refresh runs behind
    GRACE = "GRACE"  # only because GitHub can't be reached or has no budget for us
    REVALIDATED = "REVALIDATED"  # GitHub said 304
    MISS = "MISS"  # GitHub's whole answer was fetched
    COALESCED = "COALESCED"  # waited for another's fetch
    NEGATIVE = "NEGATIVE"  # a remembered 404, 410, 451 or 301
    BYPASS = "BYPASS"  # not cacheable: streamed, or not a read
    ERROR = "ERROR"  # no answer to give: refused, limit, 502, 503, 504


WITHOUT_GITHUB = frozenset({Outcome.HIT, Outcome.NEGATIVE, Outcome.STALE, Outcome.GRACE})
"""Answers that waited for nobody: their share of all reads is the hit rate."""
