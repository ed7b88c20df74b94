"""Webhook deliveries that failed are asked for again, where a credential may: a GitHub App's.

GitHub never sends a delivery twice by itself. As the App that owns the webhook we may list what it
sent, and have what didn't arrive (we were down, restarted, slow) sent again, for three days. What
arrives then is a delivery like any other. Tokens may not do this for an App, and need to be an
administrator's to do it for a hook of an organisation or a repository, so for them event feeds
(feeds.py) are what closes gaps.

Where GitHub refuses (the App has no webhook, or was suspended) nothing is asked for a day.

In the cache's Redis, losing which costs a few more redeliveries:
- `fw:redelivery:since`: everything sent until then (Unix seconds) was looked at
- `fw:redelivery:<guid>`: how often it was asked for
- `fw:redelivery:off`: set for a day
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from webapp.cache.connection import Connection
from webapp.errors import CredentialRefused
from webapp.github.credentials import Credentials

if TYPE_CHECKING:
    # Slow to import (cryptography), and only Apps need it.
    from webapp.github.app_api import HookDelivery

log = logging.getLogger(__name__)

SINCE, OFF = "fw:redelivery:since", "fw:redelivery:off"
OFF_FOR = 86_400  # seconds
FIRST_LOOK = 3600.0
"""Seconds back at first: what failed before Forewarm ran is none of ours."""
GITHUB_KEEPS = 3 * 86_400
AGAIN = 900.0
"""Seconds back beyond what was looked at: to see what became of what was asked for."""
SETTLED = 60.0
"""Seconds until a sending's end is known: GitHub waits 10 s for an answer."""
TIMES = 3
"""Each event is asked for at most."""
MOST = 100
"""Sendings asked for in one round."""
PAGES = 10


class Redelivery:
    """One per process."""

    def __init__(
        self, credentials: Credentials, redis: Connection, clock: Callable[[], float] = time.time
    ) -> None:
        """`clock` gives Unix seconds."""
        self._credentials = credentials
        self._redis = redis
        self._clock = clock

    def ask_again(self) -> int:
        """Have what didn't arrive sent again; how many sendings were asked for.

        Raises GitHubUnavailable, StoreUnavailable: what isn't done then the next round does.
        """
        app, began = self._credentials.app_api(), self._clock()
        if app is None or self._redis.exists(OFF):
            return 0
        held = self._redis.get(SINCE)
        since = began - FIRST_LOOK if held is None else float(held) - AGAIN
        asked = 0
        try:
            failed = missing(self._sent(max(since, began - GITHUB_KEEPS)))
            for each in failed[:MOST]:
                if each.at < began - SETTLED and self._may(each.guid) and app.redeliver(each.id):
                    asked += 1
        except CredentialRefused as error:
            log.warning("deliveries that fail aren't asked for again, for a day: %s", error)
            self._redis.set(OFF, 1, ex=OFF_FOR)
            return asked
        if len(failed) <= MOST:
            self._redis.set(SINCE, began, ex=GITHUB_KEEPS)
        if asked:
            log.info("webhook deliveries asked for again: %d", asked)
        return asked

    def _sent(self, since: float) -> list[HookDelivery]:
        app = self._credentials.app_api()
        assert app is not None
        found: list[HookDelivery] = []
        page = ""
        for _ in range(PAGES):
            sent, page = app.deliveries(page)
            found += [each for each in sent if each.at >= since]
            if not page or not sent or sent[-1].at < since:
                break
        return found

    def _may(self, guid: str) -> bool:
        key = f"fw:redelivery:{guid}"
        times = self._redis.incr(key)
        self._redis.expire(key, GITHUB_KEEPS)
        return int(times) <= TIMES


def missing(sent: Iterable[HookDelivery]) -> list[HookDelivery]:
    """Of each event that never arrived its last sending; given the last first, so are these."""
    sendings = list(sent)
    arrived = {each.guid for each in sendings if each.arrived}
    last = {each.guid: each for each in reversed(sendings)}
    return [each for each in last.values() if each.guid not in arrived]
