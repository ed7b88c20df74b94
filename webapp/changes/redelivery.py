"""Webhook deliveries that failed are asked for again, where a credential may.

    a GitHub App                  its own webhook, always
    a token of an administrator   the hooks of watched organisations and repositories that lead here

GitHub never sends a delivery twice by itself. Its sender's side may list what was sent, and have
what didn't arrive (we were down, restarted, slow) sent again, for three days. What arrives then is
a delivery like any other. Where GitHub refuses, or no hook leads here, nothing is asked for a day;
event feeds (feeds.py) close the gap.

In the cache's Redis, losing which costs a few more redeliveries; a hook's name is its path, the
App's `app`:
- `fw:redelivery:since:<hook>`: everything sent until then (Unix seconds) was looked at
- `fw:redelivery:times:<guid>`: how often it was asked for
- `fw:redelivery:off:<hook>`: set for a day
- `fw:redelivery:hooks:<path>`: an owner's or a repository's hooks that lead here, for a day
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator

import orjson

from webapp.cache.connection import Connection
from webapp.errors import CredentialRefused
from webapp.github.client import Client
from webapp.github.credentials import Credentials
from webapp.github.hook_deliveries import HookDelivery, Sender
from webapp.github.hooks import Hook, hooks_to
from webapp.watches import ORG, OWNER, REPO, Watches

log = logging.getLogger(__name__)

PATH = "/webhooks/github"
"""Where ours receives."""
PREFIX = "fw:redelivery"
APP = "app"
BASES = {ORG: "/orgs/{}", OWNER: "/orgs/{}", REPO: "/repos/{}"}
"""A watch's kind -> where its hooks are; users have none."""
DAY = 86_400
"""Seconds that a refusal is believed, and a list of hooks."""
FIRST_LOOK = 3600.0
"""Seconds back at first: what failed before Forewarm ran is none of ours."""
GITHUB_KEEPS = 3 * DAY
AGAIN = 900.0
"""Seconds back beyond what was looked at: to see what became of what was asked for."""
SETTLED = 60.0
"""Seconds until a sending's end is known: GitHub waits 10 s for an answer."""
TIMES = 3
"""Each event is asked for at most."""
MOST = 100
"""Sendings asked for in one round of one hook."""
PAGES = 10


class Redelivery:
    """One per process."""

    def __init__(
        self,
        credentials: Credentials,
        client: Client,
        watches: Watches,
        redis: Connection,
        *,
        base_url: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`base_url` is where Forewarm is reached; `clock` gives Unix seconds."""
        self._credentials = credentials
        self._client = client
        self._watches = watches
        self._redis = redis
        self._receiver = base_url + PATH
        self._clock = clock

    def ask_again(self) -> int:
        """Have what didn't arrive sent again; how many sendings were asked for.

        Raises GitHubUnavailable, OutOfBudget, StoreUnavailable: what isn't done then the next
        round does.
        """
        return sum(self._ask(name, sender) for name, sender in self._senders())

    def _senders(self) -> Iterator[tuple[str, Sender]]:
        app = self._credentials.app_api()
        if app is not None:
            yield APP, app
            return
        for watch in self._watches.all():
            if watch.kind in BASES:
                for path in self._hooks(BASES[watch.kind].format(watch.name)):
                    yield path, Hook(self._client, path)

    def _hooks(self, base: str) -> list[str]:
        key = f"{PREFIX}:hooks:{base}"
        held = self._redis.get(key)
        if held is not None:
            known: list[str] = orjson.loads(held)
            return known
        found = hooks_to(self._client, base, self._receiver)
        self._redis.set(key, orjson.dumps(found), ex=DAY)
        return found

    def _ask(self, name: str, sender: Sender) -> int:
        if self._redis.exists(f"{PREFIX}:off:{name}"):
            return 0
        began, key = self._clock(), f"{PREFIX}:since:{name}"
        held = self._redis.get(key)
        since = began - FIRST_LOOK if held is None else float(held) - AGAIN
        asked = 0
        try:
            failed = missing(sent_since(sender, max(since, began - GITHUB_KEEPS)))
            for each in failed[:MOST]:
                if each.at < began - SETTLED and self._may(each.guid) and sender.redeliver(each.id):
                    asked += 1
        except CredentialRefused as error:
            log.warning("%s: what fails isn't asked for again, for a day: %s", name, error)
            self._redis.set(f"{PREFIX}:off:{name}", 1, ex=DAY)
            return asked
        if len(failed) <= MOST:
            self._redis.set(key, began, ex=GITHUB_KEEPS)
        if asked:
            log.info("%s: webhook deliveries asked for again: %d", name, asked)
        return asked

    def _may(self, guid: str) -> bool:
        key = f"{PREFIX}:times:{guid}"
        times = self._redis.incr(key)
        self._redis.expire(key, GITHUB_KEEPS)
        return int(times) <= TIMES


def sent_since(sender: Sender, since: float) -> list[HookDelivery]:
    """Sendings from a moment on (Unix seconds), the last first; PAGES pages at most."""
    found: list[HookDelivery] = []
    page = ""
    for _ in range(PAGES):
        sent, page = sender.deliveries(page)
        found += [each for each in sent if each.at >= since]
        if not page or not sent or sent[-1].at < since:
            break
    return found


def missing(sent: Iterable[HookDelivery]) -> list[HookDelivery]:
    """Of each event that never arrived its last sending; given the last first, so are these."""
    sendings = list(sent)
    arrived = {each.guid for each in sendings if each.arrived}
    last = {each.guid: each for each in reversed(sendings)}
    return [each for each in last.values() if each.guid not in arrived]
