"""ETags that outlive tokens: what GitHub's would be for the present credential.

GitHub's ETag covers the Authorization value, so a rotated token voids every one that is held. It
is a hash over things we have, so the one that the new token would get can be computed. Nobody
promised that formula: each ETag really seen is compared with it, and once it fails it isn't used
until it has held again. A wrong guess costs one full fetch, never a wrong answer: GitHub says 304
only to what it computes itself.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import deque

log = logging.getLogger(__name__)

SEEN = 20  # the last so many ETags are judged
FAILURES = 3  # of them, and the formula isn't trusted; one or two may be oddities
RECOVERY = 10  # in a row, and it is again


def expected(body: bytes, accept: str | None, authorization: str | None) -> str:
    """The ETag of a raw, decoded body under these request headers; None where one isn't sent.

    SHA-256 over the values of Accept, Authorization and Cookie that are present, each followed by
    a colon, then the body (observed, undocumented; read off GitHub's answers by
    bored-engineer/github-conditional-http-transport). We send no Cookie. Weak, as under gzip.
    """
    digest = hashlib.sha256()
    for value in (accept, authorization):
        if value is not None:
            digest.update(value.encode("latin-1", "replace") + b":")
    digest.update(body)
    return f'W/"{digest.hexdigest()}"'


def same(one: str, other: str) -> bool:
    """Weak comparison (RFC 9110 section 8.8.3.2)."""
    return one.strip().removeprefix("W/") == other.strip().removeprefix("W/")


class Formula:
    """Whether the formula holds, by what GitHub really sent. One per process; thread-safe."""

    def __init__(self) -> None:
        self.holds = True
        """Trusted at first: the first few answers settle it."""
        self.held = 0
        self.failed = 0
        self._last: deque[bool] = deque(maxlen=SEEN)
        self._row = 0
        self._lock = threading.Lock()

    def check(
        self, seen_etag: str, body: bytes, accept: str | None, authorization: str | None
    ) -> None:
        """Compare with an ETag that came with this body, to a request with these headers.

        Also with a 304's, where GitHub confirmed a computed ETag: then `body` is the held one.
        An answer without an ETag ('') says nothing.
        """
        if not seen_etag:
            return
        right = same(seen_etag, expected(body, accept, authorization))
        with self._lock:
            self._last.append(right)
            self._row = self._row + 1 if right else 0
            if right:
                self.held += 1
            else:
                self.failed += 1
            self._judge()

    def _judge(self) -> None:
        if self.holds and self._last.count(False) >= FAILURES:
            self.holds = False
            log.warning("GitHub's ETags no longer follow the formula: new tokens fetch in full")
        elif not self.holds and self._row >= RECOVERY:
            self.holds = True
            self._last.clear()
            log.warning("GitHub's ETags follow the formula again")

    def validator(
        self,
        held_etag: str,
        held_fingerprint: str,
        current_fingerprint: str,
        *,
        body: bytes,
        accept: str | None,
        authorization: str | None,
    ) -> str:
        """The ETag to ask with for a held raw body, '' where it must be fetched in full.

        `held_fingerprint` is that of the credential that `held_etag` was last seen with: with the
        same one it is exact, whatever the formula. What GitHub gives no ETag has none to compute.
        """
        if not held_etag or held_fingerprint == current_fingerprint:
            return held_etag
        return expected(body, accept, authorization) if self.holds else ""
